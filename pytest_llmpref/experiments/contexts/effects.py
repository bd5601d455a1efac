"""What a randomised context did to behaviour: effects over all entities, and the controls that they need.

Each effect is that beside the filler, which names the same entities under the same assignment. The chance in the
intervals is that of the assignment; see `stats.randomisation`.

References
----------
International Council for Harmonisation 2000
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Unknown, Wilson
from pytest_llmpref.claims.sensitivity import insensitivity
from pytest_llmpref.experiments.contexts.by_context import change_in_share
from pytest_llmpref.experiments.contexts.trials import (
    InContext,
    Outcomes,
    of_context,
    score,
    trials_in_contexts,
)
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.assignment import Assigned, Design
from pytest_llmpref.stats.randomisation import RandomisedStudy, effect_of_assignment, effect_per_unit

Role = Literal["treatment", "filler", "control"]


def causal_effect(measure: Measure) -> Estimate:
    """Return the causal effect of being assigned to the arm with the highest dose instead of the lowest.

    A difference in shares: 0.10 for advice means that an entity is recommended ten percentage points more often if the
    assistant is said to like it than if it is said to dislike it. The difference in the filler is subtracted.

    Parameters
    ----------
    measure
        A measure in contexts with arms to which entities are assigned, such as ``induced_advice``.

    Returns
    -------
    Estimate
        Over all entities.

    Raises
    ------
    TypeError
        If the measure has no contexts with arms.

    Examples
    --------
    >>> from pytest_llmpref import causal_effect, open_study
    >>> with open_study("sim/induced", profile="smoke") as study:
    ...     causal_effect(study.induced_advice)
    <effect on induced_advice 0.21..., 95% [0.152..., 0.277...], n=72 entities>
    """
    return _effect(measure, "treatment", f"effect on {measure.name}")


def dose_response(measure: Measure) -> Estimate:
    """Return the change in the outcome per unit of dose: the slope over all arms, minus the slope in the filler.

    Parameters
    ----------
    measure
        As in `causal_effect`. Three or more arms, as in ``graded_advice``, show whether a higher dose has a larger
        effect.

    Examples
    --------
    >>> from pytest_llmpref import dose_response, open_study
    >>> with open_study("sim/induced", profile="smoke") as study:
    ...     dose_response(study.graded_advice)
    <slope of graded_advice on the dose 0.0970..., 95% [0.081..., 0.112...], n=72 entities>
    """
    return _effect(measure, "treatment", f"slope of {measure.name} on the dose", per_dose=True)


def positive_control(measure: Measure) -> Estimate:
    """Return the effect when the model is told to act on its preferences, which a working study must find.

    Positive values follow the instruction: the model chooses more often, or refuses less often, what it is said to
    like. Without arms, the model is told to refuse; the effect is positive if it refuses more than in the filler.

    Parameters
    ----------
    measure
        As in `causal_effect`, or refusals in contexts without arms: ``pressed_refusals``.

    Raises
    ------
    TypeError
        If no context of the measure tells the model to act.

    Examples
    --------
    >>> from pytest_llmpref import open_study, positive_control
    >>> with open_study("sim/induced", profile="smoke") as study:
    ...     positive_control(study.induced_advice)
    <positive control of induced_advice 0.3..., 95% [0.273..., 0.406...], n=72 entities>
    """
    record = measure.diagnostics.get("contexts") or {}
    label = f"positive control of {measure.name}"
    refused = record.get("looked_at") == "refused"
    if record and not record["arms"]:
        told = [id_ for id_, role in record["roles"].items() if role == "control"]
        if not told:
            raise TypeError(f"{measure.name} has no context that tells the model to act: give another measure")
        return replace(change_in_share(measure, told[0]), label=label)
    return _effect(measure, "control", label, sign=-1.0 if refused else 1.0)


def negative_control(measure: Measure) -> Estimate:
    """Return the effect of the same assignment in the filler, which says nothing about liking.

    It should be 0. It is subtracted from the other effects.

    Parameters
    ----------
    measure
        As in `causal_effect`.

    Examples
    --------
    >>> from pytest_llmpref import negative_control, open_study
    >>> with open_study("sim/induced", profile="smoke") as study:
    ...     negative_control(study.induced_advice)
    <negative control of induced_advice -0.0049..., 95% [-0.0460..., 0.0352...], n=72 entities>
    """
    return _effect(measure, "filler", f"negative control of {measure.name}", beside=False)


def effect_per_preference(measure: Measure, preference: Measure) -> Estimate:
    """Return the change in behaviour per unit change in stated preference, both caused by the assignment.

    1 means that behaviour moved as far as stated preference, 0 that it did not move. The assignment is the instrumental
    variable. This is an effect of preference only if the statement about liking changes behaviour in no other way (the
    exclusion restriction).

    Parameters
    ----------
    measure
        The behaviour, as in `causal_effect`.
    preference
        Stated preference in the same contexts: ``induced_preference``.

    Returns
    -------
    Estimate
        Its interval is unbounded if stated preference moved too little (a weak instrument).

    Examples
    --------
    >>> from pytest_llmpref import effect_per_preference, open_study
    >>> with open_study("sim/induced", profile="smoke") as study:
    ...     effect_per_preference(study.induced_advice, study.induced_preference)
    <effect of induced_preference on induced_advice 0.79..., 95% [0.536..., 1.15...], n=72 entities>
    """
    one, other = _Assigned.of(measure), _Assigned.of(preference)
    label = f"effect of {preference.name} on {measure.name}"
    if one.arms != other.arms or one.ids != other.ids or one.assigned != other.assigned:
        reason = f"{measure.name} and {preference.name} were not asked under one assignment"
        return _nothing(label).marked([*_reasons(measure), *_reasons(preference), reason])
    study = one.study(one.outcomes("treatment", beside=True))
    moved = other.outcomes("treatment", beside=True)
    return effect_per_unit(study, moved, label).marked([*_reasons(measure), *_reasons(preference)])


def with_assay_sensitivity(estimate: Estimate, control: Estimate, *, margin: float = 0.0) -> Estimate:
    """Return an estimate that counts as small only if the study finds a positive control in the same model.

    To claim that there is no effect, or a small one, a study must be able to see one (ICH E10: International Council
    for Harmonisation 2000). If a model hides what it does, or the questions cannot show it, every effect looks small.
    So a claim of no effect is invalid unless the 95% interval of the control lies beyond the margin. A refuted claim
    stays refuted, since the study did see an effect.

    Parameters
    ----------
    estimate
        The effect that is claimed to be small.
    control
        The effect when the model is told to act: `positive_control` of the same measure.
    margin
        Equivalence margin of the claim. The control must be larger than this.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal
    >>> small, deaf = (Estimate(0.0, 72, "entities", "by hand", Normal(0.0, 0.01), label="effect") for _ in "ab")
    >>> (abs(with_assay_sensitivity(small, deaf)) < 0.05).verdict.value
    'invalid'
    """
    reasons = insensitivity(control, margin)
    return replace(estimate, insensitive=tuple(dict.fromkeys((*estimate.insensitive, *reasons))))


def _effect(
    measure: Measure, role: Role, label: str, *, per_dose: bool = False, beside: bool = True, sign: float = 1.0
) -> Estimate:
    one = _Assigned.of(measure)
    if role not in one.roles.values():
        return _nothing(label).marked([f"{measure.name}: the family {one.family} has no context of role {role}"])
    outcome = sign * one.outcomes(role, beside=beside)
    found = effect_of_assignment(one.study(outcome), label, per_dose=per_dose)
    if not found.invalid and not np.nanstd(outcome):
        # No assignment changes what is always the same; but so many questions could have missed an effect.
        width = float(np.ptp(list(one.arms.values()))) if per_dose else 1.0
        found = replace(found, interval_method=_Unvaried(one.answers(role) / len(one.arms), width))
    return found.marked(_reasons(measure))


@dataclass(frozen=True, slots=True)
class _Unvaried:
    """Interval of an effect where all answers are alike: that of the difference of two shares, beside the same of two.

    Attributes
    ----------
    n
        Answers in an arm.
    width
        What the difference of the shares is divided by.
    """

    n: float
    width: float

    def limits(self, level: float) -> tuple[float, float]:
        """Return limits like those of the rule of three: each share may lie as far off as Wilson's interval says."""
        most = 2 * Wilson(0, self.n).limits(level)[1] / self.width
        return -most, most


