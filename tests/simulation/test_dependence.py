"""What entities do to each other, beside the formula."""

import math

import numpy as np
from scipy import special, stats

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


def test_what_entities_do_to_each_other_makes_up_for_what_the_formula_lacks():
    """With dislikes that count for more than their sum, Fisher's z varies more than independent values' would."""
    rng, n, studies = np.random.default_rng(2), 16, 250
    found = np.array([study(rng, n, 0.6) for _ in range(studies)])
    z, formula = np.arctanh(found[:, 0]), (1 + found[:, 0] ** 2 / 2) / (n - 3)
    # Between these lies the true variance, given the one found.
    least, most = z.var(ddof=1) * (studies - 1) / stats.chi2.ppf([0.975, 0.025], studies - 1)
    assert formula.mean() < least, "or nothing is missing"
    assert least < np.mean(formula + found[:, 1]) < most
