"""Values that carry the noise of their measurement: what they say of the true ones, and residuals from a line.

Variances of many alike, each estimated from little, shrink towards what they have in common (Smyth 2004); values shrink
towards their mean (empirical Bayes).

References
----------
Carroll et al. 2006
Cook and Weisberg 1982
Fisher 1915
Robbins 1956
Satterthwaite 1946
Smyth 2004
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, OneSided
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.few_outcomes import Skewed
from pytest_llmpref.stats.roots import root

FEWEST = 4
"""Fewest variances that say how far they differ. Our choice."""
_LEAST = 1e-5
"""A variance is taken to be at least this part of the median: the logarithm of 0 would outweigh all others."""
_LARGEST = 1e4
"""Degrees of freedom of the prior from which on it is taken to be certain."""


def shrunk_variances(variances: FloatArray, df: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return variances shrunk towards what they have in common, and their degrees of freedom; shape (k,) each.

    Each variance has a scaled inverse chi-square prior, whose location and degrees of freedom are estimated from all
    of them by the moments of their logarithms; the posterior mean takes the variance's place, and the prior's degrees
    of freedom add to its own (Smyth 2004, sections 3 and 6.2). Where variances differ no more than their estimates
    do by chance, all become one, whose degrees of freedom are infinite.

    Parameters
    ----------
    variances
        Estimates, not negative.
    df
        Degrees of freedom of each, above 0.

    Returns
    -------
    tuple of FloatArray
        The variances and their degrees of freedom; as given for fewer than 4.

    Examples
    --------
    Four that differ by no more than chance become one:

    >>> import numpy as np
    >>> from pytest_llmpref.stats.noise import shrunk_variances
    >>> variances, df = shrunk_variances(np.array([0.9, 1.0, 1.1, 1.2]), np.full(4, 10.0))
    >>> variances.round(2), df
    (array([1.16, 1.16, 1.16, 1.16]), array([inf, inf, inf, inf]))
    """
    if len(variances) < FEWEST or not (middle := float(np.median(variances))) > 0:
        return variances, df
    logs = np.log(np.maximum(variances, _LEAST * middle)) - special.digamma(df / 2) + np.log(df / 2)
    spread = float(logs.var(ddof=1) - special.polygamma(1, df / 2).mean())
    if spread <= special.polygamma(1, _LARGEST / 2):
        return np.full_like(variances, np.exp(logs.mean())), np.full_like(df, np.inf)
    prior_df = 2 * root(lambda half: float(special.polygamma(1, half)) - spread, 1e-8, _LARGEST / 2)
    prior = float(np.exp(logs.mean() + special.digamma(prior_df / 2) - np.log(prior_df / 2)))
    return (prior_df * prior + df * variances) / (prior_df + df), prior_df + df


