"""How far one entity departs from what all others predict for it."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from pytest_llmpref.estimates import Estimate, Normal
from pytest_llmpref.stats.comparisons import FloatArray

_ONE_SIGMA = 0.6826894921370859
"""Level of the interval that reaches one standard error to each side."""


class HasEstimates(Protocol):
    """A measure: an estimate for each entity, and the reasons why it is invalid, if it is."""

    @property
    def name(self) -> str:
        """Name of the measure."""
        ...

    @property
    def estimates(self) -> Mapping[str, Estimate]:
        """Entity id -> estimate."""
        ...

    @property
    def reasons(self) -> Sequence[str]:
        """Why the measure is invalid; empty where it is not."""
        ...


@lru_cache(maxsize=32)
def residuals(outcome: HasEstimates, predictor: HasEstimates) -> Mapping[str, Estimate]:
    """Return, for each entity, its outcome minus what a line through all *other* entities predicts for it.

    The line is fitted by least squares without the entity (a deleted residual, Cook and Weisberg 1982, section
    2.2.1). The entities are taken as given: with infinitely many trials, what remains is the entity's own. So the
    standard error adds the noise of the entity's outcome and predictor, and what the noise of the others does to the
    line at its place; how far these lie from the line is no noise.

    Parameters
    ----------
    outcome, predictor
        Measures of the same model; entities present in both are used.

    Returns
    -------
    Entity id -> estimate in units of the outcome; n is that of the entity's outcome.

    Raises
    ------
    ValueError
        If fewer than 4 entities are present in both.
    """
    ids = [entity for entity in outcome.estimates if entity in predictor.estimates]
    if len(ids) < 4:
        raise ValueError(f"residuals need at least 4 entities in both measures, and there are {len(ids)}")
    (y, y_error), (x, x_error) = _values(outcome, ids), _values(predictor, ids)
    found = {}
    for place, entity in enumerate(ids):
        value, error = _deleted(y, y_error, x, x_error, place)
        found[entity] = Estimate(
            value=value,
            n=outcome.estimates[entity].n,
            unit="trials",
            method="deleted residual of a least-squares line (Cook and Weisberg 1982)",
            interval_method=Normal(value, error),
            label=f"{outcome.name} of {entity} beyond what {predictor.name} predicts",
        ).marked([f"{measure.name}: {reason}" for measure in (outcome, predictor) for reason in measure.reasons])
    return found


def _deleted(y: FloatArray, y_error: FloatArray, x: FloatArray, x_error: FloatArray, place: int) -> tuple[float, float]:
    """Return one entity's deleted residual, and its standard error."""
    others = np.delete(np.arange(len(x)), place)
    xs, ys = x[others] - x[others].mean(), y[others]
    if not (spread := float(xs @ xs)):
        return math.nan, math.nan
    slope, offset = float(xs @ ys) / spread, float(x[place] - x[others].mean())
    value = float(y[place] - ys.mean() - slope * offset)
    noise = y_error**2 + (slope * x_error) ** 2
    weights = 1 / len(others) + offset * xs / spread
    return value, math.sqrt(noise[place] + float(weights**2 @ noise[others]))


def _values(measure: HasEstimates, ids: list[str]) -> tuple[FloatArray, FloatArray]:
    estimates = [measure.estimates[entity] for entity in ids]
    intervals = [estimate.interval(_ONE_SIGMA) for estimate in estimates]
    errors = [(interval.high - interval.low) / 2 for interval in intervals]
    return np.array([estimate.value for estimate in estimates]), np.array(errors)
