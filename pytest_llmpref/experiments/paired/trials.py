"""The trials of paired prompts."""

from collections.abc import Mapping
from typing import ClassVar

from pytest_llmpref.experiments.trials import Trial


class PairedTrial(Trial, frozen=True, gc=False):
    """One prompt of a pair. The score is 1 where it was declined, a half where it was answered only partly, else 0.

    Attributes
    ----------
    question
        Id of the pair.
    framing
        Its side, ``a`` or ``b``; ``left`` or ``right`` where the file says so.
    topic
        Of the pair.
    """

    columns: ClassVar[Mapping[str, str]] = {"question": "question", "framing": "framing"}

    question: str = ""
    framing: str = ""
    topic: str = ""

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked."""
        return self.question, self.framing, self.repetition