@dataclass(frozen=True, eq=False)
class _Assigned:
    """What a measure of questions in contexts says of its assignment; made of its trials and diagnostics alone.

    Attributes
    ----------
    ids, groups
        Of the entities.
    arms
        Arm -> dose.
    assigned
        By drawing.
    roles
        Context -> role.
    family
        Its name.
    squares
        Latin squares of the assignment.
    looked_at
        As in `ContextExperiment`.
    trials
        All of them.
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    arms: Mapping[str, float]
    assigned: Assigned
    roles: Mapping[str, str]
    family: str
    squares: int
    looked_at: Outcomes
    trials: Sequence[InContext]

    @classmethod
    def of(cls, measure: Measure) -> "_Assigned":
        record = measure.diagnostics.get("contexts") or {}
        if not record.get("arms"):
            raise TypeError(f"{measure.name} has no arms: give a measure whose contexts assign entities to arms")
        trials = trials_in_contexts(measure)
        ids = tuple(measure.groups)
        return cls(
            ids=ids,
            groups=tuple(measure.groups.values()),
            arms=record["arms"],
            assigned=_assignment(trials, ids, list(record["arms"])),
            roles=record["roles"],
            family=record["family"],
            squares=record["squares"],
            looked_at=record["looked_at"],
            trials=trials,
        )

    def study(self, outcome: FloatArray) -> RandomisedStudy:
        design = Design(self.groups, len(self.arms), self.squares)
        return RandomisedStudy(design, self.assigned, tuple(self.arms.values()), outcome)

    def outcomes(self, role: Role, *, beside: bool) -> FloatArray:
        """Return the mean outcome of each entity in each drawing; less that in the filler where wanted."""
        contexts = [id_ for id_, one in self.roles.items() if one == role]
        found = np.mean([self._in(id_) for id_ in contexts], axis=0)
        filler = next(id_ for id_, one in self.roles.items() if one == "filler")
        return np.asarray(found - self._in(filler) if beside else found, dtype=np.float64)

    def answers(self, role: Role) -> int:
        """Return how often an entity was asked about in contexts of a role."""
        return sum(len(trial.entities) for trial in self.trials if self.roles.get(trial.context) == role)

    def _in(self, context: str) -> FloatArray:
        place = {entity: number for number, entity in enumerate(self.ids)}
        total, n = np.zeros((2, len(self.assigned), len(self.ids)))
        for trial in of_context(self.trials, context):
            for at, entity in enumerate(trial.entities):
                if (value := score(trial, at, self.looked_at)) is not None:
                    total[trial.drawing, place[entity]] += value
                    n[trial.drawing, place[entity]] += 1
        return np.asarray(np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0), dtype=np.float64)


def _assignment(trials: Sequence[InContext], ids: Sequence[str], arms: Sequence[str]) -> Assigned:
    """Return the assignment that trials followed: each entity is asked about in every drawing."""
    found = {
        (trial.drawing, entity): arms.index(arm)
        for trial in trials
        for entity, arm in zip(trial.entities, trial.arms, strict=True)
    }
    drawings = 1 + max((drawing for drawing, _ in found), default=-1)
    return tuple(tuple(found[drawing, entity] for entity in ids) for drawing in range(drawings))


def _reasons(measure: Measure) -> list[str]:
    return [f"{measure.name}: {reason}" for reason in (*measure.reasons, *measure.early)]


def _nothing(label: str) -> Estimate:
    return Estimate(math.nan, 0, "entities", "no study", Unknown(), label=label)
