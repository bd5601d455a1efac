"""Types of the arrays that statistics take and give, and what many of them need: means by group, quartiles, scores.

References
----------
Donner 1986
Fisher 1925
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

BoolArray = NDArray[np.bool_]


FloatArray = NDArray[np.float64]


IntArray = NDArray[np.intp]


def values_in(values: Mapping[str, float], ids: Iterable[str]) -> FloatArray:
    """Return the values of entities, in the order of their ids; NaN if there is none.

    Parameters
    ----------
    values
        Entity id -> value.
    ids
        Of the entities.

    Examples
    --------
    >>> values_in({"b": 2.0, "a": 1.0}, ["a", "b", "c"])
    array([ 1.,  2., nan])
    """
    return np.array([values.get(entity, math.nan) for entity in ids], dtype=np.float64)


def means_by(group: IntArray, values: FloatArray | BoolArray, size: int) -> FloatArray:
    """Return the mean in each group, shape (size,); NaN if there is none.

    Parameters
    ----------
    group
        Number of each value's group, from 0; shape (t,).
    values
        Shape (t,).
    size
        Number of groups.

    Returns
    -------
    FloatArray
        Shape (size,).

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arrays import means_by
    >>> means_by(np.array([0, 0, 2]), np.array([1.0, 2.0, 5.0]), 3)
    array([1.5, nan, 5. ])
    """
    count = np.bincount(group, minlength=size)
    return np.where(count > 0, np.bincount(group, values, minlength=size) / np.maximum(count, 1), np.nan)


def quartiles(preference: FloatArray) -> IntArray:
    """Return the quartile of each entity, 0 for the least preferred to 3; -1 for one without a value.

    Parameters
    ----------
    preference
        Value of each entity, shape (n,), NaN if there is none.

    Returns
    -------
    IntArray
        Shape (n,); of equal values, the earlier comes first.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arrays import quartiles
    >>> quartiles(np.array([4.0, 1.0, np.nan, 3.0, 2.0]))
    array([ 3,  0, -1,  2,  1])
    """
    known = ~np.isnan(preference)
    found = np.full(len(preference), -1)
    ranks = np.argsort(np.argsort(preference[known], kind="stable"), kind="stable")
    found[known] = ranks * 4 // max(int(known.sum()), 1)
    return found


def normal_scores(n: int) -> FloatArray:
    """Return the quantiles of a normal distribution at n evenly spaced chances, scaled to standard deviation 1.

    Parameters
    ----------
    n
        How many, at least 2.

    Returns
    -------
    FloatArray
        Ascending, shape (n,), mean 0.

    Examples
    --------
    >>> from pytest_llmpref.stats.arrays import normal_scores
    >>> normal_scores(4).round(3)
    array([-1.18 , -0.327,  0.327,  1.18 ])
    """
    scores = special.ndtri((np.arange(n) + 0.5) / n)
    return np.asarray(scores / scores.std(ddof=1))


def explained_by_groups(values: FloatArray, groups: Sequence[str]) -> float:
    """Return the share of the variance of values, shape (n,), that lies between groups; NaN if none can be told.

    The intraclass correlation of a one-way analysis of variance (Fisher 1925), for groups of unequal size with the
    size that Donner (1986) gives; at least 0.

    Parameters
    ----------
    values
        Shape (n,).
    groups
        Group of each.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arrays import explained_by_groups
    >>> explained_by_groups(np.array([1.0, 1.0, 5.0, 5.0]), ["a", "a", "b", "b"])
    1.0
    """
    _, of, size = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True, return_counts=True)
    n, k = len(values), len(size)
    if k < 2 or n <= k or np.ptp(values) == 0:
        return math.nan
    means = np.bincount(of, values) / size
    within = float(np.sum((values - means[of]) ** 2)) / (n - k)
    between = float(size @ (means - values.mean()) ** 2) / (k - 1)
    typical = (n - float(size @ size) / n) / (k - 1)
    return max(0.0, (between - within) / (between + (typical - 1) * within))


def ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1, ties sharing their mean; scipy.stats.rankdata would import all of scipy.stats.

    Parameters
    ----------
    values
        Shape (n,).

    Returns
    -------
    FloatArray
        Shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arrays import ranks
    >>> ranks(np.array([10.0, 30.0, 20.0, 20.0]))
    array([1. , 4. , 2.5, 2.5])
    """
    order = values.argsort()
    ordered = values[order]
    if (ordered[1:] > ordered[:-1]).all():
        # Without ties, as most are: a quarter of the time.
        found = np.empty(len(values))
        found[order] = np.arange(1, len(values) + 1)
        return found
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])


def column_ranks(values: FloatArray) -> FloatArray:
    """Return the ranks within each column, ties sharing their mean; shape as given, (n, b).

    Parameters
    ----------
    values
        Shape (n, b).

    Returns
    -------
    FloatArray
        From 1, shape (n, b).
    """
    n = len(values)
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    number = np.arange(n)[:, None]
    differs = ordered[1:] != ordered[:-1]
    edge = np.ones((1, values.shape[1]), dtype=np.bool_)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differs]), number, 0), axis=0)
    last = np.minimum.accumulate(np.where(np.concatenate([differs, edge]), number, n)[::-1], axis=0)[::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, axis=0)
    return found
