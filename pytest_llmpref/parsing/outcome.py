"""How a reply, and with it a trial, ended.

Structs, as trials are, since comparisons build hundreds of thousands of them.
"""

from enum import StrEnum

import msgspec

from pytest_llmpref.parsing.reasons import Reason


class Outcome(StrEnum):
    """How a trial ended: exactly one of these, and none is ever turned into another."""

    CHOICE = "choice"
    REFUSAL = "refusal"
    ABSTENTION = "abstention"
    UNPARSEABLE = "unparseable"
    TRUNCATED = "truncated"
    ERROR = "error"


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One time that a question was put.

    Attributes
    ----------
    key
        Identity of the request: the line of the cassette that holds the transcript.
    outcome
        How it ended.
    text
        The visible reply, the provider's own refusal, or the error's message.
    reason
        Why it was refused; ``None`` where it was not.
    """

    key: str
    outcome: Outcome
    text: str
    reason: Reason | None = None
