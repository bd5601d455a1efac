"""How far one entity departs from what all others predict for it."""

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from pytest_llmpref.claims.estimates import Estimate, Normal
from pytest_llmpref.stats.noise import HasEstimates, Noisy


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
    y, x = Noisy.of(outcome, ids), Noisy.of(predictor, ids)
    found = {}
    for place, entity in enumerate(ids):
        value, error, df = _deleted(y, x, place)
        found[entity] = Estimate(
            value=value,
            n=outcome.estimates[entity].n,
            unit="trials",
            method="deleted residual of a least-squares line (Cook and Weisberg 1982)",
            interval_method=Normal(value, error, df),
            label=f"{outcome.name} of {entity} beyond what {predictor.name} predicts",
        ).marked([f"{measure.name}: {reason}" for measure in (outcome, predictor) for reason in measure.reasons])
    return found


def _deleted(y: Noisy, x: Noisy, place: int) -> tuple[float, float, float]:
    """Return one entity's deleted residual, its standard error, and the degrees of freedom of that.

    These are Satterthwaite's (1946) for a sum of variances.
    """
    n = len(x.values)
    others = np.delete(np.arange(n), place)
    xs, ys = x.values[others] - x.values[others].mean(), y.values[others]
    if not (spread := float(xs @ xs)):
        return math.nan, math.nan, math.inf
    slope, offset = float(xs @ ys) / spread, float(x.values[place] - x.values[others].mean())
    value = float(y.values[place] - ys.mean() - slope * offset)
    weights = np.ones(n)
    weights[others] = 1 / len(others) + offset * xs / spread
    parts = np.r_[weights**2 * y.variances, weights**2 * slope**2 * x.variances]
    variance = float(parts.sum())
    uncertain = float(np.sum(parts**2 / np.r_[y.df, x.df]))
    return value, math.sqrt(variance), variance**2 / uncertain if uncertain > 0 else math.inf
