"""Variances of many alike, each estimated from little: pulled towards what they have in common (Smyth 2004)."""

import numpy as np
from scipy import special

from pytest_llmpref.stats.comparisons import FloatArray
from pytest_llmpref.stats.roots import root

FEWEST = 4
"""Fewest variances that say how far they differ. Our choice."""
_LEAST = 1e-5
"""A variance is taken to be at least this part of the median: the logarithm of 0 would outweigh all others."""
_LARGEST = 1e4
"""Degrees of freedom of the prior from which on it is taken to be certain."""


def moderated(variances: FloatArray, df: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return variances and degrees of freedom, each variance having borrowed from the others; shape (k,) each.

    Each variance has a scaled inverse chi-square prior, whose location and degrees of freedom are estimated from all
    of them by the moments of their logarithms; the posterior mean takes the variance's place, and the prior's degrees
    of freedom add to its own (Smyth 2004, sections 3 and 6.2). Where variances differ no more than their estimates
    do by chance, all become one, whose degrees of freedom are infinite.

    Parameters
    ----------
    variances
        Estimates, not negative.
    df
        Degrees of freedom of each, above 0.
    """
    if len(variances) < FEWEST or not (middle := float(np.median(variances))) > 0:
        return variances, df
    logs = np.log(np.maximum(variances, _LEAST * middle)) - special.digamma(df / 2) + np.log(df / 2)
    spread = float(logs.var(ddof=1) - special.polygamma(1, df / 2).mean())
    if spread <= special.polygamma(1, _LARGEST / 2):
        return np.full_like(variances, np.exp(logs.mean())), np.full_like(df, np.inf)
    prior_df = 2 * root(lambda half: float(special.polygamma(1, half)) - spread, 1e-8, _LARGEST / 2)
    prior = float(np.exp(logs.mean() + special.digamma(prior_df / 2) - np.log(prior_df / 2)))
    return (prior_df * prior + df * variances) / (prior_df + df), prior_df + df
