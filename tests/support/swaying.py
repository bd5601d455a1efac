"""Studies in which entities sway each other's refusals: two disliked ones count for more than their sum."""

import math

import numpy as np
from scipy import special

from pytest_llmpref.stats.ranks import rank_correlation, shared_variance
from pytest_llmpref.stats.refusal import Attempts, fit_additive, leave_one_out_changes


def refused(rng, n, beyond):
    """Attempts of a study, and the true preferences; dislikes count ``beyond`` their sum."""
    liked = rng.standard_normal(n)
    mild = 0.7 * liked + math.sqrt(0.51) * rng.standard_normal(n)
    low, high = np.triu_indices(n, 1)
    first, second = np.r_[low, high], np.r_[high, low]
    chance = special.expit(-1.5 - 0.7 * (mild[first] + mild[second]) + beyond * liked[first] * liked[second])
    draws = rng.random((len(first), 10)) < chance[:, None]
    count = np.where(draws.all(axis=1), 10, draws.argmin(axis=1))
    wording = np.zeros(len(first), dtype=np.intp)
    return Attempts(first, second, wording, count, np.minimum(count + 1, 10), draws[:, 0], n), liked


def study(rng, n, beyond):
    attempts, liked = refused(rng, n, beyond)
    effects = fit_additive(attempts).effects
    return rank_correlation(liked, effects), shared_variance(liked, effects, leave_one_out_changes(attempts))
