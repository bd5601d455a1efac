"""What noisy values say of true ones: on planted truths."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Wilson
from pytest_llmpref.stats.arrays import quartiles
from pytest_llmpref.stats.noise import Noisy, expected_quartiles, true_values


def noisy(rng, n, noise):
    true = rng.normal(10, 2, n)
    sd = noise * rng.uniform(0.5, 1.5, n)
    return true, Noisy(true + sd * rng.standard_normal(n), sd**2, np.full(n, np.inf))


def test_a_slope_on_expected_truths_is_that_on_truths_and_one_on_noisy_values_is_not():
    rng = np.random.default_rng(1)
    true, measured = noisy(rng, 20_000, 2.0)
    outcome = 0.5 * true + rng.standard_normal(20_000)
    found = true_values(measured)
    assert found.spread == pytest.approx(2, rel=0.03)
    assert found.reliability == pytest.approx(np.corrcoef(true, measured.values)[0, 1] ** 2, abs=0.02)
    assert stats.linregress(found.means, outcome).slope == pytest.approx(0.5, rel=0.03)
    assert stats.linregress(measured.values, outcome).slope < 0.27
    inside = np.abs(true - found.means) < 1.96 * found.deviations
    assert np.mean(inside) == pytest.approx(0.95, abs=0.01)


def test_a_trend_over_expected_quartiles_is_that_over_true_ones():
    rng = np.random.default_rng(2)
    true, measured = noisy(rng, 20_000, 2.0)
    share = 0.2 * quartiles(true)
    expected = expected_quartiles(true_values(measured))
    assert stats.linregress(expected, share).slope == pytest.approx(0.2, rel=0.03)
    assert stats.linregress(quartiles(measured.values), share).slope < 0.13


def test_without_noise_truths_are_the_values_and_quartiles_are_those_of_ranks():
    values = np.random.default_rng(3).permutation(12).astype(float)
    values[3] = np.nan
    found = true_values(Noisy.exact(values))
    np.testing.assert_allclose(found.means, values)
    assert found.reliability == 1
    assert found.reliability_error == 0
    eight = np.arange(8.0)[::-1]
    np.testing.assert_allclose(expected_quartiles(true_values(Noisy.exact(eight))), quartiles(eight), atol=1e-6)


def test_where_noise_explains_all_there_is_no_spread_and_no_quartile():
    found = true_values(Noisy(np.array([1.0, 2.0, 3.0]), np.full(3, 5.0), np.full(3, np.inf)))
    assert found.spread == 0
    assert found.reliability == 0
    assert np.isnan(expected_quartiles(found)).all()
    assert true_values(Noisy.exact(np.array([np.nan, np.nan]))).spread == 0


@pytest.mark.parametrize("entities", [4, 5])
def test_the_spread_of_few_noisy_values_is_that_of_the_true_ones(entities):
    """On average over 6,000 samples: the mean of noisy values has noise of its own, which is no part of the spread.

    Taking off all the noise, or none of it for the mean, would be wrong by 1 / entities of the noise's variance.
    """
    rng, samples = np.random.default_rng(5), 6000
    noise = np.full(entities, 1.0)
    differences = []
    for _ in range(samples):
        true = rng.normal(0, 4, entities)
        found = true_values(Noisy(true + rng.standard_normal(entities), noise, np.full(entities, np.inf)))
        differences.append(found.spread**2 - true.var())
    error = np.std(differences) / np.sqrt(samples)
    assert 4 * error < 1 / entities
    assert np.mean(differences) == pytest.approx(0, abs=3 * error)


def test_the_error_of_a_reliability_is_what_samples_differ_by():
    rng = np.random.default_rng(4)
    samples = [noisy(rng, 36, 2.0) for _ in range(2000)]
    squared = [np.corrcoef(true, measured.values)[0, 1] ** 2 for true, measured in samples]
    errors = [true_values(measured).reliability_error for _, measured in samples]
    assert np.mean(errors) == pytest.approx(np.std(squared), rel=0.1)


def test_noise_is_read_from_a_measures_estimates():
    estimates = {
        "a": Estimate(3.0, 9, "trials", "", Normal(3.0, 0.5, 7)),
        "b": Estimate(0.5, 100, "trials", "", Wilson(50, 100)),
    }
    found = Noisy.of(SimpleNamespace(name="preference", reasons=(), estimates=estimates), ["b", "a", "c"])
    assert found.values[:2].tolist() == [0.5, 3.0]
    assert found.variances[:2] == pytest.approx([0.0025, 0.25], rel=0.02)
    assert found.df.tolist() == [np.inf, 7, np.inf]
    assert np.isnan(found.values[2])
