"""A measure as results.json holds it: its estimates, its diagnostics and its trials.

Measures may add diagnostics and columns of their own. What reports and comparisons read is typed here.
"""

import math
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pytest_llmpref.results.diagnostics import Count, Diagnostics
from pytest_llmpref.results.labels_record import LabelsRecord

KEY, COURSE = "[0-9a-f]{32}", "[craute]+"
"""Forms that the reader checks for a whole column at once: one by one takes longer than reading the file."""
Key = Annotated[str, Meta(extra_json_schema={"pattern": f"^{KEY}$"})]
Course = Annotated[str, Meta(extra_json_schema={"pattern": f"^{COURSE}$"})]
OutcomeName = Literal["choice", "refusal", "abstention", "unparseable", "truncated", "error"]


def refers_to(name: str) -> Meta:
    """Let the JSON Schema describe an open table by the struct ``name``, which tells what is known of it."""
    return Meta(extra_json_schema={"$ref": f"#/$defs/{name}"})


def written(value: float) -> float | None:
    """Return a number as results.json holds it: with six decimals; ``None`` for what JSON has no number for.

    Examples
    --------
    >>> written(2 / 3), written(float("nan"))
    (0.666667, None)
    """
    # A number of numpy's would stay one.
    return round(float(value), 6) if math.isfinite(value) else None


class EstimateRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value with its interval; null for what cannot be estimated, and for the missing limit of a one-sided interval.

    Attributes
    ----------
    value
        The point estimate.
    low, high
        The limits of the interval.
    n
        Sample size.
    level
        Confidence level of the interval; 0.95 if none is given.
    unit
        What ``n`` counts.
    method
        How the value and interval were computed, with the reference.
    label
        What is estimated.
    unbounded
        Whether a null limit means infinity.
    """

    value: float | None
    low: float | None
    high: float | None
    n: Count
    level: float = 0.95
    unit: str = ""
    method: str = ""
    label: str = ""
    unbounded: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The limits as numbers: infinite for the end that an interval does not have, NaN if there is none."""
        if self.low is None and self.high is None and not self.unbounded:
            return math.nan, math.nan
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high


class TrialColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The trials as columns of equal length, in the order of the plan; trials of the control come last.

    Attributes
    ----------
    control
        Whether it belongs to the control.
    key
        Key of the last attempt, which finds the transcript in the cassette.
    entities
        Ids of the entities, in the order in which they were shown.
    outcome
        Outcome of the last attempt.
    attempts
        Number of attempts.
    course
        First letter of the outcome of each attempt.
    score
        The score of the answer; null where there is none.
    first_is_a
        Whether the entity shown first has label A.
    wording, repetition
        Numbers of the wording and of the repetition.
    question
        For a yes/no question: its id.
    framing
        For a yes/no question: entity, or the name of a control.
    correct
        For a yes/no question: whether the answer is correct; null without an answer.
    text
        Text of the last attempt, clipped.
    task
        For an agent's run in a context: id of its task.
    context
        For a question in a context: id of the context.
    drawing
        For a question in a context: number of the random assignment of entities to arms.
    arms
        For a question in a context: the arms of its entities, in the order in which they were shown.
    """

    control: list[bool]
    key: list[Key]
    entities: list[list[str]]
    outcome: list[OutcomeName]
    attempts: list[Annotated[int, Meta(ge=1)]]
    course: list[Course] | None = None
    score: list[float | None]
    first_is_a: list[bool | None] | None = None
    wording: list[int]
    repetition: list[int]
    question: list[str | None] | None = None
    framing: list[str | None] | None = None
    correct: list[bool | None] | None = None
    text: list[str]
    task: list[str | None] | None = None
    context: list[str | None] | None = None
    drawing: list[int | None] | None = None
    arms: list[list[str] | None] | None = None


class MeasureRecord(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A measure of one model.

    Attributes
    ----------
    entities
        Entity id -> estimate.
    control
        The same quantity for questions that name no entity; null if there is no control.
    diagnostics
        Counts and checks, which depend on the measure.
    valid, reasons
        Whether it passed its checks, and why not.
    unranked
        Why the values cannot rank the entities, although each value is valid by itself.
    early
        Why claims computed from the trials, rather than from the values, are invalid.
    trials
        The trials by column; empty in files without trials.
    labels
        How well its replies were read, by people's labels; null without labels.
    """

    entities: dict[str, EstimateRecord]
    control: EstimateRecord | None
    diagnostics: Annotated[dict[str, Any], refers_to("Diagnostics")]
    valid: bool
    reasons: list[str]
    unranked: list[str] = []
    early: list[str] = []
    trials: Annotated[dict[str, list[Any]], refers_to("TrialColumns")] = {}
    labels: LabelsRecord | None = None

    @cached_property
    def checks(self) -> Diagnostics:
        """The diagnostics that every measure may have, typed."""
        return msgspec.convert(self.diagnostics, Diagnostics)

    @cached_property
    def columns(self) -> TrialColumns | None:
        """The columns of trials that every measure may have, typed; ``None`` in files that hold no trials."""
        return msgspec.convert(self.trials, TrialColumns) if self.trials else None