_ONE_SIGMA = 0.6826894921370859
"""Level of the interval that reaches one standard error to each side."""
_CERTAIN = 1e-9


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
        """Why the measure is invalid; empty if it is not."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Noisy:
    """Values with the variances of their noise, and the degrees of freedom of these; shape (n,) each."""

    values: FloatArray
    variances: FloatArray
    df: FloatArray

    @classmethod
    def of(cls, measure: HasEstimates, ids: Sequence[str]) -> "Noisy":
        """Return a measure's values of some entities; NaN for one that it does not know."""
        found = [_noisy(measure.estimates[entity]) if entity in measure.estimates else _UNKNOWN for entity in ids]
        values, variances, df = (np.array(column, dtype=np.float64) for column in zip(*found, strict=True))
        return cls(values, variances, df)

    @classmethod
    def exact(cls, values: FloatArray) -> "Noisy":
        """Return values without noise."""
        return cls(values, np.where(np.isnan(values), np.nan, 0.0), np.full(len(values), np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What noisy values say of the true ones: each is normal, given its measurement.

    Attributes
    ----------
    means, deviations
        Shape (n,); NaN if there is no value.
    centre, spread
        Mean and standard deviation of the true values.
    reliability
        Share of the variance of the values that is true.
    """

    means: FloatArray
    deviations: FloatArray
    centre: float
    spread: float
    reliability: float

    @property
    def reliability_error(self) -> float:
        """Standard error of the reliability over the entities as given.

        It is the squared correlation of true and measured values; that of a correlation is Fisher's (1915).
        """
        n = int(np.sum(~np.isnan(self.means)))
        return 2 * math.sqrt(self.reliability / n) * (1 - self.reliability) if n else math.nan


def true_values(measured: Noisy) -> Truth:
    """Return each true value as the measured ones have it: its mean and its deviation, entities being normal.

    Empirical Bayes (Robbins 1956; Carroll et al. 2006, section 4.4): values vary by as much as the true ones do and the
    noise adds, so each shrinks towards the mean the more, the noisier it is. Put in the place of noisy values in a
    regression, the means take away what noise does to its slope (regression calibration, Carroll et al. 2006,
    chapter 4). Where noise explains all variance, the spread is 0.

    Parameters
    ----------
    measured
        Values with the variances of their noise.

    Returns
    -------
    Truth
        With the reliability of the values.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.noise import Noisy, true_values
    >>> values = np.array([-2.0, 0.0, 2.0])
    >>> truth = true_values(Noisy(values, np.full(3, 1.0), np.full(3, np.inf)))
    >>> truth.means, round(truth.reliability, 3)
    (array([-1.33333333,  0.        ,  1.33333333]), 0.75)
    """
    known = ~np.isnan(measured.values)
    values, noise = measured.values[known], measured.variances[known]
    if not len(values):
        nothing = np.full(len(known), np.nan)
        return Truth(nothing, nothing, math.nan, 0.0, 0.0)
    centre = float(values.mean())
    whole = float(values.var())
    true = max(0.0, whole - float(noise.mean()) * (1 - 1 / len(values)))
    share = np.divide(true, true + noise, out=np.zeros_like(noise), where=true + noise > 0)
    means, deviations = (np.full(len(known), np.nan) for _ in range(2))
    means[known], deviations[known] = centre + share * (values - centre), np.sqrt(share * noise)
    return Truth(means, deviations, centre, math.sqrt(true), true / whole if whole > 0 else 0.0)


def expected_quartiles(truth: Truth) -> FloatArray:
    """Return the quartile that each true value is expected in, 0 for the lowest to 3; shape (n,).

    NaN without a value, and for all of them where noise explains how they differ.

    The quartiles' limits are those that a quarter, half, and three quarters of the true values are expected below.

    Parameters
    ----------
    truth
        From `true_values`.

    Returns
    -------
    FloatArray
        Between 0 and 3, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.noise import Noisy, expected_quartiles, true_values
    >>> expected_quartiles(true_values(Noisy.exact(np.array([1.0, 2.0, 3.0, 4.0])))).round(6)
    array([0., 1., 2., 3.])
    """
    known = ~np.isnan(truth.means)
    found = np.full(len(known), np.nan)
    if truth.spread > 0:
        # Where a value is certain it is in one quartile, and a small deviation says so as well as none.
        means, deviations = truth.means[known], np.maximum(truth.deviations[known], _CERTAIN * truth.spread)
        limits = (_limit(means, deviations, share) for share in (0.25, 0.5, 0.75))
        found[known] = sum(special.ndtr((means - limit) / deviations) for limit in limits)
    return found


def _limit(means: FloatArray, deviations: FloatArray, share: float) -> float:
    """Return the value that this share of the true values is expected below."""
    low, high = float(np.min(means - 9 * deviations)), float(np.max(means + 9 * deviations))
    return root(lambda at: float(np.mean(special.ndtr((at - means) / deviations))) - share, low, high)


def _noisy(estimate: Estimate) -> tuple[float, float, float]:
    method = estimate.interval_method
    if isinstance(method := method.inner if isinstance(method, OneSided | Skewed) else method, Normal):
        return estimate.value, method.se**2, method.df
    interval = estimate.interval(_ONE_SIGMA)
    return estimate.value, ((interval.high - interval.low) / 2) ** 2, math.inf


_UNKNOWN = (math.nan, math.nan, math.inf)


@lru_cache(maxsize=32)
def residuals(outcome: HasEstimates, predictor: HasEstimates) -> Mapping[str, Estimate]:
    """Return, for each entity, its outcome minus the prediction of a line fitted to all *other* entities.

    The line is a least-squares fit without the entity (a deleted residual, Cook and Weisberg 1982, section 2.2.1). The
    entities are taken as given: infinitely many trials would leave no error. So the standard error combines the noise
    of the entity's outcome and predictor with the error of the line at its place. The scatter of the other entities
    about the line is not noise.

    Parameters
    ----------
    outcome, predictor
        Measures of the same model; entities present in both are used.

    Returns
    -------
    Entity id -> estimate in the unit of the outcome, with the sample size of the entity's outcome.

    Raises
    ------
    ValueError
        If fewer than 4 entities are present in both.

    Examples
    --------
    >>> from pytest_llmpref import open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     beyond = residuals(study.donation_advice, study.preferences)
    >>> beyond["unicef"]
    <donation_advice of unicef beyond what preference predicts ..., n=... trials>
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
