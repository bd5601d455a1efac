"""Slopes over entities, and over pairs of them: by how much something rises with what entities are worth.

An entity that met disliked opponents was chosen more often for it. Two entities that met would then be alike in what
their opponents were worth, and an error that takes entities to be independent would be too small. So shares are made
those against the average entity before a slope is taken.

Pairs that share an entity are not independent. The variance of slopes over pairs is that of Aronow, Samii and Assenova
(2015): it allows for any dependence between pairs that share an entity. Pairs that share none are taken to be
independent. Two more pairs are counted in it, with residuals of 1, as where the next two came out either way: so where
all answers are alike, the error is not 0 (as in the rule of three, Hanley and Lippman-Hand 1983).

References
----------
Aronow, Samii and Assenova 2015
Efron and Stein 1981
Gelman 2008
Hanley and Lippman-Hand 1983
Satterthwaite 1946
"""

import math
from collections.abc import Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.sampled import FEWEST_RESAMPLED, sampled_parts


def slope_per_two_sd(
    x: FloatArray, y: FloatArray, groups: Sequence[str], label: str, *, spread_is_sampled: bool = False
) -> Estimate:
    """Return by how much ``y`` rises for two standard deviations of ``x``: least squares over entities.

    Two standard deviations lie as far apart as the two values of an even split do, so the slope compares with the
    difference of two arms (Gelman 2008). The interval is by the jackknife (Efron and Stein 1981) over groups, where
    there are enough to be a sample of their kind, and else over entities. It has Satterthwaite's (1946) degrees of
    freedom: those far from the mean make most of the error.

    Parameters
    ----------
    x, y
        Shape (n,) each; an entity with a NaN in either is left out.
    groups
        Group of each entity.
    label
        What is estimated.
    spread_is_sampled
        Whether the standard deviation of ``x`` is estimated from this sample, not given. If ``y`` levels off, the slope
        per two of them is then less certain.

    Returns
    -------
    Estimate
        In the unit of ``y``; invalid for fewer than 8 entities, or where all ``x`` are the same.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.slopes import slope_per_two_sd
    >>> x = np.arange(12.0)
    >>> slope_per_two_sd(x, x / x.std(ddof=1), ["all"] * 12, "slope").value.__round__(9)
    2.0
    """
    known = ~(np.isnan(x) | np.isnan(y))
    n = int(known.sum())
    x, y, of_known = x[known], y[known], [group for group, there in zip(groups, known, strict=True) if there]
    parts = sampled_parts(of_known, n)
    spread = float(x.std(ddof=1)) if n > 1 else 0.0
    if parts is None or spread == 0:
        few = f"{n} entities are too few: a slope needs at least {FEWEST_RESAMPLED}"
        reason = few if parts is None else "all entities are worth the same, so nothing can rise with it"
        return Estimate(math.nan, n, "entities", "least squares", Unknown(), (reason,), label)
    value = _slope(x, y, spread)
    others = [parts != one for one in np.unique(parts)]
    spreads = [float(x[kept].std(ddof=1)) if spread_is_sampled else spread for kept in others]
    left = np.array([_slope(x[kept], y[kept], of_kept) for kept, of_kept in zip(others, spreads, strict=True)])
    k = len(left)
    error = math.sqrt((k - 1) / k * float(np.sum((left - left.mean()) ** 2)))
    over = "entities" if k == n else f"{k} groups"
    return Estimate(
        value=value,
        n=n,
        unit="entities",
        method=f"least squares for two standard deviations (Gelman 2008), jackknife over {over} (Efron and Stein 1981)",
        interval_method=Normal(value, error, min(k - 1, _degrees_of_freedom(x, parts))),
        label=label,
    )


def shares_against_average(first: IntArray, second: IntArray, score: FloatArray, n: int) -> FloatArray:
    """Return the share in which each entity would be chosen over the average one: least squares over pairs.

    What being shown first adds is taken out.

    Parameters
    ----------
    first, second
        Numbers of the entities of each pair, shape (t,).
    score
        Probability that the first was chosen, shape (t,).
    n
        How many entities there are.

    Returns
    -------
    FloatArray
        Shape (n,); 0.5 on average, beyond 0 or 1 for one that would win, or lose, more than always. NaN where an
        entity was in no pair.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.slopes import shares_against_average
    >>> first, second = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> shares_against_average(first, second, np.array([0.7, 0.7, 0.9]), 3).round(6).tolist()
    [0.7, 0.5, 0.3]
    """
    if not len(score):
        return np.full(n, math.nan)
    question = np.arange(len(score))
    design = np.zeros((len(score), n + 1))
    design[question, first] = 1.0
    design[question, second] = -1.0
    # The last unknown is what being shown first adds.
    design[:, n] = 1.0
    effects = np.linalg.lstsq(design, score - 0.5, rcond=None)[0][:n]
    asked = np.bincount(np.r_[first, second], minlength=n) > 0
    return np.where(asked, 0.5 + effects, math.nan)


def shares_beside_worth(first: IntArray, second: IntArray, score: FloatArray, worth: FloatArray) -> FloatArray:
    """Return the share in which each entity was chosen, less what its opponents' worth made of it.

    What a unit of worth adds is the slope over all pairs. `shares_against_average` compares entities along chains of
    opponents instead, which says little where each entity met few others.

    Parameters
    ----------
    first, second
        Numbers of the entities of each pair, shape (t,).
    score
        Probability that the first was chosen, shape (t,).
    worth
        Of each entity, shape (n,); pairs with an entity whose worth is NaN are left out.

    Returns
    -------
    FloatArray
        Shape (n,); NaN if an entity was in no pair.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.slopes import shares_beside_worth
    >>> first, second, worth = np.array([0, 1, 0]), np.array([1, 2, 2]), np.array([1.0, 0.0, -1.0])
    >>> shares_beside_worth(first, second, np.array([0.7, 0.7, 0.9]), worth).round(6).tolist()
    [0.7, 0.5, 0.3]
    """
    n, apart = len(worth), worth[first] - worth[second]
    known = ~np.isnan(apart)
    first, second, apart, lead = first[known], second[known], apart[known], score[known] - 0.5
    if not len(lead):
        return np.full(n, math.nan)
    # Being shown first adds the intercept.
    slope, shown_first = np.linalg.lstsq(np.c_[apart, np.ones(len(apart))], lead, rcond=None)[0]
    centred = worth - np.nanmean(worth)
    own = np.bincount(first, lead - shown_first + slope * centred[second], n)
    own -= np.bincount(second, lead - shown_first - slope * centred[first], n)
    asked = np.bincount(np.r_[first, second], minlength=n)
    return np.where(asked > 0, 0.5 + own / np.maximum(asked, 1), math.nan)


def _slope(x: FloatArray, y: FloatArray, spread: float) -> float:
    centred = x - x.mean()
    squares = float(centred @ centred)
    return 2 * spread * float(centred @ y) / squares if squares else math.nan


def _degrees_of_freedom(x: FloatArray, parts: IntArray) -> float:
    """Return those of a slope's variance whose parts have errors alike."""
    weights = np.bincount(np.unique(parts, return_inverse=True)[1], (x - x.mean()) ** 2)
    return float(weights.sum() ** 2 / np.sum(weights**2))


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
    >>> from pytest_llmpref.stats.slopes import slope_over_pairs
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
