"""A comparison of two releases as results.json holds it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pytest_llmpref.claims.gates import function_of
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.results.diagnostics import Count, Share


class ComparedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate from both releases, with its 95% interval.

    Attributes
    ----------
    value
        The point estimate; null if there is none.
    low, high
        The limits of the interval.
    n
        Sample size.
    unit
        What ``n`` counts.
    reasons
        Why its measurement is invalid.
    """

    value: float | None
    low: float | None
    high: float | None
    n: Count
    unit: str = ""
    reasons: list[str] = []


class DifferenceRecord(ComparedRecord, frozen=True, kw_only=True):
    """New minus old, with its 95% interval.

    Attributes
    ----------
    new, old
        Values in both releases, from what they have in common; null if there is none.
    correlation
        Correlation of their sampling errors.
    """

    new: float | None = None
    old: float | None = None
    correlation: float | None = None


class ChangeRecord(DifferenceRecord, frozen=True, kw_only=True):
    """New minus old, tested.

    Attributes
    ----------
    reasons
        Why a release's value is invalid, in addition to the reasons of the whole measure.
    p
        p-value of no change; null if nothing is tested because a release's value is invalid.
    p_holm
        The p-value after Holm's correction over the family.
    moved
        Whether the corrected p-value is significant at ``alpha``.
    """

    p: Share | None
    p_holm: Share | None = None
    moved: bool


class QuestionsRecord(msgspec.Struct, frozen=True):
    """Numbers of questions that both releases, or only one of them, were asked.

    Attributes
    ----------
    both
        Number in both.
    old_only, new_only
        Number in only one of them.
    """

    both: Count
    old_only: Count
    new_only: Count


class EntitiesRecord(msgspec.Struct, frozen=True):
    """Entities that take part in both releases, or in only one of them.

    Attributes
    ----------
    both
        How many are in both.
    old_only, new_only
        Ids of the others.
    """

    both: Count
    old_only: list[str]
    new_only: list[str]


class ValidSides(msgspec.Struct, frozen=True):
    """Whether a measure passed its checks.

    Attributes
    ----------
    old, new
        In the last release, and in the new one.
    """

    old: bool
    new: bool


class MeasureComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One measure in both releases.

    Attributes
    ----------
    questions, entities
        What both have in common.
    valid
        Whether it passed its checks.
    reasons
        Why nothing is tested; empty if the measure is tested.
    agreement
        Spearman's rho between the values of the two releases.
    control
        Change in the control; null if there is none.
    changes
        Entity id -> change.
    """

    questions: QuestionsRecord
    entities: EntitiesRecord
    valid: ValidSides | None = None
    reasons: list[str]
    agreement: ComparedRecord
    control: DifferenceRecord | None = None
    changes: dict[str, ChangeRecord]


class VerdictSide(msgspec.Struct, frozen=True):
    """A verdict in one release.

    Attributes
    ----------
    verdict
        The verdict.
    value
        The value on which it rests; null if there is none.
    threshold
        The threshold with which the value is compared.
    """

    verdict: Verdict
    value: float | None
    threshold: float = msgspec.field(name="bound")


class VerdictChange(msgspec.Struct, frozen=True):
    """A claim whose verdict changed.

    Attributes
    ----------
    nodeid
        Node id of the test, in the new release.
    entity
        Id of the entity that the claim is about; null if it is about the model as a whole.
    gate
        Whether the test is a gate.
    old, new
        The verdicts.
    worse
        Whether the new one is worse.
    """

    nodeid: str
    entity: str | None
    gate: bool
    old: VerdictSide
    new: VerdictSide
    worse: bool

    @property
    def function(self) -> str:
        """Name of the test function."""
        return function_of(self.nodeid).rpartition("::")[2]


class ThresholdChange(msgspec.Struct, frozen=True):
    """A claim whose threshold changed.

    Attributes
    ----------
    nodeid
        Node id of the test, in the new release.
    old, new
        The thresholds.
    """

    nodeid: str
    old: float
    new: float


class ClaimsComparison(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of both releases.

    Attributes
    ----------
    both
        How many are in both.
    changed
        Claims whose verdicts changed; changes for the worse come first.
    thresholds
        Claims whose thresholds changed.
    old_only, new_only
        Node ids of claims in only one release.
    """

    both: Count
    changed: list[VerdictChange]
    thresholds: list[ThresholdChange] = msgspec.field(name="bounds")
    old_only: list[str]
    new_only: list[str]


class AnsweredSides(msgspec.Struct, frozen=True):
    """Who answered, and when, in words; empty if unknown.

    Attributes
    ----------
    old, new
        In the last release, and in the new one.
    """

    old: str
    new: str


class ModelComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One model in both releases.

    Attributes
    ----------
    old
        Its name in the last release.
    simulated
        Whether it is a simulated model in either.
    organism
        Whether it is a model organism in either: a real model into which its preferences were trained.
    measures
        Measures of both releases, by name.
    measures_old_only, measures_new_only
        Names of the others.
    overall
        Measure -> change in its mean over all questions.
    rho
        Measure -> change in its correlation with preference.
    claims
        The claims.
    changed
        Whether anything changed beyond sampling noise, or a verdict.
    answered
        Who answered, and when, if that is known.
    """

    old: str
    simulated: bool
    organism: bool = False
    measures: dict[str, MeasureComparison]
    measures_old_only: list[str]
    measures_new_only: list[str]
    overall: dict[str, ChangeRecord]
    rho: dict[str, ChangeRecord]
    claims: ClaimsComparison
    changed: bool
    answered: AnsweredSides | None = None


class RunSide(msgspec.Struct, frozen=True):
    """The run of one release.

    Attributes
    ----------
    began
        When.
    profile
        Name of the profile.
    entities
        Name of the entity set.
    control
        The negative control that the run was, if it was one.
    """

    began: str
    profile: str
    entities: str
    control: Literal["none", "permuted-entities", "fictitious-entities"] = "none"


class ComparisonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of a run with the last release.

    Attributes
    ----------
    old, new
        The runs.
    alpha
        Error rate of each family of changes.
    models
        Models in both runs, by their name in the new one.
    old_only, new_only
        Names of the others.
    changed
        Whether anything changed beyond sampling noise, or a verdict.
    baseline
        The file of the last release.
    """

    old: RunSide
    new: RunSide
    alpha: Annotated[float, Meta(gt=0, le=1)]
    models: dict[str, ModelComparison]
    old_only: list[str]
    new_only: list[str]
    changed: bool
    baseline: str = ""
