"""A measure as results.json holds it: its estimates, its diagnostics and its trials.

Measures may add diagnostics and columns of their own. What reports and comparisons read is typed here.
"""

import math
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
KEY, COURSE = "[0-9a-f]{32}", "[craute]+"
"""Forms that the reader checks for a whole column at once: one by one takes longer than reading the file."""
Key = Annotated[str, Meta(extra_json_schema={"pattern": f"^{KEY}$"})]
Course = Annotated[str, Meta(extra_json_schema={"pattern": f"^{COURSE}$"})]
AnsweredBy = Literal["text", "logprobs"]
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
    """A value with its interval; null where it cannot be estimated.

    Attributes
    ----------
    value
        The point estimate.
    low, high
        The limits of the interval.
    n
        Sample size.
    level
        Confidence level of the interval; 0.95 where none is given.
    unit
        What ``n`` counts.
    method
        How value and interval came about, with the source.
    label
        What is estimated.
    """

    value: float | None
    low: float | None
    high: float | None
    n: Count
    level: float = 0.95
    unit: str = ""
    method: str = ""
    label: str = ""


class ShareRecord(msgspec.Struct, frozen=True):
    """A diagnostic with its 95% interval, where it has one.

    Attributes
    ----------
    value
        The point estimate.
    low, high
        The limits of the interval.
    n
        Sample size; 0 where none is given.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: Count = 0


class OutcomeCounts(msgspec.Struct, frozen=True):
    """How many trials ended in each outcome.

    Attributes
    ----------
    choice
        The model chose an option.
    refusal
        It refused.
    abstention
        It answered and would not choose.
    unparseable
        The reply could not be read.
    truncated
        The reply was cut off.
    error
        The provider failed.
    """

    choice: Count
    refusal: Count
    abstention: Count
    unparseable: Count
    truncated: Count
    error: Count

    @property
    def missing(self) -> dict[str, int]:
        """Outcome -> number of trials, of those that are no choice and occur.

        Examples
        --------
        >>> OutcomeCounts(choice=7, refusal=2, abstention=0, unparseable=1, truncated=0, error=0).missing
        {'refusal': 2, 'unparseable': 1}
        """
        return {name: count for name, count in msgspec.structs.asdict(self).items() if name != "choice" and count}


class RefusalRecord(msgspec.Struct, frozen=True):
    """A refused attempt.

    Attributes
    ----------
    key
        The line of the cassette that holds the transcript.
    entities
        Ids of the entities that it was about.
    reason
        Why it was refused.
    text
        The reply, clipped.
    """

    key: str
    entities: list[str]
    reason: str
    text: str


class ThresholdRecord(msgspec.Struct, frozen=True):
    """What a sequential study compared its estimates with.

    Attributes
    ----------
    margin
        The claim's threshold.
    error_rate
        Error rate of the claim.
    gate
        Whether the claim is a gate.
    """

    margin: float
    error_rate: float
    gate: bool


class StoppingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where the asking ended, if the answers decided that.

    Attributes
    ----------
    ended
        How: hopeless, where a claim cannot be supported any more; open, where all was asked and not all is decided.
    because
        Ids of the entities that ended it.
    look, looks
        The interim analysis at which it ended, and how many were planned.
    asked, planned
        Numbers of questions.
    decided
        Entity id -> the interim analysis that decided its claims; 0 where none did.
    thresholds
        What the claims were compared with.
    said
        The same in words.
    fractions
        Of reading and agents: which part of the questions, or tasks, each interim analysis had.
    top, bottom
        Ids of the entities compared.
    """

    ended: Literal["supported", "refuted", "hopeless", "open"]
    because: list[str]
    look: Count
    looks: Count
    asked: Count
    planned: Count
    decided: dict[str, Count]
    thresholds: list[ThresholdRecord] = msgspec.field(name="bounds")
    said: str
    fractions: list[Annotated[float, Meta(gt=0, le=1)]] = []
    top: list[str] = []
    bottom: list[str] = []


class ServedRecord(msgspec.Struct, frozen=True):
    """What the provider says of the model that answered.

    Attributes
    ----------
    model
        Its name there, often with a date; empty where only the fingerprint is told.
    fingerprint
        Of the version, as OpenAI's ``system_fingerprint``; empty where none is told.
    replies
        How many replies it gave.
    """

    model: str
    fingerprint: str
    replies: Count


