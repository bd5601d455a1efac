"""Spearman's rho within groups: the mean over groups, and the partial correlation given the group.

How far groups' own correlations differ says how rho scatters over groups, whatever dependence there is within them.

References
----------
Bonett and Wright 2000
Efron and Stein 1981
Hoeffding 1948
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Unknown
from pytest_llmpref.stats.arrays import FloatArray, IntArray, means_by, ranks
from pytest_llmpref.stats.association import (
    HasGroups,
    HasValues,
    described_as,
    reasons_of,
    shared_values,
    vectors,
    why_no_rank_correlation,
)
from pytest_llmpref.stats.closed_form import FEWEST_GROUPS
from pytest_llmpref.stats.crossed import kept_shared_noise
from pytest_llmpref.stats.ranks import (
    FEWEST,
    RhoInterval,
    Scatter,
    largest_rho,
    least_design_effect,
    quantile,
    rank_correlation,
)
from pytest_llmpref.stats.roots import root


def within_groups(x: HasGroups, y: HasValues) -> Estimate:
    """Return Spearman's rho between two measures within the groups of the first, averaged over the groups.

    The interval is about other groups of the kind, and allows for any dependence between entities of one group.

    Parameters
    ----------
    x
        A measure whose entities have groups.
    y
        Another measure of the same entities.

    Returns
    -------
    Estimate
        From -1 to 1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> groups = dict(zip(range(20), "abcde" * 4))
    >>> x = SimpleNamespace(name="x", values={i: i for i in range(20)}, reasons=(), unranked=(), groups=groups)
    >>> y = SimpleNamespace(name="y", values={i: i + 5 * (i % 2) for i in range(20)}, reasons=(), unranked=())
    >>> within_groups(x, y)
    <rho within groups(x, y) 1, 95% [0.7881, 1], n=20 entities>
    """
    entities, x_values, y_values = shared_values(x, y)
    groups = [x.groups[entity] for entity in entities]
    estimate = within_group_spearman(x_values, y_values, groups, invalid=reasons_of(x, y))
    estimate = replace(estimate, method=estimate.method + kept_shared_noise(x, y))
    return described_as(estimate, f"rho within groups({x.name}, {y.name})", x, y, len(entities))


def partial_spearman(x: HasGroups, y: HasValues) -> Estimate:
    """Return Spearman's partial rank correlation between two measures, given the groups of the first.

    The correlation of the ranks over all entities after each group's mean is subtracted. Unlike `within_groups` it also
    works with groups of two or three entities. If groups lie far apart, it is nearer to 0 than rho within a group,
    since ranks near either end have less room to vary.

    Parameters
    ----------
    x
        A measure whose entities have groups.
    y
        Another measure of the same entities.

    Returns
    -------
    Estimate
        From -1 to 1; invalid for fewer than 5 groups, or if ranks differ only between groups.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> groups = dict(zip(range(20), "abcde" * 4))
    >>> x = SimpleNamespace(name="x", values={i: i for i in range(20)}, reasons=(), unranked=(), groups=groups)
    >>> y = SimpleNamespace(name="y", values={i: i + 5 * (i % 2) for i in range(20)}, reasons=(), unranked=())
    >>> partial_spearman(x, y)
    <rho given groups(x, y) 0.9243, 95% [0.8425, 0.9648], n=20 entities>
    """
    entities, x_values, y_values = shared_values(x, y)
    groups = [x.groups[entity] for entity in entities]
    estimate = partial_rank_correlation(x_values, y_values, groups, invalid=reasons_of(x, y))
    estimate = replace(estimate, method=estimate.method + kept_shared_noise(x, y))
    return described_as(estimate, f"rho given groups({x.name}, {y.name})", x, y, len(entities))


def within_group_spearman(
    x: ArrayLike, y: ArrayLike, groups: Sequence[str], *, invalid: Iterable[str] = ()
) -> Estimate:
    """Return the mean over groups of Spearman's rho, each group's without the bias that a small sample has.

    Spearman's rho of a small sample lies nearer to 0 than the population's, and averaging does not mend that; see
    `unbiased_rank_correlation`. Groups are weighted by the inverse of its variance for independent measures. The
    interval holds every rho whose own variance leaves the mean within reach, multiplied by how far the groups' rhos
    differ beyond it, with Student's t. Groups with fewer than 4 entities, or without spread, are left out, and the
    method says how many. Fewer than 5 groups do not say how far they differ: entities are then taken to be independent.

    Parameters
    ----------
    x, y, groups
        Two values and the group of each entity, shape (n,) each.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        From -1 to 1.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    a, b = vectors(x, y)
    names = _names(groups, len(a), "within_group_spearman")
    found, sizes = [], []
    for name in np.unique(names):
        inside = names == name
        if not why_no_rank_correlation(a[inside], b[inside]):
            found.append(unbiased_rank_correlation(a[inside], b[inside]))
            sizes.append(int(inside.sum()))
    left_out = len(np.unique(names)) - len(sizes)
    how = (
        "as far as they differ (jackknife over groups, Efron and Stein 1981), with Student's t: for other groups"
        if len(sizes) >= FEWEST_GROUPS
        else "entities being independent; for these entities only, since so few groups tell nothing of others"
    )
    method = (
        f"Spearman within {len(sizes)} groups{f' ({left_out} left out)' if left_out else ''}, unbiased "
        f"(Hoeffding 1948), score interval with the variance of that U-statistic, {how}"
    )
    if not sizes:
        reasons = (*invalid, f"no group has {FEWEST} entities with different values")
        return Estimate(math.nan, 0, "entities", method, Unknown(), reasons, "rho within groups")
    interval = MeanRho(tuple(found), tuple(sizes))
    invalid = tuple(dict.fromkeys(invalid))
    return Estimate(interval.mean, sum(sizes), "entities", method, interval, invalid, "rho within groups")


