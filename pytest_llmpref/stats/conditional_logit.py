"""Conditional logistic regression on one regressor: log-odds per unit, whatever each stratum's own level is.

The likelihood of a stratum is conditional on its number of successes, so strata of any size bias nothing (Breslow and
Day 1980, chapter 7). It is computed exactly, by a recursion over the rows of a stratum (Gail, Lubin and Rubinstein
1981), for all strata side by side.

References
----------
Breslow and Day 1980
Gail, Lubin and Rubinstein 1981
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray

MOST_STEPS = 40
"""Newton's; about five are taken."""
STEEPEST = 50.0
"""A slope beyond this, in log-odds per unit, is taken to be infinite: the regressor separates all strata."""


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalFit:
    """A fitted slope.

    Attributes
    ----------
    slope
        Log-odds per unit of the regressor; NaN without information about it, infinite under separation.
    information
        Conditional information at the slope: the inverse of its variance if trials were independent in their strata.
    influence
        What each row contributes to the slope's error, shape (t,); their sums over clusters give clustered variances.
    levels
        Log-odds of success of each informative stratum at regressor 0, shape (s,).
    centres
        Mean of the regressor in each of them, rows weighted by p * (1 - p), shape (s,): levels fall by it, times what
        the slope rises.
    strata
        Number of all strata, informative or not.
    """

    slope: float
    information: float
    influence: FloatArray
    levels: FloatArray
    centres: FloatArray
    strata: int


@dataclass(frozen=True, slots=True, eq=False)
class _Padded:
    """Informative strata as rows of equal length; padding is success of chance 0. Shapes (s, n), successes (s,)."""

    x: FloatArray
    real: BoolArray
    successes: IntArray


def fit_conditional(x: FloatArray, success: BoolArray, stratum: IntArray) -> ConditionalFit:
    """Maximise the conditional likelihood of ``logit P(success) = level of the stratum + slope * x`` (Newton's method).

    Rows' influence on the slope is that of the efficient score: the residual of the unconditional model at the same
    slope, times the regressor's distance from its weighted mean in the stratum, over the information.

    Parameters
    ----------
    x
        Regressor, shape (t,).
    success
        Outcome, shape (t,).
    stratum
        Stratum of each row, shape (t,); strata without both outcomes, or without spread of ``x``, inform nothing.

    Returns
    -------
    ConditionalFit
        The slope, its information, and what rows contribute to its error.

    Raises
    ------
    ValueError
        If shapes differ, or the regressor is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.conditional_logit import fit_conditional
    >>> x, stratum = np.tile([-1.0, 0.0, 1.0], 4), np.repeat(np.arange(4), 3)
    >>> success = np.array([0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1], dtype=bool)
    >>> round(fit_conditional(x, success, stratum).slope, 3)
    0.834
    """
    if not (x.shape == success.shape == stratum.shape) or x.ndim != 1:
        raise ValueError(f"fit_conditional needs three arrays of one shape (t,), not {x.shape}, {success.shape}, ...")
    if not np.all(np.isfinite(x)):
        raise ValueError("fit_conditional: the regressor must be finite; leave out rows without a value")
    names, stratum_of = np.unique(stratum, return_inverse=True)
    informative = _informative(x, success, stratum_of, len(names))
    kept = informative[stratum_of]
    influence = np.zeros(len(x))
    if not kept.any():
        return ConditionalFit(np.nan, 0.0, influence, np.empty(0), np.empty(0), len(names))
    padded, row, column = _pad(x[kept], success[kept], stratum_of[kept])
    observed = float(x[kept] @ success[kept])
    slope, information = _newton(padded, observed)
    if np.isinf(slope):
        return ConditionalFit(slope, 0.0, influence, np.empty(0), np.empty(0), len(names))
    levels = stratum_levels(padded.x, padded.real, padded.successes, slope)
    chances = special.expit(levels[:, None] + slope * padded.x)
    centre = _centre(padded, chances)
    residual = success[kept] - chances[row, column]
    influence[kept] = (x[kept] - centre[row]) * residual / information
    return ConditionalFit(slope, information, influence, levels, centre, len(names))


def _centre(padded: _Padded, chances: FloatArray) -> FloatArray:
    """Return the mean of the regressor in each stratum, weighted by the information of each row; shape (s,)."""
    weights = np.where(padded.real, chances * (1 - chances), 0.0)
    centre: FloatArray = np.sum(weights * padded.x, axis=1) / np.sum(weights, axis=1)
    return centre


