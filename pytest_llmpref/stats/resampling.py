"""A statistic of a user's own over the entities of several measures, with an interval by resampling entities."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Unknown
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.association import HasValues

RESAMPLES = 5_000
"""Bootstrap samples; enough for the tails of an interval that is corrected for some 20 claims."""
FEWEST = 8
"""Fewest entities: of fewer, samples repeat each other too often to stand for new ones. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Bias-corrected and accelerated interval (BCa, Efron 1987) by `scipy.stats.bootstrap`, entities resampled.

    Attributes
    ----------
    statistic
        Takes one vector for each measure, entities in the same order.
    values
        The vectors.
    seed
        Of the resampling.
    """

    statistic: Callable[..., float]
    values: tuple[FloatArray, ...] = field(repr=False)
    seed: int = 0

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval; NaN where the statistic does not vary over the samples."""
        return _limits(self, level)


@lru_cache(maxsize=256)
def _limits(method: Bootstrap, level: float) -> tuple[float, float]:
    from scipy import stats  # noqa: PLC0415 - slow to import, and needed by few

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that all samples are alike is said by the interval, which is NaN
        found = stats.bootstrap(
            method.values,
            lambda *columns: float(method.statistic(*columns)),
            n_resamples=RESAMPLES,
            paired=True,
            vectorized=False,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(method.seed),
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def over_entities(statistic: Callable[..., float], *measures: HasValues, label: str = "", seed: int = 0) -> Estimate:
    """Return a statistic of your own over the entities that have a value in every measure.

    The interval treats the entities as a sample of their kind, as that of `spearman` does, and what is claimed about
    the estimate becomes a verdict like any other. Reasons for which a measure is invalid pass on.

    Parameters
    ----------
    statistic
        Takes one numpy vector for each measure, and returns a number.
    measures
        What it is of.
    label
        What it is called in reports; the function's name, and the measures', unless given.
    seed
        Of the resampling.
    """
    columns = [measure.values for measure in measures]
    shared = [entity for entity in columns[0] if all(not math.isnan(one.get(entity, math.nan)) for one in columns)]
    values = tuple(np.array([one[entity] for entity in shared], dtype=np.float64) for one in columns)
    reasons = [f"{measure.name}: {reason}" for measure in measures for reason in (*measure.reasons, *measure.unranked)]
    enough = len(shared) >= FEWEST
    if not enough:
        reasons.append(f"{len(shared)} entities with a value in each measure are too few: resampling needs {FEWEST}")
    name = getattr(statistic, "__name__", "statistic")
    return Estimate(
        value=float(statistic(*values)) if enough else math.nan,
        n=len(shared),
        unit="entities",
        method=f"{name}, BCa interval (Efron 1987) over {RESAMPLES:,} resamples of the entities",
        interval_method=Bootstrap(statistic, values, seed) if enough else Unknown(),
        label=label or f"{name}({', '.join(measure.name for measure in measures)})",
    ).marked(reasons)
