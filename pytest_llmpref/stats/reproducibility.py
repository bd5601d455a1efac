"""The chance that a repetition of a study would support a claim again.

References
----------
Goodman (1992), A comment on replication, p-values and evidence, Statistics in Medicine 11, 875-879.
Shao and Chow (2002), Reproducibility probability in clinical trials, Statistics in Medicine 21, 1727-1742.
"""

import math
from statistics import NormalDist
from typing import Literal

_NORMAL = NormalDist()


def chance_of_support(
    value: float, low: float, high: float, *, level: float, relation: Literal[">", "<", "abs <"], threshold: float
) -> float:
    """Return the chance that the same study, done once more, would support the claim.

    The repetition's estimate is normal about this one's with twice its variance, since both hold sampling noise
    (Goodman 1992, with a flat prior; the Bayesian version of Shao and Chow 2002). Its interval reaches as far to
    either side as this one's does.

    Parameters
    ----------
    value, low, high
        The estimate and its interval, all on a scale on which the error is about normal.
    level
        Confidence level of the interval, between 0 and 1.
    relation, threshold
        The claim: above ``threshold``, below it, or between ``-threshold`` and ``threshold``.

    Returns
    -------
    float
        Between 0 and 1; NaN where there is no interval.

    Examples
    --------
    An estimate whose interval just touches the threshold is supported again half of the time.

    >>> chance_of_support(0.5, 0.3, 0.7, level=0.95, relation=">", threshold=0.3)
    0.5
    """
    if not low <= value <= high:
        return math.nan
    quantile = _NORMAL.inv_cdf((1 + level) / 2)
    below, above = value - low, high - value
    if relation == ">":
        return _chance(value - below - threshold, below / quantile)
    if relation == "<":
        return _chance(threshold - value - above, above / quantile)
    not_too_low = _chance(value - below + threshold, below / quantile)
    not_too_high = _chance(threshold - value - above, above / quantile)
    return max(0.0, not_too_low + not_too_high - 1)


def _chance(distance: float, error: float) -> float:
    """Return the chance that a repetition falls less than ``distance`` short; 0 or 1 without any error."""
    if error == 0:
        return float(distance > 0)
    return _NORMAL.cdf(distance / (math.sqrt(2) * error))


def on_fisher_scale(method: str, *values: float) -> bool:
    """Whether values are correlations with an interval on Fisher's z, on which their error is about normal."""
    return "Fisher" in method and all(-1 < value < 1 for value in values)
