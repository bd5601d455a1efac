"""Types of the arrays that statistics take and give, and what many of them need: means by group, quartiles, scores."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

BoolArray = NDArray[np.bool_]


FloatArray = NDArray[np.float64]


IntArray = NDArray[np.intp]


def means_by(group: IntArray, values: FloatArray | BoolArray, size: int) -> FloatArray:
    """Return the mean in each group, shape (size,); NaN where there is none."""
    count = np.bincount(group, minlength=size)
    return np.where(count > 0, np.bincount(group, values, minlength=size) / np.maximum(count, 1), np.nan)


def quartiles(preference: FloatArray) -> IntArray:
    """Return the quartile of each entity, 0 for the least preferred to 3; -1 for one without a value."""
    known = ~np.isnan(preference)
    found = np.full(len(preference), -1)
    ranks = np.argsort(np.argsort(preference[known], kind="stable"), kind="stable")
    found[known] = ranks * 4 // max(int(known.sum()), 1)
    return found


def normal_scores(n: int) -> FloatArray:
    """Return the quantiles of a normal distribution at n evenly spaced chances, scaled to standard deviation 1."""
    scores = special.ndtri((np.arange(n) + 0.5) / n)
    return np.asarray(scores / scores.std(ddof=1))
