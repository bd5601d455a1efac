"""Whether a share rises or falls from one quartile of preference to the next."""

import math

import numpy as np

from pytest_llmpref.claims.estimates import Estimate, Normal, Unknown
from pytest_llmpref.stats.comparisons import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.pair_logit import LEAST_LEFT


def quartiles(preference: FloatArray) -> IntArray:
    """Return the quartile of each entity, 0 for the least preferred to 3; -1 for one without a value."""
    known = ~np.isnan(preference)
    found = np.full(len(preference), -1)
    ranks = np.argsort(np.argsort(preference[known], kind="stable"), kind="stable")
    found[known] = ranks * 4 // max(int(known.sum()), 1)
    return found


def share_trend(
    quartile: IntArray | FloatArray, has: BoolArray, cluster: IntArray, label: str, *, unit: str
) -> Estimate:
    """Estimate by how much a share changes from one quartile to the next.

    The slope of a straight line through the shares, whose test is Cochran's (1954) and Armitage's (1955); its
    standard error is clustered (Liang and Zeger 1986), since cases about one pair are alike; with each cluster's
    leverage in it, and Satterthwaite's degrees of freedom (Bell and McCaffrey 2002).

    Parameters
    ----------
    quartile
        Quartile of each case, or the one that it is expected in, shape (t,).
    has
        Whether the case counts for the share.
    cluster
        Cases with one number are not independent.
    label
        What is estimated.
    unit
        What the cases are.
    """
    method = "slope of the share over quartiles (Cochran 1954, Armitage 1955), error clustered by pair"
    clusters = len(np.unique(cluster))
    if len(quartile) == 0 or np.ptp(quartile) == 0 or clusters < 3:
        reason = f"{len(quartile)} {unit} in {clusters} pairs are too few for a trend"
        return Estimate(math.nan, len(quartile), unit, method, Unknown(), (reason,), label)
    x = quartile - quartile.mean()
    slope = float(x @ has / (x @ x))
    residual = has - has.mean() - slope * x
    _, number = np.unique(cluster, return_inverse=True)
    leverage = np.bincount(number, 1 / len(x) + x**2 / float(x @ x))
    by_cluster = np.bincount(number, x * residual) ** 2 / np.maximum(1 - leverage, LEAST_LEFT)
    error = math.sqrt(float(by_cluster.sum())) / float(x @ x)
    expected = np.bincount(number, x**2)
    df = float(expected.sum()) ** 2 / float(expected @ expected)
    # A reason that nobody, or everybody, was given has no error of its own: add one case of each (Wilson's idea).
    least = math.sqrt((has.sum() + 1) * (len(has) - has.sum() + 1) / (len(has) + 2) ** 2 / float(x @ x))
    return Estimate(slope, len(has), unit, method, Normal(slope, max(error, least), df), label=label)
