"""Spearman's rho of two vectors: its interval, and what dependence between entities adds to its error.

The formula for the error of rho knows independent entities whose two values depend on each other as normal ones do.
Entities come in groups, and values can depend otherwise (large values of both come together, or one is a parabola of
the other): the jackknife says how rho scatters then.

Where two dislikes together count for more than their sum, how much an entity is refused depends on its opponents.
Another sample of entities would have other opponents, so entities' values vary together, which neither knows of.

References
----------
Bonett and Wright 2000
Efron and Stein 1981
Kish 1965
Wilson 1927
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import special

from pytest_llmpref.stats.arrays import FloatArray, IntArray, ranks


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
    by_itself = z_without_each(x, y, np.arange(n), n - 1)
    own = by_itself - by_itself.mean()
    added = float(by_others @ by_others + 2 * own @ by_others - np.sum(moved**2))
    return max(0.0, (n - 1) / n * added)


@dataclass(frozen=True, slots=True)
class Scatter:
    """How rho scatters over samples, beside independent entities with normal values.

    Attributes
    ----------
    design_effect
        Its variance, as a multiple of theirs (Kish 1965).
    df
        Its degrees of freedom; infinite if it is taken as known.
    """

    design_effect: float = 1.0
    df: float = math.inf


_SELDOM = 0.05


def least_design_effect(df: float) -> float:
    """Return the design effect that chance leaves an estimate below in one of twenty samples where it is 1.

    Parameters
    ----------
    df
        Degrees of freedom of the estimate.

    Returns
    -------
    float
        Below 1.
    """
    return float(special.chdtri(df, 1 - _SELDOM)) / df


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


def z_without_each(x: FloatArray, y: FloatArray, sampled: IntArray, n: int) -> FloatArray:
    """Return Fisher's z of Spearman's rho without each sampled part in turn; 0 where what is left has no spread.

    The rank of a value without others is its rank among all, less one for each smaller one that is gone, and half of
    one for each that is equal.

    Parameters
    ----------
    x, y
        Shape (n,) each.
    sampled
        Number of the part that each value belongs to, shape (n,).
    n
        Sample size whose `largest_rho` no rho exceeds.

    Returns
    -------
    FloatArray
        Shape (parts,).

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.ranks import z_without_each
    >>> np.tanh(z_without_each(np.arange(5.0), np.array([1.0, 0.0, 3.0, 2.0, 4.0]), np.arange(5), 5)).round(3)
    array([0.8, 0.8, 0.8, 0.8, 0.6])
    """
    parts, start = np.unique(np.sort(sampled), return_index=True)
    by_part = np.argsort(sampled, kind="stable")
    left = (sampled[:, None] != parts).astype(np.float64)
    middle = (left.sum(axis=0) + 1) / 2
    a, b = (
        (ranks(values)[:, None] - np.add.reduceat(_at_most(values)[:, by_part], start, axis=1) - middle) * left
        for values in (x, y)
    )
    together, square = np.sum(a * b, axis=0), np.sum(a**2, axis=0) * np.sum(b**2, axis=0)
    rho = np.divide(together, np.sqrt(square), out=np.zeros_like(together), where=square > 0)
    # Rounded as by `rank_correlation`.
    clipped = np.clip(np.round(rho, 12), -largest_rho(n), largest_rho(n))
    return np.array([math.atanh(one) for one in clipped])


def _at_most(values: FloatArray) -> FloatArray:
    """Return what each value adds to each other's rank: 1 where it is smaller, and half where they are equal."""
    return np.asarray((values < values[:, None]) + (values == values[:, None]) / 2)


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
    scatter
        How rho scatters over samples, where that was estimated: see `stats.sampled.jackknife`.
    """

    r: float
    n: int
    extra: float = 0.0
    scatter: Scatter = Scatter()

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
        # What was estimated at the estimate is no less elsewhere: that would count chance for the claim.
        square = rho**2 if math.isinf(self.scatter.df) else max(rho**2, self.r**2)
        return self.scatter.design_effect * (1 + square / 2) / (self.n - 3) + self.extra

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval; it always holds ``r`` itself."""
        return within_reach(self.r, self.largest, self.variance, level, self.scatter.df)


def within_reach(
    r: float, largest: float, variance: Callable[[float], float], level: float, df: float = math.inf
) -> tuple[float, float]:
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
    df
        Degrees of freedom that the variance is known with.

    Returns
    -------
    tuple of float
        The limits.
    """
    if math.isnan(r):
        return math.nan, math.nan
    reach = quantile((1 + level) / 2, df)
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


def quantile(chance: float, df: float) -> float:
    """Return a quantile of Student's t, or of the normal where degrees of freedom are infinite.

    Parameters
    ----------
    chance
        Of a smaller value.
    df
        Degrees of freedom.

    Returns
    -------
    float
        Any number.
    """
    return NormalDist().inv_cdf(chance) if math.isinf(df) else float(special.stdtrit(df, chance))
