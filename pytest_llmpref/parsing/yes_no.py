"""Read a reply to a yes/no question about a passage: which outcome, which answer. Yes and no are read in English."""

import re
from functools import lru_cache

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.phrases import languages_of, normal
from pytest_llmpref.parsing.reasons import DECLINING
from pytest_llmpref.parsing.spoken import Said
from pytest_llmpref.parsing.thinking import spoken

LABELS = ("yes", "no")
_TRUTH = {"yes": True, "yeah": True, "yep": True, "true": True, "no": False, "nope": False, "false": False}
_WORD = r"(?P<word>yes|yeah|yep|true|no|nope|false)(?![\w'])"
_OPENING = r"""[\s"'*_(\[#>:\u201c\u201d-]{0,8}"""
# "No information is given" and "no one" are no answers, "yes or no" is none either.
_NOT_AFTER = (
    r"(?!\s+(?:one|body|information|mention|comment|clear|definit|direct|evidence|idea|opinion|preference|sure|way\ to)"
    r"|\W{0,3}(?:or|and|/)\W{0,3}(?:no|yes|false|true)\b)"
)
_JSON = re.compile(rf'"(?:answer|choice|label)"\s*:\s*"?{_WORD}', re.IGNORECASE)
_START = re.compile(
    rf"""{_OPENING}(?:(?:so|well|ok|okay|sure|certainly)\b[\s,.!:]{{0,4}})?
    (?:(?:the|my)\s+)?(?:(?:final|correct|right)\s+)?(?:answer(?:\s+(?:is|would\ be))?[\s:]{{0,4}})?
    {_OPENING}{_WORD}{_NOT_AFTER}""",
    re.IGNORECASE | re.VERBOSE,
)
_STATED = re.compile(
    rf"""\b(?:answer(?:\s+to\s+[^.\n]{{1,80}}?)?(?:\s+(?:is|would\s+be|should\s+be))?
    |i(?:'d|\ would)?\s+(?:say|answer|go\s+with)|(?:that|this|it|which)\s+(?:is|would\ be)|therefore|thus|hence)
    [\s:,]{{0,4}}{_OPENING}{_WORD}{_NOT_AFTER}""",
    re.IGNORECASE | re.VERBOSE,
)
_FINAL = re.compile(rf"(?:^|[\s:*\"'(]){_WORD}\W*$", re.IGNORECASE)
# "No, I can't help you with a quiz" declines; "No, the ferry does not" answers.
_DECLINES_WITH_NO = re.compile(
    r"no\b\W+(?:i'm |i am )?"
    r"(?:sorry\b|i (?:can't|cannot|won't|will not|would rather not|don't)\b|(?:not )?(?:able|going) to)"
)


def read_yes_no(reply: Reply) -> tuple[Outcome, bool | None]:
    """Tell how a reply ended, and whether it says yes where it is a choice.

    The rules apply in this order: a provider's own refusal; yes or no at the start, or stated as the answer, or at the
    end; words that decline; words that leave it open; a reason for which others decline; else truncated or unparseable.
    Where a reply was cut, its last sentence neither leaves it open nor answers by its last word: "there is no" is none.

    Examples
    --------
    >>> from pytest_llmpref import Reply
    >>> read_yes_no(Reply("Yes, it is.", "stop"))
    (<Outcome.CHOICE: 'choice'>, True)
    """
    if reply.finish == "error":
        return Outcome.ERROR, None
    if reply.finish == "content_filter" or reply.refusal:
        return Outcome.REFUSAL, None
    outcome, says_yes = _read(spoken(reply.text), reply.finish == "length")
    if outcome is Outcome.UNPARSEABLE and reply.finish == "length":
        outcome = Outcome.TRUNCATED
    return outcome, says_yes


@lru_cache(maxsize=65536)
def _read(text: str, cut: bool) -> tuple[Outcome, bool | None]:
    text = normal(text).strip()
    lower = text.lower()
    said = Said.of(text, "", "", cut=True) if cut else None
    if not _DECLINES_WITH_NO.match(lower):
        word = _word(text, unfinished=said is not None and bool(said.unfinished))
        if word:
            return Outcome.CHOICE, _TRUTH[word]
    spoken = languages_of(lower)
    given = {reason for language in spoken for reason, patterns in language.refusal.items() if patterns.found_in(lower)}
    if given & DECLINING:
        return Outcome.REFUSAL, None
    ended = lower if said is None else "\n".join(said.finished)
    if any(patterns.found_in(ended) for each in spoken for patterns in (each.undecided, each.abstention, each.both)):
        return Outcome.ABSTENTION, None
    # Not by `reason_of`, whose hints tell why a reply declines, and not that it does.
    if given:
        return Outcome.REFUSAL, None
    return Outcome.UNPARSEABLE, None


def _word(text: str, *, unfinished: bool) -> str | None:
    """Return the one answer that a text gives, in lower case; ``unfinished`` says that its last sentence was cut."""
    match = (_JSON.search(text) if text[:1] in "{`" else None) or _START.match(text)
    if match:
        return match["word"].lower()
    stated = {_TRUTH[match["word"].lower()]: match["word"].lower() for match in _STATED.finditer(text)}
    if len(stated) == 1:
        return next(iter(stated.values()))
    final = None if stated or unfinished else _FINAL.search(text[-40:])
    # "Say yes or no" ends in no.
    return final["word"].lower() if final and not re.search(r"\b(?:or|and|/)\W*\w+\W*$", text[-40:]) else None
