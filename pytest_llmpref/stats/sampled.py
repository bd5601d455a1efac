"""What another study would draw anew, entities or whole groups, and how far rho scatters for it.

References
----------
Bonett and Wright 2000
Efron and Stein 1981
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.closed_form import FEWEST_GROUPS
from pytest_llmpref.stats.ranks import RhoInterval, Scatter, least_design_effect, rank_correlation, z_without_each

Groups = Literal["sample", "given"]
"""Whether groups are a sample of their kind, or as given."""
FEWEST_RESAMPLED = 8
"""Fewest entities: of fewer, samples repeat each other too often to stand for new ones. Our choice."""


def scatter_of(x: FloatArray, y: FloatArray, groups: Sequence[str] | None, given: Groups) -> tuple[Scatter, str]:
    """Return how Spearman's rho scatters over samples, and in words how that came about, and of what it holds.

    Parameters
    ----------
    x, y
        Shape (n,) each, both with some spread.
    groups
        Group of each, shape (n,); ``None`` if they come in none.
    given
        Whether groups are a ``sample`` of their kind, or as ``given``.

    Returns
    -------
    tuple of Scatter and str
        As of independent normal values for fewer than 8.
    """
    n, numbers = len(x), _numbers(groups, len(x))
    count, parts = len(np.unique(numbers)), sampled_parts(groups, n)
    if parts is None:
        return Scatter(), (
            "with the standard error of Bonett and Wright (2000), which assumes independent entities "
            "with bivariate normal values"
        )
    if given == "sample" and count >= FEWEST_GROUPS:
        return jackknife(x, y, parts), (
            f"by the jackknife over {count} groups (Efron and Stein 1981), with Student's t: it generalises to other "
            "groups"
        )
    by = "by the jackknife over entities (Efron and Stein 1981)"
    if given == "given" and 1 < count <= n // 2:
        return jackknife(x, y, np.arange(n), numbers), f"{by} within {count} groups as given"
    few = f"; for these entities only, since {count} groups are too few to tell of others" if count > 1 else ""
    return jackknife(x, y, np.arange(n)), f"{by}, which are taken to be independent{few if given == 'sample' else ''}"


def sampled_parts(groups: Sequence[str] | None, n: int) -> IntArray | None:
    """Return the index of the part that the jackknife leaves out with each entity, shape (n,); ``None`` if unused.

    That is its group, where there are enough to be a sample of their kind, or else the entity itself.

    Parameters
    ----------
    groups
        Group of each, shape (n,); ``None`` if they come in none.
    n
        How many entities there are.

    Returns
    -------
    IntArray or None
        Numbers from 0.
    """
    if n < FEWEST_RESAMPLED:
        return None
    numbers = _numbers(groups, n)
    return numbers if len(np.unique(numbers)) >= FEWEST_GROUPS else np.arange(n)


def _numbers(groups: Sequence[str] | None, n: int) -> IntArray:
    """Return the number of each entity's group, shape (n,); all the same where they come in none."""
    names = np.zeros(n, dtype=np.str_) if groups is None else np.asarray(groups, dtype=np.str_)
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.intp)


def jackknife(x: FloatArray, y: FloatArray, sampled: IntArray, strata: IntArray | None = None) -> Scatter:
    """Return how Spearman's rho scatters over samples, from leaving out one sampled part at a time, on Fisher's z.

    The jackknife (Efron and Stein 1981). What is left out stands for what another study would draw anew: an entity, or
    a whole group. By chance such a variance comes out too small, down to none where the two agree perfectly. So it is
    taken to be at least what it would be in one of twenty samples of independent normal values.

    Parameters
    ----------
    x, y
        Shape (n,) each, both with some spread.
    sampled
        Number of the part that each value belongs to, shape (n,); at least `FEWEST` parts.
    strata
        Number of each value's stratum, shape (n,), where strata are as given and each would be sampled anew by itself;
        every part lies in one. A stratum with a single part is compared with all others.

    Returns
    -------
    Scatter
        With as many degrees of freedom as there are parts minus strata.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.sampled import jackknife
    >>> x, y = np.arange(8.0), np.array([1.0, 0.0, 3.0, 2.0, 5.0, 4.0, 7.0, 6.0])
    >>> round(jackknife(x, y, np.arange(8)).design_effect, 3)
    0.31
    """
    parts, first = np.unique(sampled, return_index=True)
    left = z_without_each(x, y, sampled, len(x))
    apart = np.zeros(len(parts), dtype=np.intp) if strata is None else strata[first]
    variance = 0.0
    for stratum in np.unique(apart):
        own = left[apart == stratum]
        k = len(own)
        variance += (
            k / (k - 1) * float(np.sum((own - own.mean()) ** 2)) if k > 1 else float((own[0] - left.mean()) ** 2)
        )
    # An entity left out leaves its stratum smaller, and others' shares as they were.
    variance *= (1 - 1 / len(parts)) ** 2
    df = len(parts) - len(np.unique(apart))
    independent = RhoInterval(rank_correlation(x, y), len(x)).se ** 2
    return Scatter(max(variance / independent, least_design_effect(df)), df)
