"""The checks of a measure as results.json holds them: how its trials ended, who answered, what biases it has."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
AnsweredBy = Literal["text", "logprobs"]


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
        Error rate of the family of claims; that of each of them, where it is a gate.
    gate
        Whether the claim is a gate.
    family
        Number of claims in the family. In files that do not say, the error rate is that of one claim.
    """

    margin: float
    error_rate: float
    gate: bool
    family: Annotated[int, Meta(ge=1)] = 1


class GeneralizabilityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How far the strengths of a measure of pairs hold in other formats: a generalizability study (Brennan 2001).

    Attributes
    ----------
    entity_sd
        Standard deviation, in log-odds, of the strengths that hold in all formats.
    facet_sd
        Facet -> standard deviation of what entities gain in one of its levels.
    residual_sd
        Standard deviation of a single answer about all of these.
    coefficient
        Generalizability coefficient: the part of the variance of the measured strengths that holds in all formats.
    one_format
        The same of strengths in a single format, free of noise; null where nothing holds, and nothing is gained.
    swaps
        Facet -> correlation, free of noise, of strengths in one of its levels with those in another.
    needed
        Least correlation of a valid measure, across label and position.
    """

    entity_sd: float
    facet_sd: dict[str, float]
    residual_sd: float
    coefficient: ShareRecord
    one_format: float | None
    swaps: dict[str, ShareRecord]
    needed: float


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


class BatchesRecord(msgspec.Struct, frozen=True):
    """Replies that the provider's batch API brought.

    Attributes
    ----------
    replies
        How many.
    jobs
        The provider's ids of the jobs.
    """

    replies: Count
    jobs: list[str]


class CanaryRecord(msgspec.Struct, frozen=True):
    """Recorded questions that were asked again.

    Attributes
    ----------
    questions
        How many.
    differing
        Those to which not all answers, old and new, are the same.
    p
        Of: the answers have the distribution that was recorded.
    """

    questions: Count
    differing: Count
    p: Share


class ReadersRecord(msgspec.Struct, frozen=True):
    """How often imported data and our reader say the same of a reply.

    Attributes
    ----------
    both
        Replies of which both say how they ended.
    same
        Those of which they say the same.
    read_by
        Which of them holds: ``given`` or ``rules``.
    """

    both: Count
    same: Count
    read_by: str


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
    batches
        The answers that came in batches, at the price of batches; null where none did.
    recorded
        When the answers were recorded; null where a simulated model gave them in the run.
    canary
        The model's recorded questions that were asked again in this run; null where none were.
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
    generalizability
        How far strengths hold in other formats; null where that cannot be estimated.
    design
        Version of the design of questions about pairs; 0 where there are none.
    untestable
        Checks that imported data do not support, in words: they were not passed.
    readers
        How far imported data and our reader agree; null where none of the replies has a text and an outcome.
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
    batches: BatchesRecord | None = None
    recorded: DaysRecord | None = None
    canary: CanaryRecord | None = None
    reliability: ShareRecord | None = None
    position_bias: ShareRecord | None = None
    label_bias: ShareRecord | None = None
    decided_pairs: ShareRecord | None = None
    elo_sd: float | None = None
    controls: dict[str, ShareRecord] = {}
    refusals: list[RefusalRecord] = []
    stopping: StoppingRecord | None = None
    unit: str = ""
    generalizability: GeneralizabilityRecord | None = None
    design: Count = 0
    untestable: list[str] = []
    readers: ReadersRecord | None = None
