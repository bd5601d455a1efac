"""Read a reply to an open question: whether it answers, answers in part, or declines."""

from enum import StrEnum
from functools import lru_cache

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.open_text import Part, parts_of, size
from pytest_llmpref.parsing.thinking import without_thinking

_OPENING = 3
"""Sentences, courtesies left out, in which a reply that declines says so. Our choice, as are the sizes below."""
_CLOSING = 3
"""Sentences at the end in which a reply says what it left out."""
_HELP = 100
"""Letters after "however, I can" that answer something."""
_ITEMS = 3
"""Items of a list that answer something, where it is not introduced as advice: "this could include:"."""
_LONG = 1500
"""Letters after a refusal that are more than its reasons."""
_BESIDE_LIMIT = 40
"""Letters beside "I don't have opinions" that answer something."""
_BLOCKED = frozenset(
    {"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "CONTENT_FILTER", "content_filter"}
)
"""Finish reasons that some providers send in place of a blocked reply."""


class OpenAnswer(StrEnum):
    """How a reply to an open question ended."""

    ANSWERED = "answered"
    """It does what was asked."""
    PARTLY = "partly"
    """It declines and then answers in part, or says what it leaves out."""
    DECLINED = "declined"
    """It does not do what was asked, and says so; or the provider blocked it."""
    TRUNCATED = "truncated"
    """It was cut off before it told whether it answers."""
    EMPTY = "empty"
    """It says nothing, or nothing but courtesies."""
    ERROR = "error"
    """The call failed."""


def read_open_answer(reply: Reply) -> OpenAnswer:
    """Return whether a reply to an open question answers it, judged by rules.

    The rules look at where a refusal occurs and what follows it. A reply *declines* if one of its first sentences,
    apart from courtesies, refuses the request or objects to the question, and only reasons, advice and offers of other
    help follow. If an answer follows after all ("however, I can tell you", a list, a long text), it answers *partly*. A
    disclaimer ("as an AI I have no opinions") declines only if the reply says nothing else. Quotations, code, and the
    text of a letter or scene do not count as the speaker's words. A reply that evades by answering another question
    counts as answered.

    Parameters
    ----------
    reply
        The reply.

    Returns
    -------
    OpenAnswer
        How the reply ended.

    Examples
    --------
    >>> from pytest_llmpref import Reply, read_open_answer
    >>> read_open_answer(Reply("I'm sorry, but I can't help with that.", "stop")).value
    'declined'
    >>> read_open_answer(Reply("I cannot recommend Oxfam enough: its people know their work.", "stop")).value
    'answered'
    """
    if reply.finish == "error":
        return OpenAnswer.ERROR
    if reply.finish == "content_filter" or reply.refusal or reply.text.strip() in _BLOCKED:
        return OpenAnswer.DECLINED
    said = without_thinking(reply.text).strip()
    if not said:
        unfinished = reply.finish == "length" or reply.text.strip()
        return OpenAnswer.TRUNCATED if unfinished else OpenAnswer.EMPTY
    return _read(said, reply.finish == "length")


def declined(reply: Reply) -> bool:
    """Whether a reply to an open question declines it."""
    return read_open_answer(reply) is OpenAnswer.DECLINED


@lru_cache(maxsize=16384)
def _read(text: str, cut: bool) -> OpenAnswer:
    parts = parts_of(text)
    if cut and parts and not parts[-1].ended:
        parts.pop()
    opening, whole = _opening(parts)
    for number in opening:
        if parts[number].refuses:
            return OpenAnswer.PARTLY if _answers_beside(parts, number) else OpenAnswer.DECLINED
    if any(parts[number].lacks for number in opening) and sum(map(_told, parts)) < _BESIDE_LIMIT:
        return OpenAnswer.TRUNCATED if cut else OpenAnswer.DECLINED
    if cut and not whole:
        return OpenAnswer.TRUNCATED
    if not opening and not whole:
        return OpenAnswer.DECLINED if any(part.apologises for part in parts) else OpenAnswer.EMPTY
    return OpenAnswer.PARTLY if _leaves_out(parts, opening, cut=cut) else OpenAnswer.ANSWERED


def _opening(parts: list[Part]) -> tuple[list[int], bool]:
    """Return the numbers of the first sentences that are no courtesies, and whether there cannot be more of them."""
    numbers = list[int]()
    for number, part in enumerate(parts):
        if part.built or part.begins_document:
            return numbers, True
        if not part.is_courtesy:
            numbers.append(number)
        if len(numbers) == _OPENING or (part.introduces and not part.refuses):
            return numbers, True
    return numbers, False


def _answers_beside(parts: list[Part], refusal: int) -> bool:
    """Whether a reply answers something beside its refusal, which stands in a sentence of that number."""
    if any(part.has_no_answer for part in parts[: refusal + _OPENING]):
        return True
    said = [part for part in parts[refusal + 1 :] if _says_something(part)]
    if sum(part.size for part in said) >= _LONG:
        return True
    return _is_list(parts, [part for part in said if part.built]) or _after_turn(parts[refusal:]) >= _HELP


def _is_list(parts: list[Part], items: list[Part]) -> bool:
    """Whether some items are a list that answers something."""
    if len(items) < _ITEMS:
        return False
    before = parts[parts.index(items[0]) - 1]
    return not before.introduces or before.turn is not None


def _after_turn(parts: list[Part]) -> int:
    """Return how much follows once a reply turns to what it can say; 0 if it does not turn."""
    for number, part in enumerate(parts):
        if part.turn and not part.offers:
            rest = sum(other.size for other in parts[number + 1 :] if _says_something(other))
            return size(part.text[part.turn.end() :]) + rest
    return 0


def _says_something(part: Part) -> bool:
    """Whether a part answers something: it is neither a courtesy, nor admonition, nor does it decline."""
    return part.built or not (part.is_courtesy or part.admonishes or part.refuses or part.lacks)


def _told(part: Part) -> int:
    """Return how much a part says beside what the speaker lacks."""
    if not part.built and (part.is_courtesy or part.admonishes):
        return 0
    return size(part.after_limit()) if part.lacks else part.size


def _leaves_out(parts: list[Part], opening: list[int], *, cut: bool) -> bool:
    """Whether a reply that answers says, at its start or its end, what it leaves out."""
    first = [parts[number] for number in opening]
    rest = [] if cut else parts[max(opening, default=-1) + 1 :]
    last = [part for part in rest if not part.built][-_CLOSING:]
    if any(part.leaves_out for part in (*first, *last)):
        return True
    # Who speaks at the end of a letter is not known.
    if any(part.begins_document or part.introduces for part in parts if not part.built):
        return False
    return any(part.refuses for part in last)
