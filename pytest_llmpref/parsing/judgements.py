"""The words in which a judge says how a reply to a two-option question ended."""

import re

from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.reasons import Reason

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
    """Return the word with which a judge's answer begins; ``None`` where it is none of the words."""
    match = _WORD.match(text)
    return match["word"] if match else None
