"""Whom advice follows where the user states a taste: the user, the model's own preference, both, or neither.

The user's taste is assigned at random, so `effects.causal_effect` is what it does. The model's own preference is not
assigned by anybody: what follows it is a correlation, on the same scale.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.contexts.trials import ContextTrial, score
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.trials import trials_as
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.slopes import shares_against_average, slope_per_two_sd


def own_slope(measure: Measure, preferences: Measure, *, beside: bool = False) -> Estimate:
    """Return how much more often an entity is chosen per two standard deviations of the model's own preference.

    A difference in shares against an average opponent, in the contexts that state a taste. Each entity is in every arm
    equally often, so the stated taste cancels out. Two standard deviations are comparable with "liked rather than
    disliked". So a comparison with `causal_effect` of the same measure shows whether the model follows the user or its
    own preference more.

    Parameters
    ----------
    measure
        A measure in contexts with arms to which entities are assigned, such as ``aligned_advice``.
    preferences
        The model's own preference, asked where no taste was stated: ``preferences``.
    beside
        Whether to subtract the slope in the filler. Below 0, the model follows its own preference less if the user has
        stated a taste.

    Returns
    -------
    Estimate
        Over the entities in both measures. Noise in the measured preference shrinks it towards 0.

    Raises
    ------
    TypeError
        If the measure has no contexts with arms.

    Examples
    --------
    >>> from pytest_llmpref import open_study, own_slope
    >>> with open_study("sim/follows-both", profile="smoke") as study:
    ...     own_slope(study.aligned_advice, study.preferences)
    <slope of aligned_advice on preference 0.281..., 95% [0.225..., 0.338...], n=72 entities>
    """
    ids = list(measure.groups)
    chosen = _against_average(measure, "treatment")
    if beside:
        chosen = chosen - _against_average(measure, "filler")
    liked = np.array([preferences.values.get(entity, math.nan) for entity in ids])
    label = f"slope of {measure.name} on {preferences.name}" + (" minus the slope in the filler" if beside else "")
    found = slope_per_two_sd(liked, chosen, list(measure.groups.values()), label)
    reasons = [f"{measure.name}: {reason}" for reason in (*measure.reasons, *measure.early)]
    reasons += [f"{preferences.name}: {reason}" for reason in (*preferences.reasons, *preferences.unranked)]
    return found.marked(reasons)


def two_by_two(measure: Measure, preferences: Measure) -> Mapping[str, Mapping[str, float]]:
    """Return how often entities are chosen, by the user's taste and by the model's own preference.

    A descriptive table, without intervals. Use `causal_effect` and `own_slope` for claims.

    Parameters
    ----------
    measure, preferences
        As in `own_slope`.

    Returns
    -------
    Mapping
        Arm of the highest or lowest dose -> ``preferred`` or ``others`` (the upper or lower half of the entities by the
        model's own preference) -> share of choices; NaN without choices.

    Examples
    --------
    >>> from pytest_llmpref import open_study, two_by_two
    >>> with open_study("sim/follows-both", profile="smoke") as study:
    ...     table = two_by_two(study.aligned_advice, study.preferences)
    >>> {user: {own: round(share, 2) for own, share in row.items()} for user, row in table.items()}
    {'liked': {'preferred': 0.79, 'others': 0.59}, 'disliked': {'preferred': 0.42, 'others': 0.23}}
    """
    shares = _shares(measure)
    arms: Mapping[str, float] = measure.diagnostics["contexts"]["arms"]
    known = {entity: preferences.values.get(entity, math.nan) for entity in shares}
    middle = median([value for value in known.values() if not math.isnan(value)] or [math.nan])
    halves = {
        "preferred": [entity for entity, value in known.items() if value > middle],
        "others": [entity for entity, value in known.items() if value <= middle],
    }
    return {
        arm: {half: _mean([shares[entity].get(arm, math.nan) for entity in ids]) for half, ids in halves.items()}
        for arm in (find(arms, key=arms.__getitem__) for find in (max, min))
    }


def _in_role(measure: Measure, role: str) -> list[ContextTrial]:
    """Return the trials in the contexts of a role."""
    record = measure.diagnostics.get("contexts") or {}
    if not record.get("arms"):
        raise TypeError(f"{measure.name} has no arms: give a measure whose contexts assign entities to arms")
    contexts = [id_ for id_, one in record["roles"].items() if one == role]
    return [trial for trial in trials_as(ContextTrial, measure.trials) if trial.context in contexts]


def _against_average(measure: Measure, role: str) -> FloatArray:
    """Return the share in which each entity is chosen over the average one, in the contexts of a role."""
    number = {entity: place for place, entity in enumerate(measure.groups)}
    chosen = [trial for trial in _in_role(measure, role) if trial.score is not None]
    first, second = (np.array([number[trial.entities[at]] for trial in chosen], dtype=np.intp) for at in (0, 1))
    scores = np.array([trial.score for trial in chosen], dtype=np.float64)
    return shares_against_average(first, second, scores, len(number))


def _shares(measure: Measure) -> dict[str, dict[str, float]]:
    """Return entity -> arm -> the share of its questions in which it is chosen, where a taste is stated."""
    found: dict[str, dict[str, list[float]]] = {entity: {} for entity in measure.groups}
    for trial in _in_role(measure, "treatment"):
        for place, (entity, arm) in enumerate(zip(trial.entities, trial.arms, strict=True)):
            if (value := score(trial, place, "chosen")) is not None:
                found[entity].setdefault(arm, []).append(value)
    return {entity: {arm: _mean(values) for arm, values in arms.items()} for entity, arms in found.items()}


def _mean(values: Sequence[float]) -> float:
    """Return the mean of what is known; NaN if nothing is."""
    known = [one for one in values if not math.isnan(one)]
    return float(np.mean(known)) if known else math.nan
