"""The trials of graded effort: a piece that was written, and a judgment of two."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pytest_llmpref.experiments.trials import Trial

PLAIN: Final = "plain"
EXHORTED: Final = "exhorted"
Condition = Literal["plain", "exhorted"]
"""How a piece was asked for."""
Shown = Literal["top first", "bottom first", "exhorted first", "plain first"]
"""Which two pieces a judge compared, and which was shown first."""


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """A piece to write: for which entity, at which task, under which condition, and which of several."""

    entity: str
    task: str
    condition: Condition
    repetition: int


@dataclass(frozen=True, slots=True)
class PlannedJudgment:
    """Two pieces to compare, in the order in which they are shown."""

    first: PlannedPiece
    second: PlannedPiece
    shown: Shown

    @property
    def entities(self) -> tuple[str, ...]:
        """Ids of the entities, in the order in which their pieces are shown; one where both are for it."""
        return tuple(dict.fromkeys((self.first.entity, self.second.entity)))


class EffortTrial(Trial, frozen=True, gc=False):
    """A piece that was written, or a judgment of two.

    Attributes
    ----------
    question
        Id of the task.
    framing
        A `Condition` of a piece; what was `Shown` of a judgment.
    """

    columns: ClassVar[Mapping[str, str]] = {"question": "question", "framing": "framing"}

    question: str = ""
    framing: str = ""

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked."""
        return self.entities, self.question, self.framing, self.repetition

    @property
    def planned(self) -> PlannedPiece:
        """The piece that this trial is about, if it is of one."""
        condition: Condition = EXHORTED if self.framing == EXHORTED else PLAIN
        return PlannedPiece(self.entities[0], self.question, condition, self.repetition)
