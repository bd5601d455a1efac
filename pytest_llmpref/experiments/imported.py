"""What an experiment makes of imported data: the plan that others asked, their replies, and what neither can tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pytest_llmpref.experiments.experiment import Conditions, Experiment, Plan
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.imports.rows import Given, Row

Takes = Literal["choices", "replies"]
NOT_TESTABLE = "not testable"
"""Begins what is said of a check that the data do not support: it did not pass."""
JUDGED: dict[Given, str] = {
    "refusal": "DECLINES",
    "declined": "DECLINES",
    "abstention": "NEITHER",
    "unparseable": "UNCLEAR",
    "empty": "UNCLEAR",
    "truncated": "UNCLEAR",
}
"""What the data say of a reply -> the word with which a judge says so."""


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """The replies of one measure.

    Attributes
    ----------
    rows
        In the order of the data.
    wordings
        Of the questions, as the data have them; empty if they tell none apart.
    read_by
        As in `results.import_record.ImportRecord`.
    """

    rows: Sequence[Row]
    wordings: Sequence[str]
    read_by: str

    def given(self, row: Row) -> Given:
        """Return what the data say of a reply, if that holds; empty where our reader reads it."""
        return "" if self.read_by == "rules" and row.text else row.given


@dataclass(frozen=True, slots=True)
class ImportedTrials:
    """What an experiment makes of them.

    Attributes
    ----------
    plan
        What was asked.
    replies
        One to each trial.
    untestable
        Checks that the data do not support, in words; the measure may be valid without them.
    reasons
        Why the measure is invalid whatever was answered.
    """

    plan: Plan[Any]
    replies: Sequence[Replies]
    untestable: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@runtime_checkable
class ImportableExperiment(Experiment, Protocol):
    """An experiment that can take up the replies that others got.

    Attributes
    ----------
    takes
        Whether these are ``choices`` between two entities, or ``replies`` about one.
    """

    takes: ClassVar[Takes]

    def imported(self, conditions: Conditions, data: ImportedRows) -> ImportedTrials:
        """Return the plan that others asked, and the replies that they got; `analyse` does the rest."""
        ...
