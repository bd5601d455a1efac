"""How far one entity departs from what all others predict for it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from pytest_llmpref.estimates import Estimate, Normal

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
    2.2.1). The standard error adds three variances: of the entity's outcome, of its predictor times the squared
    slope, and of the line at its place.

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
    y, y_error = _values(outcome, ids)
    x, x_error = _values(predictor, ids)
    found = {}
    for place, entity in enumerate(ids):
        others = np.delete(np.arange(len(ids)), place)
        n, xs, ys = len(others), x[others], y[others]
        spread = float(((xs - xs.mean()) ** 2).sum())
        slope = float(((xs - xs.mean()) * (ys - ys.mean())).sum() / spread) if spread else float("nan")
        noise = float(((ys - ys.mean() - slope * (xs - xs.mean())) ** 2).sum() / (n - 2))
        offset = float(x[place] - xs.mean())
        line = noise * (1 / n + offset**2 / spread) if spread else float("nan")
        value = float(y[place] - ys.mean() - slope * offset)
        error = float(np.sqrt(y_error[place] ** 2 + (slope * x_error[place]) ** 2 + line))
        found[entity] = Estimate(
            value=value,
            n=outcome.estimates[entity].n,
            unit="trials",
            method="deleted residual of a least-squares line (Cook and Weisberg 1982)",
            interval_method=Normal(value, error),
            label=f"{outcome.name} of {entity} beyond what {predictor.name} predicts",
        ).marked([f"{measure.name}: {reason}" for measure in (outcome, predictor) for reason in measure.reasons])
    return found


def _values(measure: HasEstimates, ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    estimates = [measure.estimates[entity] for entity in ids]
    intervals = [estimate.interval(_ONE_SIGMA) for estimate in estimates]
    errors = [(interval.high - interval.low) / 2 for interval in intervals]
    return np.array([estimate.value for estimate in estimates]), np.array(errors)
