"""Variances that borrow from one another: on planted priors."""

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.noise import shrunk_variances


def variances(rng, n, df, prior_df, prior):
    """Draw true variances from their prior, and an estimate of each."""
    true = prior * prior_df / rng.chisquare(prior_df, n) if np.isfinite(prior_df) else np.full(n, prior)
    return true, true * rng.chisquare(df, n) / df


def test_the_planted_prior_is_found():
    _, found = variances(np.random.default_rng(1), 20_000, 10, 6.0, 3.0)
    moved, df = shrunk_variances(found, np.full(20_000, 10.0))
    assert df[0] - 10 == pytest.approx(6.0, rel=0.1)
    # The posterior mean of Smyth (2004), with the planted prior.
    np.testing.assert_allclose(moved, (6 * 3.0 + 10 * found) / 16, rtol=0.1)


def test_variances_that_differ_by_chance_alone_become_one():
    _, found = variances(np.random.default_rng(2), 36, 24, np.inf, 2.0)
    moved, df = shrunk_variances(found, np.full(36, 24.0))
    assert np.ptp(moved) == 0
    assert moved[0] == pytest.approx(2.0, rel=0.1)
    assert np.isinf(df).all()


@pytest.mark.parametrize("prior_df", [4.0, 20.0, np.inf])
def test_intervals_with_moderated_variances_hold_the_truth_95_percent_of_the_time(prior_df):
    rng, held, of_few = np.random.default_rng(3), [], []
    for _ in range(300):
        true, found = variances(rng, 30, 5, prior_df, 1.0)
        value = rng.normal(0, np.sqrt(true))
        moved, df = shrunk_variances(found, np.full(30, 5.0))
        held.append(np.abs(value) < stats.t.ppf(0.975, df) * np.sqrt(moved))
        of_few.append(np.abs(value) < 1.96 * np.sqrt(found))
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)
    assert np.mean(of_few) < 0.91, "which is what they were without"


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 5.0]])
def test_too_few_variances_or_mostly_zeros_stay_as_they_are(values):
    moved, df = shrunk_variances(np.array(values), np.full(len(values), 3.0))
    assert moved.tolist() == values
    assert (df == 3).all()


@pytest.mark.parametrize(("count", "enough"), [(3, False), (4, True)])
def test_four_variances_say_how_far_they_differ(count, enough):
    values = np.array([1.0, 1.1, 0.9, 1.05])[:count]
    moved, _ = shrunk_variances(values, np.full(count, 3.0))
    assert bool(np.ptp(moved) == 0) is enough