def stratum_levels(x: FloatArray, real: BoolArray, successes: IntArray, slope: float) -> FloatArray:
    """Return the log-odds at which each stratum expects the successes that it has, at a given slope; shape (s,).

    Parameters
    ----------
    x, real
        Regressor, and which entries are rows rather than padding; shape (s, n) each.
    successes
        Successes of each stratum, neither none nor all; shape (s,).

    Returns
    -------
    FloatArray
        Log-odds, shape (s,).

    Examples
    --------
    Two strata with one success among two, the regressor without effect:

    >>> import numpy as np
    >>> from pytest_llmpref.stats.conditional_logit import stratum_levels
    >>> stratum_levels(np.zeros((2, 2)), np.ones((2, 2), dtype=bool), np.array([1, 1]), 0.5)
    array([0., 0.])
    """
    n = real.sum(axis=1)
    levels = special.logit(successes / n)
    for _ in range(50):
        chances = np.where(real, special.expit(levels[:, None] + slope * x), 0.0)
        step = (successes - chances.sum(axis=1)) / np.maximum((chances * (1 - chances)).sum(axis=1), 1e-12)
        levels = levels + np.clip(step, -2, 2)
        if np.max(np.abs(step)) < 1e-10:
            break
    return np.asarray(levels)


def _informative(x: FloatArray, success: BoolArray, stratum_of: IntArray, strata: int) -> BoolArray:
    size = np.bincount(stratum_of, minlength=strata)
    successes = np.bincount(stratum_of, success, minlength=strata)
    lowest, highest = np.full(strata, np.inf), np.full(strata, -np.inf)
    np.minimum.at(lowest, stratum_of, x)
    np.maximum.at(highest, stratum_of, x)
    return np.asarray((successes > 0) & (successes < size) & (highest > lowest))


def _pad(x: FloatArray, success: BoolArray, stratum_of: IntArray) -> tuple[_Padded, IntArray, IntArray]:
    """Lay strata side by side; also return each row's place: its line, and its column in it."""
    _, row = np.unique(stratum_of, return_inverse=True)
    size = np.bincount(row)
    order = np.argsort(row, kind="stable")
    column = np.empty(len(row), dtype=np.intp)
    column[order] = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    padded = np.zeros((len(size), size.max()))
    padded[row, column] = x
    real = np.arange(size.max()) < size[:, None]
    return _Padded(padded, real, np.bincount(row, success).astype(np.intp)), row, column


def _newton(padded: _Padded, observed: float) -> tuple[float, float]:
    """Return the slope and the information; an infinite slope where no step comes to rest."""
    slope = 0.0
    log_normaliser, expected, information = _moments(padded, slope)
    objective = -log_normaliser
    for _ in range(MOST_STEPS):
        score = observed - expected
        if information <= 1e-12 or abs(slope) > STEEPEST:
            return float(np.copysign(np.inf, slope or score)), 0.0
        step = score / information
        while True:
            log_normaliser, expected, information = _moments(padded, slope + step)
            gain = (slope + step) * observed - log_normaliser - objective
            if gain >= -1e-9 * (1 + abs(objective)):
                break
            step /= 2
        slope, objective = slope + step, objective + gain
        if abs(step) < 1e-7 * (1 + abs(slope)):
            return slope, information
    return float(np.copysign(np.inf, slope)), 0.0


def _moments(padded: _Padded, slope: float) -> tuple[float, float, float]:
    """Return log normalising constant, mean and variance of the successes' sum of x, given their number; over strata.

    The recursion runs over chances rather than odds: at each stratum's own level, neither overflows nor underflows.
    """
    x, real, successes = padded.x, padded.real, padded.successes
    levels = stratum_levels(x, real, successes, slope)
    logits = levels[:, None] + slope * x
    # Where most rows succeed, failures are counted: fewer sums, and what fails adds up to less of what all add up to.
    fail = 2 * successes > real.sum(axis=1)
    turned = np.where(fail, -1.0, 1.0)[:, None]
    counted = np.where(fail, real.sum(axis=1) - successes, successes)
    chances = np.where(real, special.expit(turned * logits), 0.0)
    # Chance of so many, and sums of x and of its square times that; shape (3, most + 1, s).
    sums = np.zeros((3, int(counted.max()) + 1, len(x)))
    sums[0, 0] = 1
    for row, (p, value) in enumerate(zip(chances.T, (turned * x).T, strict=True)):
        # One more row counts, and adds its x to the sums so far, or does not; no more count than there are rows.
        upper, lower = sums[:, 1 : row + 2], sums[:, : min(row + 1, sums.shape[1] - 1)]
        weighted = p * value
        added = weighted * lower[0]
        more = 2 * weighted * lower[1] + value * added
        upper += p * (lower - upper)
        upper[1] += added
        upper[2] += more
        sums[0, 0] *= 1 - p
    chance, mean, square = sums[:, counted, np.arange(len(x))]
    mean = mean / chance
    variance = square / chance - mean**2
    mean = mean + np.where(fail, x.sum(axis=1), 0.0)
    log_failures = np.sum(np.where(real, np.logaddexp(0, logits), 0.0))
    log_normaliser = float(np.sum(np.log(chance)) + log_failures - levels @ successes)
    return log_normaliser, float(mean.sum()), float(variance.sum())
