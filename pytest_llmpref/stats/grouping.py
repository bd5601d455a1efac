"""How far entities differ by the groups that they come in."""

import math
from collections.abc import Sequence

import numpy as np

from pytest_llmpref.stats.comparisons import FloatArray


def explained_by_groups(values: FloatArray, groups: Sequence[str]) -> float:
    """Return the share of the variance of values, shape (n,), that lies between groups; NaN where none can be told.

    The intraclass correlation of a one-way analysis of variance (Fisher 1925), for groups of unequal size with the
    size that Donner (1986) gives; at least 0.
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
