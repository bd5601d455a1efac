"""Spearman's rho of two vectors, and its interval."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pytest_llmpref.stats.comparisons import FloatArray, IntArray
from pytest_llmpref.stats.roots import root

FEWEST = 4
"""Fewest values with an interval: the standard error of Fisher's z divides by n - 3."""


def rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's rho, ties sharing their mean rank; without the p-value that scipy.stats.spearmanr adds."""
    a, b = ranks(x), ranks(y)
    a, b = a - a.mean(), b - b.mean()
    rho = a @ b / np.sqrt((a @ a) * (b @ b))
    # Perfect agreement must be 1, not 1 less a rounding error.
    return float(np.round(rho, 12))


def ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1, ties sharing their mean; scipy.stats.rankdata would import all of scipy.stats."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])


def unbiased_rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Return the unbiased estimate of the population's rho from ``n`` >= 3 values (Hoeffding 1948, section 9).

    The mean of Spearman's rho is ``((n - 2) * rho + 3 * tau) / (n + 1)``, tau being Kendall's in the population.
    """
    n = len(x)
    above = np.triu_indices(n, 1)
    order_x, order_y = (np.sign(np.subtract.outer(values, values)[above]) for values in (x, y))
    tau = float(order_x @ order_y) / math.sqrt(float(order_x @ order_x) * float(order_y @ order_y))
    return ((n + 1) * rank_correlation(x, y) - 3 * tau) / (n - 2)


def unbiased_variance(rho: float, n: IntArray) -> FloatArray:
    """Return the variance of `unbiased_rank_correlation` of ``n`` values whose population has this rho.

    It is a U-statistic of three values at a time, with kernel plus or minus 1 (Hoeffding 1948, equation 5.13):
    ``9 (n-3)(n-4) z1 + 18 (n-3) z2 + 6 z3`` over ``n (n-1)(n-2)``. ``z3 = 1 - rho**2`` is exact, ``z1`` is that of
    large samples (Bonett and Wright 2000). ``z2`` is exact for rho 0, and between the two (exponent 1.5, our choice)
    for others.
    """
    left = 1 - rho**2
    z1, z2 = left**2 * (1 + rho**2 / 2) / 9, 7 / 18 * left**1.5
    return np.asarray((9 * (n - 3) * (n - 4) * z1 + 18 * (n - 3) * z2 + 6 * left) / (n * (n - 1) * (n - 2)))


@dataclass(frozen=True, slots=True)
class MeanRho:
    """Interval of the mean of unbiased rank correlations of independent groups, by inverting a score test.

    Attributes
    ----------
    correlations
        Of each group.
    sizes
        Values in each group.
    """

    correlations: tuple[float, ...]
    sizes: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean, weighted by the inverse of the variances at rho 0."""
        return float(np.clip(self._weights @ np.asarray(self.correlations), -1, 1))

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the smallest and the largest rho from which the mean is no further than its own variance allows."""
        largest, reach = largest_rho(sum(self.sizes)), NormalDist().inv_cdf((1 + level) / 2)
        # At 1 the variance is 0: perfect agreement would have no interval.
        mean = max(-largest, min(largest, self.mean))
        sizes, weights = np.asarray(self.sizes), self._weights

        def beyond(rho: float) -> float:
            return abs(mean - rho) - reach * math.sqrt(float(weights**2 @ unbiased_variance(rho, sizes)))

        low, high = (root(beyond, mean, end) for end in (-1.0, 1.0))
        return min(low, self.mean), max(high, self.mean)

    @property
    def _weights(self) -> FloatArray:
        weights = 1 / unbiased_variance(0.0, np.asarray(self.sizes))
        return np.asarray(weights / weights.sum())


def largest_rho(n: int) -> float:
    """Return the largest rho taken at its word: ``1 - 6 / (n * (n**2 - 1))``.

    It lies halfway from perfect agreement of ``n`` values to a single swap of neighbours. Fisher's z of 1 is infinite.
    """
    return 1 - 6 / (n * (n**2 - 1))


@dataclass(frozen=True, slots=True)
class RhoInterval:
    """Interval of Spearman's rho: every rho from which the estimate is no further than that rho's own error allows.

    On Fisher's z scale, whose standard error is ``sqrt((1 + rho**2 / 2) / (n - 3))`` (Bonett and Wright 2000) at the
    population's rho. With the estimate's instead, as they have it, the error would be the smaller the nearer to 0 the
    estimate has come by chance, and claims that rho is below a bound would be supported too often; so the test is
    inverted, as Wilson (1927) does for a share.

    Attributes
    ----------
    r
        The correlation, -1 to 1.
    n
        Values that it is over, at least 4.
    extra
        Further variance of ``atanh(r)``: see `stats.dependence`.
    """

    r: float
    n: int
    extra: float = 0.0

    @property
    def largest(self) -> float:
        """``|r|`` is taken to be at most this: z of 1 is infinite."""
        return largest_rho(self.n)

    @property
    def se(self) -> float:
        """Standard error of ``atanh(r)``, were ``r`` the population's."""
        return math.sqrt(self.variance(self.r))

    def variance(self, rho: float) -> float:
        """Return the variance of ``atanh(r)`` where this is the population's rho."""
        return (1 + rho**2 / 2) / (self.n - 3) + self.extra

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the interval; it always holds ``r`` itself."""
        return within_reach(self.r, self.largest, self.variance, level)


def within_reach(r: float, largest: float, variance: Callable[[float], float], level: float) -> tuple[float, float]:
    """Return the smallest and the largest rho whose own error leaves an estimate within reach, on Fisher's z scale.

    Parameters
    ----------
    r
        The estimate; NaN has no interval.
    largest
        ``|r|`` is taken to be at most this.
    variance
        Returns the variance of ``atanh(r)`` where this is the population's rho.
    level
        Of the interval, which always holds ``r`` itself.
    """
    if math.isnan(r):
        return math.nan, math.nan
    reach = NormalDist().inv_cdf((1 + level) / 2)
    z = math.atanh(max(-largest, min(largest, r)))
    low, high = (math.tanh(_end(z, sign * reach, variance)) for sign in (-1, 1))
    return min(low, r), max(high, r)


def _end(z: float, reach: float, variance: Callable[[float], float]) -> float:
    """Return the z from which ``z`` is just within reach; the error changes so slowly that this comes to rest."""
    end = z
    for _ in range(100):
        before, end = end, z + reach * math.sqrt(variance(math.tanh(end)))
        if abs(end - before) < 1e-12:
            break
    return end
