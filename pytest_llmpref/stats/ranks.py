"""Spearman's rho of two vectors: its interval, and what dependence between entities adds to its error.

Where two dislikes together count for more than their sum, how much an entity is refused depends on its opponents.
Another sample of entities would have other opponents, so entities' values vary together, which no formula for a sample
of independent pairs of values knows of.

References
----------
Bonett and Wright 2000
Efron and Stein 1981
Hoeffding 1948
Wilson 1927
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import scipy
from scipy import special

from pytest_llmpref.claims.claim import DEFAULT_ALPHA
from pytest_llmpref.claims.verdicts import Relation
from pytest_llmpref.stats.arrays import FloatArray, IntArray, ranks
from pytest_llmpref.stats.roots import root


def shared_variance(x: FloatArray, y: FloatArray, changes: FloatArray) -> float:
    """Return what the sway that entities hold over each other's ``y`` adds to the variance of Fisher's z of rho(x, y).

    The jackknife over entities (Efron and Stein 1981), an entity being left out with all questions about it: its own
    place in the correlation, whose variance is known, and what its absence does to the others' places. The square of
    the latter, and twice its product with the former, is what is added. A question's noise is part of both of its
    entities' absences, so the squares of single changes, which are what noise adds up to, are taken off again. An
    estimate of this kind can be negative; then nothing is added.

    A change of ``y`` moves rho as far as it moves the normal score's rank, ``Phi((y - mean) / sd)``; what moves all
    others alike, or apart in proportion to ``y``, moves none.

    Parameters
    ----------
    x, y
        Shape (n,), without NaN.
    changes
        ``[j, i]`` is the ``y`` of entity j had i never been asked about, less its ``y``; shape (n, n). The diagonal
        is not read.

    Returns
    -------
    float
        Variance of z, at least 0.
    """
    n = len(x)
    if n <= FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    moved = _gradient(x, y)[:, None] * _beyond_a_line(y, changes)
    by_others = moved.sum(axis=0) - moved.sum() / n
    by_itself = np.array([_fisher_z(np.delete(x, i), np.delete(y, i)) for i in range(n)])
    own = by_itself - by_itself.mean()
    added = float(by_others @ by_others + 2 * own @ by_others - np.sum(moved**2))
    return max(0.0, (n - 1) / n * added)


def _gradient(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the derivative of Fisher's z of rho by each value of ``y``, shape (n,)."""
    spread = float(y.std())
    score = (y - y.mean()) / spread
    place, slope = special.ndtr(score), np.exp(-(score**2) / 2) / math.sqrt(2 * math.pi) / spread
    u, v = (values - values.mean() for values in (ranks(x), place))
    u, v = u / u.std(), v / v.std()
    rho = float(np.mean(u * v))
    rho = max(-largest_rho(len(x)), min(largest_rho(len(x)), rho))
    return np.asarray(slope * (u - rho * v) / (len(x) * place.std() * (1 - rho**2)))


def _beyond_a_line(y: FloatArray, changes: FloatArray) -> FloatArray:
    """Return the changes less their least-squares line over ``y``, for each entity left out; 0 for itself."""
    others = 1 - np.eye(len(y))
    held = np.where(others > 0, changes, 0.0)
    count = others.sum(axis=0)
    centred = (y[:, None] - (others * y[:, None]).sum(axis=0) / count) * others
    slope = (centred * held).sum(axis=0) / np.maximum((centred**2).sum(axis=0), np.finfo(float).tiny)
    return np.asarray((held - held.sum(axis=0) / count - slope * centred) * others)


def _fisher_z(x: FloatArray, y: FloatArray) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    largest = largest_rho(len(x))
    return math.atanh(max(-largest, min(largest, rank_correlation(x, y))))


FEWEST = 4
"""Fewest values with an interval: the standard error of Fisher's z divides by n - 3."""


def rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's rho, ties sharing their mean rank; without the p-value that scipy.stats.spearmanr adds.

    Parameters
    ----------
    x, y
        Shape (n,) each, both with some spread.

    Returns
    -------
    float
        From -1 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.ranks import rank_correlation
    >>> rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0]))
    0.8
    """
    a, b = ranks(x), ranks(y)
    a, b = a - a.mean(), b - b.mean()
    rho = a @ b / np.sqrt((a @ a) * (b @ b))
    # Perfect agreement must be 1, not 1 less a rounding error.
    return float(np.round(rho, 12))


def unbiased_rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Return the unbiased estimate of the population's rho from ``n`` >= 3 values (Hoeffding 1948, section 9).

    The mean of Spearman's rho is ``((n - 2) * rho + 3 * tau) / (n + 1)``, tau being Kendall's in the population.

    Parameters
    ----------
    x, y
        Shape (n,) each.

    Returns
    -------
    float
        It may lie beyond -1 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.ranks import unbiased_rank_correlation
    >>> round(unbiased_rank_correlation(np.arange(5.0), np.array([0.0, 2.0, 1.0, 4.0, 3.0])), 6)
    1.0
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

    Parameters
    ----------
    rho
        The population's.
    n
        Sample sizes, shape (g,).

    Returns
    -------
    FloatArray
        Shape (g,).
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

    def limits(self, level: float) -> tuple[float, float]:
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

    Parameters
    ----------
    n
        Sample size.

    Returns
    -------
    float
        Below 1.
    """
    return 1 - 6 / (n * (n**2 - 1))


@dataclass(frozen=True, slots=True)
class RhoInterval:
    """Interval of Spearman's rho: every rho from which the estimate is no further than that rho's own error allows.

    On Fisher's z scale, whose standard error is ``sqrt((1 + rho**2 / 2) / (n - 3))`` (Bonett and Wright 2000) at the
    population's rho. With the estimate's instead, as they have it, the error would be the smaller the nearer to 0 the
    estimate has come by chance, and claims that rho is below a threshold would be supported too often; so the test is
    inverted, as Wilson (1927) does for a share.

    Attributes
    ----------
    r
        The correlation, -1 to 1.
    n
        Values that it is over, at least 4.
    extra
        Further variance of ``atanh(r)``: see `stats.ranks.shared_variance`.
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

    def limits(self, level: float) -> tuple[float, float]:
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

    Returns
    -------
    tuple of float
        The limits.
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


_NORMAL = NormalDist()


def correlation_power(
    rho: float, n: int, *, threshold: float = 0.0, relation: Relation = ">", alpha: float = DEFAULT_ALPHA
) -> float:
    """Return the chance that a claim about Spearman's rho is supported.

    Fisher's z of the estimate is taken to be normal about that of ``rho`` with the standard error of Bonett and Wright
    (2000), and the claim is judged as `claims.claim.make_claim` does: by the two-sided interval at ``1 - alpha``, or by
    two one-sided tests at ``alpha`` for equivalence.

    Parameters
    ----------
    rho
        The population's rho between the two measures as they are measured: noise lowers it.
    n
        Entities with a value in both.
    threshold, relation
        The claim.
    alpha
        Error rate of the claim; divide it by the number of claims in a family.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If there are fewer than 4 entities, or rho or the threshold is not between -1 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.ranks import correlation_power
    >>> round(correlation_power(0.7, 72, threshold=0.5), 3)
    0.693
    """
    if n < FEWEST:
        raise ValueError(f"n={n}: a correlation needs at least {FEWEST} entities")
    if not abs(rho) < 1 or not abs(threshold) < 1:
        raise ValueError(f"rho={rho}, threshold={threshold}: both lie between -1 and 1")
    if relation == ">":
        return _above(_lowest_supported(threshold, n, 1 - alpha), rho, n)
    if relation == "<":
        return _above(_lowest_supported(-threshold, n, 1 - alpha), -rho, n)
    edge = _lowest_supported(-threshold, n, 1 - 2 * alpha)
    return max(0.0, _above(edge, rho, n) + _above(edge, -rho, n) - 1)


def _lowest_supported(threshold: float, n: int, level: float) -> float:
    """Return the smallest estimate whose interval lies above the threshold."""

    def margin(rho: float) -> float:
        return RhoInterval(rho, n).limits(level)[0] - threshold

    largest = RhoInterval(1.0, n).largest
    return float(scipy.optimize.brentq(margin, threshold, largest)) if margin(largest) > 0 else 1.0


def _above(threshold: float, rho: float, n: int) -> float:
    """Return the chance of an estimate above a threshold."""
    if threshold >= 1:
        return 0.0
    return 1 - _NORMAL.cdf((math.atanh(threshold) - math.atanh(rho)) / RhoInterval(rho, n).se)
