"""Spearman's rho of two vectors, and its interval."""

import math

import numpy as np
from scipy import stats

from pytest_llmpref.estimates import FisherZ
from pytest_llmpref.stats.comparisons import FloatArray

FEWEST = 4
"""Fewest values with an interval: the standard error of Fisher's z divides by n - 3."""


def rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's rho, ties sharing their mean rank; without the p-value that scipy.stats.spearmanr adds."""
    rho = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
    # Perfect agreement must be 1, not 1 less a rounding error.
    return float(np.round(rho, 12))


def largest_rho(n: int) -> float:
    """Return the largest rho taken at its word: ``1 - 6 / (n * (n**2 - 1))``.

    It lies halfway from perfect agreement of ``n`` values to a single swap of neighbours. Fisher's z of 1 is infinite.
    """
    return 1 - 6 / (n * (n**2 - 1))


def rho_interval(rho: float, n: int) -> FisherZ:
    """Return the interval of Spearman's rho over ``n`` >= 4 values on Fisher's z scale.

    The standard error of z is ``sqrt((1 + rho**2 / 2) / (n - 3))`` (Bonett and Wright 2000).
    """
    return FisherZ(rho, math.sqrt((1 + rho**2 / 2) / (n - 3)), largest=largest_rho(n))
