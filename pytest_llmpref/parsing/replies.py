"""Read a reply to a question with two options: which outcome, which option."""

import re
from collections.abc import Mapping
from functools import lru_cache

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.choosing import chosen
from pytest_llmpref.parsing.judgements import JUDGEMENTS
from pytest_llmpref.parsing.labels import is_part_of_one
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.phrases import normal
from pytest_llmpref.parsing.reasons import DECLINING, DECLINING_WHEN_FINISHED, Reason, reason_of
from pytest_llmpref.parsing.spoken import Said
from pytest_llmpref.parsing.thinking import spoken

_OPENING = r"""[\s"'*_(\[#>:`\u300c\u300e\u201c\u201d\u201e\u00ab\u3010\u00a1\u00bf-]{0,8}"""
_ONLY = re.compile(rf"^{_OPENING}(?P<label>[ABab])[\s.)\]*\"'!]*$")


def read_choice(reply: Reply, options: Mapping[str, str]) -> tuple[Outcome, str | None]:
    """Tell how a reply to a two-option question ended.

    A judge's word holds, where there is one. Else rules apply, in this order: a provider's own refusal; a label at the
    start, or all of a sentence; what is chosen in so many words, or after the last "but" or "so"; words that decline;
    words that favour neither; a part of one name and nothing more; a reason for which others decline; a question back;
    else truncated or unparseable. Words against an option are never a choice of it, and to mention only one option
    chooses nothing. Where a reply was cut, its last sentence tells only what it has already said. The languages are
    those of ``fixtures/phrases``.

    Parameters
    ----------
    reply
        The reply.
    options
        The name shown under each of the labels ``A`` and ``B``.

    Returns
    -------
    The outcome, and the label that was chosen where it is a choice.

    Examples
    --------
    >>> from pytest_llmpref import Reply
    >>> read_choice(Reply("I'd go with B.", "stop"), {"A": "Oxfam", "B": "UNICEF"})
    (<Outcome.CHOICE: 'choice'>, 'B')
    """
    if reply.finish == "error":
        return Outcome.ERROR, None
    if reply.finish == "content_filter" or reply.refusal:
        return Outcome.REFUSAL, None
    if reply.judgement is not None:
        outcome, label, _ = JUDGEMENTS[reply.judgement]
    else:
        outcome, label = _read(spoken(reply.text), options["A"], options["B"], reply.finish == "length")
    if outcome is Outcome.UNPARSEABLE and reply.finish == "length":
        outcome = Outcome.TRUNCATED
    return outcome, label


def refusal_reason(reply: Reply) -> Reason:
    """Return the reason that a refusal gives: the judge's word, where there is one, else by rules."""
    judged = JUDGEMENTS[reply.judgement][2] if reply.judgement is not None else None
    return judged or reason_of(spoken(reply.text) or reply.refusal or "")


def refused(reply: Reply) -> bool:
    """Whether a reply is a refusal, whatever was asked; for a running count while asking."""
    return read_choice(reply, {"A": "\x00", "B": "\x00"})[0] is Outcome.REFUSAL


@lru_cache(maxsize=65536)
def _read(text: str, a: str, b: str, cut: bool) -> tuple[Outcome, str | None]:
    if alone := _ONLY.match(text):
        return Outcome.CHOICE, alone["label"].upper()
    text = _heard(text)
    said = Said.of(text, _heard(a), _heard(b), cut=cut)
    if found := _said_outright(said, cut):
        return found
    if not cut and (label := is_part_of_one(text, _heard(a), _heard(b))):
        return Outcome.CHOICE, label
    if said.declined - {Reason.OTHER}:
        return Outcome.REFUSAL, None
    return Outcome.ABSTENTION if said.asks_back() else Outcome.UNPARSEABLE, None


@lru_cache(maxsize=65536)
def _heard(text: str) -> str:
    return normal(text).strip()


@lru_cache(maxsize=65536)
def _said_outright(said: Said, cut: bool) -> tuple[Outcome, str | None] | None:
    """Return what does not depend on the options' names, once these are marked: whoever is meant, it is read once."""
    if label := chosen(said):
        return Outcome.CHOICE, label
    outcome = _declined(said, cut=cut)
    return (outcome, None) if outcome else None


def _declined(said: Said, *, cut: bool) -> Outcome | None:
    """Return a refusal or an abstention that is said in words; ``None`` where neither is."""
    finished = "\n".join(said.finished)
    neither = said.favours_neither(finished, praise=not cut)
    given = said.declined
    if given and neither:
        given = said.declines(said.without_neither(said.text))
    if given & DECLINING or (given and said.declines(finished) & DECLINING_WHEN_FINISHED & given):
        return Outcome.REFUSAL
    return Outcome.ABSTENTION if neither else None
