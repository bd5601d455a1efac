"""The checks of a measure as results.json holds them: how its trials ended, who answered, what biases it has."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
AnsweredBy = Literal["text", "logprobs"]


class ShareRecord(msgspec.Struct, frozen=True):
    """A diagnostic with its 95% interval, if it has one.

    Attributes
    ----------
    value
        The point estimate.
    low, high
        The limits of the interval.
    n
        Sample size; 0 if none is given.
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
        It answered, but did not choose.
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
        Key of the line in the cassette that holds the transcript.
    entities
        Ids of the entities in the question.
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
    """A threshold that stopped, or could have stopped, a sequential study.

    Attributes
    ----------
    margin
        The claim's threshold.
    error_rate
        Error rate of the family of claims, or of each claim if it is a gate.
    gate
        Whether the claim is a gate.
    family
        Number of claims in the family. If it is missing, as in older files, the error rate is for one claim.
    """

    margin: float
    error_rate: float
    gate: bool
    family: Annotated[int, Meta(ge=1)] = 1


class GeneralizabilityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How well a pair measure's strengths generalise to other formats: a generalizability study (Brennan 2001).

    Attributes
    ----------
    entity_sd
        Standard deviation, in log-odds, of the strengths that hold in all formats.
    facet_sd
        Facet -> standard deviation, in log-odds, of the entities' interaction with it: what they gain at one of its
        levels.
    residual_sd
        Residual standard deviation of a single answer, in log-odds.
    coefficient
        Generalizability coefficient: the share of the variance in measured strengths that holds in all formats.
    one_format
        The same for strengths in a single format, without noise; null if all these variances are 0.
    swaps
        Facet -> correlation, without noise, between the strengths at two of its levels.
    needed
        Smallest correlation across label and position at which a measure is valid.
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
        Why it stopped: ``supported`` or ``refuted``; ``hopeless`` if a claim cannot be supported any more (futility);
        ``open`` if the plan ended before all claims were decided.
    because
        Ids of the entities whose claims stopped it.
    look, looks
        Number of the interim analysis at which it stopped, and number planned.
    asked, planned
        Number of questions asked, and number planned.
    decided
        Entity id -> number of the interim analysis that decided its claims; 0 if none did.
    thresholds
        Thresholds of the claims.
    said
        The same in words.
    fractions
        For reading and agents: fraction of the questions or tasks in each interim analysis.
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
    """The provider's statement of which model answered.

    Attributes
    ----------
    model
        The provider's name for it, often with a date; empty if only the fingerprint is given.
    fingerprint
        Fingerprint of the version, such as OpenAI's ``system_fingerprint``; empty if none is given.
    replies
        Number of its replies.
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
    """Replies from the provider's batch API.

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
        Number of questions whose old and new answers are not all the same.
    p
        p-value of the hypothesis that the new answers follow the recorded distribution.
    """

    questions: Count
    differing: Count
    p: Share


class ReadersRecord(msgspec.Struct, frozen=True):
    """How often imported data and our reader agree on a reply.

    Attributes
    ----------
    both
        Number of replies with an outcome from both.
    same
        Number of replies on which they agree.
    read_by
        Whose outcome counts: ``given`` in the data, or ``rules`` of our reader.
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
        Outcomes of the trials, overall and for each entity.
    coverage
        Share of trials with a choice.
    answered_by
        How answers were read -> number of trials.
    attempts
        Number of replies.
    prompt_tokens, completion_tokens
        Tokens of all attempts.
    cost
        Cost in US dollars, as far as prices are known.
    unpriced
        Number of replies with an unknown price.
    judged
        Number of replies that a judge decided.
    parameters
        Parameters that were sent, with the number of replies for each set.
    served
        Which models answered, according to the provider.
    batches
        The answers that came in batches, at the batch price; null if none did.
    recorded
        When the answers were recorded; null if a simulated model gave them in the run.
    canary
        The model's recorded questions that were asked again in this run; null if none were.
    reliability
        Split-half reliability; null if it cannot be estimated.
    position_bias, label_bias
        Share of choices that fall on the option shown first, and on label A.
    decided_pairs
        Share of pairs decided alike in both orders.
    elo_sd
        Standard deviation of the entities' Elo.
    controls
        The measure under each control, by name.
    refusals, control_refusals
        The refused attempts at questions about entities, and at those of the control.
    stopping
        Where the asking ended, if the answers decided that.
    unit
        Unit of the values; empty for the measure's usual unit.
    generalizability
        How well strengths generalise to other formats; null if that cannot be estimated.
    design
        Version of the design of questions about pairs; 0 without such questions.
    untestable
        Checks that imported data do not allow, in words. They were not passed.
    readers
        Agreement between imported data and our reader; null if no reply has both a text and an outcome.
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
    control_refusals: list[RefusalRecord] = []
    stopping: StoppingRecord | None = None
    unit: str = ""
    generalizability: GeneralizabilityRecord | None = None
    design: Count = 0
    untestable: list[str] = []
    readers: ReadersRecord | None = None
