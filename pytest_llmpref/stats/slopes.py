"""Slopes over entities: by how much something rises with what entities are worth.

References
----------
Efron and Stein 1981
Gelman 2008
"""

import math
from collections.abc import Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.sampled import FEWEST_RESAMPLED, sampled_parts


def slope_per_two_sd(x: FloatArray, y: FloatArray, groups: Sequence[str], label: str) -> Estimate:
    """Return by how much ``y`` rises for two standard deviations of ``x``: least squares over entities.

    Two standard deviations lie as far apart as the two values of an even split do, so the slope compares with the
    difference of two arms (Gelman 2008). The interval is by the jackknife (Efron and Stein 1981) over groups, where
    there are enough to be a sample of their kind, and else over entities. It takes the standard deviation as given.

    Parameters
    ----------
    x, y
        Shape (n,) each; an entity with a NaN in either is left out.
    groups
        Group of each entity.
    label
        What is estimated.

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
    x, y, kept = x[known], y[known], [group for group, there in zip(groups, known, strict=True) if there]
    parts = sampled_parts(kept, n)
    spread = float(x.std(ddof=1)) if n > 1 else 0.0
    if parts is None or spread == 0:
        few = f"{n} entities are too few: a slope needs at least {FEWEST_RESAMPLED}"
        reason = few if parts is None else "all entities are worth the same, so nothing can rise with it"
        return Estimate(math.nan, n, "entities", "least squares", Unknown(), (reason,), label)
    value = _slope(x, y, spread)
    left = np.array([_slope(x[parts != one], y[parts != one], spread) for one in np.unique(parts)])
    k = len(left)
    error = math.sqrt((k - 1) / k * float(np.sum((left - left.mean()) ** 2)))
    over = "entities" if k == n else f"{k} groups"
    return Estimate(
        value=value,
        n=n,
        unit="entities",
        method=f"least squares for two standard deviations (Gelman 2008), jackknife over {over} (Efron and Stein 1981)",
        interval_method=Normal(value, error, k - 1),
        label=label,
    )


def _slope(x: FloatArray, y: FloatArray, spread: float) -> float:
    centred = x - x.mean()
    squares = float(centred @ centred)
    return 2 * spread * float(centred @ y) / squares if squares else math.nan
