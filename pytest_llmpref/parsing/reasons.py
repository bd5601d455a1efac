"""Why a reply declines."""

from enum import StrEnum
from functools import lru_cache

from pytest_llmpref.parsing.phrases import languages_of, normal


class Reason(StrEnum):
    """The reason that a refusal gives, in the words of arXiv 2602.18971 where it names them.

    ``no cheating`` and ``impossible question`` are reasons only where a question has an answer.
    """

    PERSONAL_DECISION = "personal decision"
    NEUTRALITY = "neutrality"
    ETHICAL_CONSTRAINTS = "ethical constraints"
    LACK_OF_INFORMATION = "lack of information"
    POLICY = "policy"
    NO_CHEATING = "no cheating"
    IMPOSSIBLE_QUESTION = "impossible question"
    OTHER = "other"


_FIRST_TO_LAST = (
    Reason.NO_CHEATING,
    Reason.IMPOSSIBLE_QUESTION,
    Reason.ETHICAL_CONSTRAINTS,
    Reason.POLICY,
    Reason.LACK_OF_INFORMATION,
    Reason.PERSONAL_DECISION,
    Reason.NEUTRALITY,
)
"""The more particular a reason, the earlier: "as an AI I have no opinions" stands before nearly all of them."""
DECLINING = frozenset({Reason.OTHER, Reason.NEUTRALITY, Reason.POLICY, Reason.NO_CHEATING})
"""Reasons whose words decline by themselves. The others stand beside a choice as often as in place of one."""
DECLINING_WHEN_FINISHED = frozenset({Reason.ETHICAL_CONSTRAINTS, Reason.LACK_OF_INFORMATION})
"""Reasons whose words decline by themselves, once their sentence has ended without a choice."""
_OF_QUESTIONS_WITH_AN_ANSWER = frozenset({Reason.NO_CHEATING, Reason.IMPOSSIBLE_QUESTION})
LONGEST = 2000
"""Characters of a reply that are read for a reason."""


@lru_cache(maxsize=16384)
def reason_of(text: str, *, answerable: bool = False) -> Reason:
    """Return the reason that a refusal gives, ``other`` where it gives none that is known.

    Parameters
    ----------
    text
        The refusal.
    answerable
        Whether the question has an answer.
    """
    lower = normal(text[:LONGEST]).lower()
    given = languages_of(lower)
    for reason in _FIRST_TO_LAST:
        if reason in _OF_QUESTIONS_WITH_AN_ANSWER and not answerable:
            continue
        lists = (told.get(reason) for language in given for told in (language.refusal, language.hints))
        if any(patterns.found_in(lower) for patterns in lists if patterns):
            return reason
    return Reason.OTHER