def partial_rank_correlation(
    x: ArrayLike, y: ArrayLike, groups: Sequence[str], *, invalid: Iterable[str] = ()
) -> Estimate:
    """Return the correlation of ranks less their groups' means, with a jackknife interval over groups.

    Parameters
    ----------
    x, y, groups
        Two values and the group of each entity, shape (n,) each.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        From -1 to 1.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> groups = [name for name in "abcdef" for _ in range(2)]
    >>> x = [1, 2, 11, 12, 21, 22, 31, 32, 41, 42, 51, 52]
    >>> round(partial_rank_correlation(x, [4, 5, 1, 2, 8, 9, 6, 7, 3, 2, 11, 12], groups).value, 3)
    0.56
    """
    a, b = vectors(x, y)
    names = _names(groups, len(a), "partial_rank_correlation")
    reasons, of = [*invalid], np.unique(names, return_inverse=True)[1]
    count, n, label = int(of.max(initial=-1)) + 1, len(a), "rho given groups"
    method = (
        f"Spearman's partial rank correlation given {count} groups, score interval on Fisher's z by the jackknife over "
        "groups (Efron and Stein 1981), with Student's t: it generalises to other groups"
    )
    if problem := why_no_rank_correlation(a, b):
        return Estimate(math.nan, n, "entities", method, Unknown(), (*reasons, problem), label)
    u, v = (values - means_by(of, values, count)[of] for values in (ranks(a), ranks(b)))
    if count < FEWEST_GROUPS or n - count < FEWEST or np.ptp(u) == 0 or np.ptp(v) == 0:
        reasons.append(f"{n} entities in {count} groups leave no correlation given the group: it needs several of each")
        return Estimate(math.nan, n, "entities", method, Unknown(), tuple(dict.fromkeys(reasons)), label)
    rho, interval = _partial(u, v, of, count)
    return Estimate(rho, n, "entities", method, interval, tuple(dict.fromkeys(reasons)), label)


