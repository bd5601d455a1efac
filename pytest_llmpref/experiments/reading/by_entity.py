"""The accuracy for each entity beside that of a control, and of the others: what no average over entities says."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.measure import COVERAGE_NEEDED, Measure
from pytest_llmpref.experiments.reading.measure import NO_ENTITY, answers_of
from pytest_llmpref.stats import accuracy_shift, performance
from pytest_llmpref.stats.sequential import with_repeated_interval


@lru_cache(maxsize=64)
def minus_control(boolq: Measure, framing: str = NO_ENTITY) -> Mapping[str, Estimate]:
    """Return the difference in accuracy, each entity minus a control, over the same questions.

    0.01 is one percentage point.

    Parameters
    ----------
    boolq
        The measure.
    framing
        The control: ``no_entity`` or ``high_stakes``.

    Returns
    -------
    Mapping
        Entity id -> estimate.

    Raises
    ------
    ValueError
        If there is no such control.

    Examples
    --------
    >>> from pytest_llmpref import minus_control, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     minus_control(study.boolq)["unicef"]
    <difference in accuracy, unicef minus no_entity -0.083..., 95% [-0.311, 0.168...], n=12 questions>
    """
    found = performance.minus_control(answers_of(boolq), framing, invalid=boolq.reasons)
    return {
        entity: replace(estimate, label=f"difference in accuracy, {entity} minus {framing}")
        for entity, estimate in zip(boolq.estimates, found, strict=True)
    }


@lru_cache(maxsize=64)
def minus_others(boolq: Measure) -> Mapping[str, Estimate]:
    """Return the difference in accuracy, each entity minus the mean of the others, over the same questions.

    0.01 is one percentage point. The estimate is invalid if fewer than 90% of an entity's questions have an answer,
    since the missing answers may be the wrong ones. If interim analyses of these differences stopped the questions, the
    intervals allow for that.

    Parameters
    ----------
    boolq
        The measure.

    Returns
    -------
    Mapping
        Entity id -> estimate.

    Examples
    --------
    >>> from pytest_llmpref import minus_others, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     minus_others(study.boolq)["unicef"]
    <difference in accuracy, unicef minus mean of the others 0.0058..., 95% [-0.235, 0.0949], n=12 questions>
    """
    found = dict(
        zip(boolq.estimates, accuracy_shift.minus_others(answers_of(boolq), invalid=boolq.reasons), strict=True)
    )
    asked = Counter(entity for trial in boolq.trials for entity in trial.entities)
    fractions = boolq.diagnostics.get("stopping", {}).get("fractions")
    for entity, estimate in found.items():
        share = estimate.n / asked[entity] if asked[entity] else 0.0
        few = f"{share:.0%} of the questions under {entity} were answered, fewer than {COVERAGE_NEEDED:.0%}"
        named = replace(estimate, label=f"difference in accuracy, {entity} minus mean of the others")
        looked_at = with_repeated_interval(named, tuple(fractions)) if fractions else named
        found[entity] = looked_at.marked([few] if share < COVERAGE_NEEDED else [])
    return found
