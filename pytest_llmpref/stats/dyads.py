"""Slopes and means over pairs of entities, of which those that share an entity are not independent.

The variance is that of Aronow, Samii and Assenova (2015): it allows for any dependence between pairs that share an
entity. Pairs that share none are taken to be independent. Two more pairs are counted in it, with
residuals of 1, as where the next two came out either way: so where all answers are alike, the error is not 0 (as in the
rule of three, Hanley and Lippman-Hand 1983).

References
----------
Aronow, Samii and Assenova 2015
Hanley and Lippman-Hand 1983
"""

import math

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.arrays import FloatArray, IntArray

FEWEST_PAIRED = 6
"""Fewest entities: of fewer there are too few clusters for a variance. Our choice."""
METHOD = "least squares over pairs, standard error clustered by entity (Aronow, Samii and Assenova 2015)"


def slope_over_pairs(first: IntArray, second: IntArray, x: FloatArray, y: FloatArray, label: str) -> Estimate:
    """Return the slope of one quantity of pairs on another, through the origin.

    Where a quantity changes its sign as the two of a pair change places, there is no intercept. With ``x`` all 1 the
    slope is the mean of ``y``.

    Parameters
    ----------
    first, second
        Number of either entity of a pair, shape (pairs,); of its entity and its question, if these have other numbers.
    x, y
        The quantities, shape (pairs,).
    label
        What is estimated.

    Returns
    -------
    Estimate
        Invalid for fewer than `FEWEST_PAIRED` entities, or where ``x`` does not vary from 0.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.dyads import slope_over_pairs
    >>> first, second = np.triu_indices(8, 1)
    >>> x = (second - first).astype(float)
    >>> slope_over_pairs(first, second, x, 2 * x + np.where(first % 2, 1.0, -1.0), "slope")
    <slope 1.952, 95% [1.704, 2.201], n=8 entities>
    """
    sides = [np.unique(first), np.unique(second)]
    # Of an entity and a question, say, the fewer of the two are what the error rests on.
    apart = not np.intersect1d(sides[0], sides[1]).size
    n = min(map(len, sides)) if apart else len(np.unique(np.r_[first, second]))
    squares = float(np.sum(x**2))
    reasons = [] if n >= FEWEST_PAIRED else [f"{n} entities are too few: it takes at least {FEWEST_PAIRED}"]
    if not squares:
        reasons.append("the pairs do not differ in what the slope is on")
    if reasons:
        return Estimate(math.nan, n, "entities", METHOD, Unknown(), tuple(reasons), label)
    value = float(np.sum(x * y)) / squares
    scores = x * (y - value * x)
    by_entity = np.bincount(first, scores, int(max(first.max(), second.max())) + 1)
    by_entity += np.bincount(second, scores, len(by_entity))
    by_pair = float(np.sum(scores**2)) + 2 * squares / len(x)
    # Each pair's own square stands in the sums of both its entities. By chance, the rest may come out below 0.
    shared = float(np.sum(by_entity**2)) - 2 * float(np.sum(scores**2))
    variance = (by_pair + max(shared, 0.0)) * n / (n - 1) / squares**2
    return Estimate(value, n, "entities", METHOD, Normal(value, math.sqrt(variance), n - 1), (), label)