def _partial(u: FloatArray, v: FloatArray, of: IntArray, count: int) -> tuple[float, IntervalMethod]:
    """Return the correlation of ranks that are centred in each group, and its interval."""
    products, u_squares, v_squares = (np.bincount(of, part, count) for part in (u * v, u * u, v * v))
    rho = float(np.round(products.sum() / math.sqrt(u_squares.sum() * v_squares.sum()), 12))
    n, largest = len(u) - count + 1, largest_rho(len(u))
    others = [whole.sum() - whole for whole in (products, u_squares, v_squares)]
    spread = np.sqrt(others[1] * others[2])
    without = np.divide(others[0], spread, out=np.zeros(count), where=spread > 0)
    z = np.arctanh(np.clip(without, -largest, largest))
    variance = (count - 1) / count * float(np.sum((z - z.mean()) ** 2))
    effect = max(variance / RhoInterval(rho, n).se ** 2, least_design_effect(count - 1))
    return rho, RhoInterval(rho, n, scatter=Scatter(effect, count - 1))


def _names(groups: Sequence[str], n: int, asked: str) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    if len(groups) != n:
        raise ValueError(f"{asked}: {n} values, but {len(groups)} groups")
    return np.asarray(groups, dtype=np.str_)


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
    >>> from pytest_llmpref.stats.grouped import unbiased_rank_correlation
    >>> round(unbiased_rank_correlation(np.arange(5.0), np.array([0.0, 2.0, 1.0, 4.0, 3.0])), 6)
    1.0
    """
    n = len(x)
    # Each pair of values twice, which is one factor above and below.
    order_x, order_y = (np.sign(values[:, None] - values).ravel() for values in (x, y))
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
    return np.asarray(sum(kernel * part for kernel, part in zip(_kernels(rho), _parts(n), strict=True)))


def _kernels(rho: float) -> tuple[float, float, float]:
    """Return ``z1``, ``z2`` and ``z3`` of the variance."""
    left = 1 - rho**2
    return left**2 * (1 + rho**2 / 2) / 9, 7 / 18 * left**1.5, left


def _parts(n: IntArray) -> FloatArray:
    """Return what each of them counts for in samples of these sizes, shape (3, g)."""
    return np.asarray(np.stack([9 * (n - 3) * (n - 4), 18 * (n - 3), np.full_like(n, 6)]) / (n * (n - 1) * (n - 2)))


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
        return float(np.clip(_weights(self.sizes) @ np.asarray(self.correlations), -1, 1))

    def limits(self, level: float) -> tuple[float, float]:
        """Return the smallest and the largest rho from which the mean is no further than its own variance allows."""
        largest = largest_rho(sum(self.sizes))
        # At 1 the variance is 0: perfect agreement would have no interval.
        mean, scatter = max(-largest, min(largest, self.mean)), self.scatter
        reach = quantile((1 + level) / 2, scatter.df) * math.sqrt(scatter.design_effect)
        first, second, third = _counts(self.sizes)

        def beyond(rho: float) -> float:
            z1, z2, z3 = _kernels(rho)
            return abs(mean - rho) - reach * math.sqrt(first * z1 + second * z2 + third * z3)

        low, high = (root(beyond, mean, end) for end in (-1.0, 1.0))
        return min(low, self.mean), max(high, self.mean)

    @property
    def scatter(self) -> Scatter:
        """How the mean scatters over groups: the jackknife, where groups are enough to tell."""
        if (count := len(self.sizes)) < FEWEST_GROUPS:
            return Scatter()
        weights, rhos = _weights(self.sizes), np.asarray(self.correlations)
        without = (weights @ rhos - weights * rhos) / (1 - weights)
        variance = (count - 1) / count * float(np.sum((without - without.mean()) ** 2))
        largest = largest_rho(sum(self.sizes))
        kernels = _kernels(max(-largest, min(largest, self.mean)))
        independent = sum(count * kernel for count, kernel in zip(_counts(self.sizes), kernels, strict=True))
        return Scatter(max(variance / independent, least_design_effect(count - 1)), count - 1)


@lru_cache(maxsize=64)
def _weights(sizes: tuple[int, ...]) -> FloatArray:
    """Return the weight of each group, by the inverse of the variances at rho 0."""
    weights = 1 / unbiased_variance(0.0, np.asarray(sizes))
    return np.asarray(weights / weights.sum())


@lru_cache(maxsize=64)
def _counts(sizes: tuple[int, ...]) -> list[float]:
    """Return what each of the variance's three parts counts for in that of the mean."""
    return [float(one) for one in _parts(np.asarray(sizes)) @ _weights(sizes) ** 2]
