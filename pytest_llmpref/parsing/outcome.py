"""How a reply, and with it a trial, ended.

Structs, as trials are, since comparisons build hundreds of thousands of them.
"""

import re
from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """How a trial ended: exactly one of these, and none is ever turned into another."""

    CHOICE = "choice"
    REFUSAL = "refusal"
    ABSTENTION = "abstention"
    UNPARSEABLE = "unparseable"
    TRUNCATED = "truncated"
    ERROR = "error"


class Reason(StrEnum):
    """The reason that a refusal gives, in the terms of arXiv 2602.18971 where it has one.

    ``no cheating`` and ``impossible question`` apply only to questions that have a correct answer.
    """

    PERSONAL_DECISION = "personal decision"
    NEUTRALITY = "neutrality"
    ETHICAL_CONSTRAINTS = "ethical constraints"
    LACK_OF_INFORMATION = "lack of information"
    POLICY = "policy"
    NO_CHEATING = "no cheating"
    IMPOSSIBLE_QUESTION = "impossible question"
    OTHER = "other"


class Grade(StrEnum):
    """How surely a reply's text says what it chooses."""

    EXPLICIT = "explicit"
    """It is nothing but an answer, marks one, or holds a sentence that chooses it."""
    WEAK = "weak"
    """It mentions an option, or praises it, and chooses none in so many words."""
    NONE = "none"
    """It mentions no option."""


class Evidence(msgspec.Struct, frozen=True):
    """What a reply's text says of the choice, by rules.

    Attributes
    ----------
    grade
        How surely.
    answer
        The label that is chosen (``A``, ``B``; or ``yes``, ``no``) where the evidence is explicit, else ``None``.
    """

    grade: Grade
    answer: str | None = None


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One attempt at a question.

    Attributes
    ----------
    key
        Key of the request, which finds the transcript in the cassette.
    outcome
        How it ended.
    text
        The visible reply, the provider's own refusal, or the error's message.
    reason
        Why it was refused; ``None`` if it was not.
    """

    key: str
    outcome: Outcome
    text: str
    reason: Reason | None = None


JUDGEMENTS: dict[str, tuple[Outcome, str | None, Reason | None]] = {
    "A": (Outcome.CHOICE, "A", None),
    "B": (Outcome.CHOICE, "B", None),
    "NEITHER": (Outcome.ABSTENTION, None, None),
    "ETHICS": (Outcome.REFUSAL, None, Reason.ETHICAL_CONSTRAINTS),
    "POLICY": (Outcome.REFUSAL, None, Reason.POLICY),
    "INFORMATION": (Outcome.REFUSAL, None, Reason.LACK_OF_INFORMATION),
    "DECISION": (Outcome.REFUSAL, None, Reason.PERSONAL_DECISION),
    "NEUTRAL": (Outcome.REFUSAL, None, Reason.NEUTRALITY),
    "DECLINES": (Outcome.REFUSAL, None, Reason.OTHER),
    "UNCLEAR": (Outcome.UNPARSEABLE, None, None),
}
"""A judge's word -> outcome, label of a choice, reason of a refusal."""

_WORD = re.compile(rf"""^[\s"'*`({{:]*(?:"?answer"?\W+)?(?P<word>{"|".join(JUDGEMENTS)})(?!\w)""")


def read_judgement(text: str) -> str | None:
    """Return the word with which a judge's answer begins; ``None`` if it is none of the expected words."""
    match = _WORD.match(text)
    return match["word"] if match else None