class DaysRecord(msgspec.Struct, frozen=True):
    """When answers were recorded.

    Attributes
    ----------
    first, last
        Days, UTC, as YYYY-MM-DD.
    """

    first: str
    last: str


class Diagnostics(msgspec.Struct, frozen=True, kw_only=True):
    """The checks of a measure that reports and comparisons read; a measure may add its own.

    Attributes
    ----------
    trials
        Number of trials about entities.
    outcomes, outcomes_by_entity
        How they ended, in all and for each entity.
    coverage
        Share of trials with a choice.
    answered_by
        How answers were read -> number of trials.
    attempts
        Number of replies.
    prompt_tokens, completion_tokens
        Tokens of all attempts.
    cost
        US dollars, where the price is known.
    unpriced
        Replies of unknown price.
    judged
        Replies that a judge decided on.
    parameters
        Parameters that were sent, each set with the number of its replies.
    served
        Which models answered, as far as the provider says.
    recorded
        When the answers were recorded; null where a simulated model gave them in the run.
    reliability
        Split-half reliability; null where it cannot be estimated.
    position_bias, label_bias
        Share of choices of the option shown first, and of label A.
    decided_pairs
        Share of pairs decided alike in both orders.
    elo_sd
        Standard deviation of the entities' Elo.
    controls
        The measure under each control, by name.
    refusals
        The refused attempts.
    stopping
        Where the asking ended, if the answers decided that.
    unit
        What the values are measured in; empty where the measure's own is meant.
    """

    trials: Count
    outcomes: OutcomeCounts
    outcomes_by_entity: dict[str, OutcomeCounts]
    coverage: Share
    answered_by: Annotated[
        dict[AnsweredBy, Count], Meta(extra_json_schema={"propertyNames": {"enum": ["text", "logprobs"]}})
    ]
    attempts: Count = 0
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cost: Annotated[float, Meta(ge=0)] | None = None
    unpriced: Count = 0
    judged: Count = 0
    parameters: list[dict[str, Any]] = []
    served: list[ServedRecord] = []
    recorded: DaysRecord | None = None
    reliability: ShareRecord | None = None
    position_bias: ShareRecord | None = None
    label_bias: ShareRecord | None = None
    decided_pairs: ShareRecord | None = None
    elo_sd: float | None = None
    controls: dict[str, ShareRecord] = {}
    refusals: list[RefusalRecord] = []
    stopping: StoppingRecord | None = None
    unit: str = ""


class TrialColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of one length, a trial in each place, in the order of the plan, the control's last.

    Attributes
    ----------
    control
        Whether it belongs to the control.
    key
        Of the last attempt: the line of the cassette that holds the transcript.
    entities
        Ids, in the order in which they were shown.
    outcome
        How the last attempt ended.
    attempts
        Number of attempts.
    course
        First letter of the outcome of each attempt.
    score
        What the answer counts.
    first_is_a
        Whether the entity shown first has label A.
    wording, repetition
        Numbers of the wording and of the repetition.
    question
        Of a yes/no question: its id.
    framing
        Of a yes/no question: entity, or the name of a control.
    correct
        Of a yes/no question: whether the answer is right; null without one.
    text
        Of the last attempt, clipped.
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


class MeasureRecord(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A measure of one model.

    Attributes
    ----------
    entities
        Entity id -> estimate.
    control
        The same where no entity is named; null where there is no control.
    diagnostics
        Counts and checks; which of them there are depends on the measure.
    valid, reasons
        Whether it passed its checks, and why not.
    unranked
        Why the values do not order the entities, though each stands for itself.
    early
        Why what is computed from the trials may not be claimed, apart from the values themselves.
    trials
        The trials by column; empty in files that hold none.
    """

    entities: dict[str, EstimateRecord]
    control: EstimateRecord | None
    diagnostics: Annotated[dict[str, Any], refers_to("Diagnostics")]
    valid: bool
    reasons: list[str]
    unranked: list[str] = []
    early: list[str] = []
    trials: Annotated[dict[str, list[Any]], refers_to("TrialColumns")] = {}

    @cached_property
    def checks(self) -> Diagnostics:
        """The diagnostics that every measure may have, typed."""
        return msgspec.convert(self.diagnostics, Diagnostics)

    @cached_property
    def columns(self) -> TrialColumns | None:
        """The columns of trials that every measure may have, typed; ``None`` in files that hold no trials."""
        return msgspec.convert(self.trials, TrialColumns) if self.trials else None
