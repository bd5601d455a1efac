"""The regression behind strengths and refusals: against statsmodels, and many fits at once against one at a time."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special
from simulated_comparisons import drawn, every_ordered_pair

from pytest_llmpref.stats.pair_logit import PairRegression
from pytest_llmpref.stats.rating import NUISANCE_SD, fit_strengths


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_fit_without_a_prior_is_that_of_statsmodels(sign):
    rng = np.random.default_rng(1)
    n = 10
    first, second, _ = every_ordered_pair(n)
    others = np.column_stack([np.ones(len(first)), rng.normal(size=len(first))])
    effects = rng.normal(0, 0.7, n)
    made = rng.integers(1, 5, len(first))
    successes = rng.binomial(made, special.expit(effects[first] + sign * effects[second] + others @ [0.4, -0.6]))
    precision = np.r_[np.full(n, 1e-9), 0.0, 0.0]
    model = PairRegression(first, second, n, sign=sign, others=others, precision=precision)
    fits = model.fit(successes[:, None].astype(float), made[:, None].astype(float))
    design = np.zeros((len(first), n))
    design[np.arange(len(first)), first] += 1
    design[np.arange(len(first)), second] += sign
    theirs = sm.GLM(
        np.c_[successes, made - successes], np.c_[design[:, 1:], others], family=sm.families.Binomial()
    ).fit()
    assert fits.converged.all()
    np.testing.assert_allclose(fits.chances[:, 0], theirs.fittedvalues, atol=1e-6)
    np.testing.assert_allclose(fits.parameters[-1, 0], theirs.params[-1], atol=1e-6)
    variance = (made * fits.chances[:, 0] * (1 - fits.chances[:, 0]))[:, None]
    found = model.information(variance, with_prior=False)[0]
    full = np.c_[design, others]
    np.testing.assert_allclose(found, (full * variance).T @ full, atol=1e-9)


def test_many_fits_at_once_are_those_of_one_at_a_time():
    rng = np.random.default_rng(2)
    comparisons = drawn(rng, np.r_[12.0, rng.normal(0, 2, 13)], position=1.0)
    weights = rng.integers(0, 3, (len(comparisons), 7)).astype(float)
    together, _ = fit_strengths(comparisons, weights)
    apart = [fit_strengths(comparisons, weights[:, [fit]])[0] for fit in range(7)]
    assert together.converged.all()
    np.testing.assert_allclose(together.parameters, np.column_stack([fit.parameters for fit in apart]), atol=1e-9)
    assert together.iterations.tolist() == [int(fit.iterations[0]) for fit in apart]


def test_the_sandwich_is_near_to_that_of_whole_matrices_of_leverage():
    """Bell and McCaffrey (2002): residuals of a pair times the inverse root of 1 less its matrix of leverage."""
    rng = np.random.default_rng(3)
    comparisons = drawn(rng, rng.normal(0, 0.5, 14))
    fits, model = fit_strengths(comparisons, np.ones((len(comparisons), 1)))
    pairs, pair_of = comparisons.pairs
    variance = (fits.chances * (1 - fits.chances))[:, 0]
    bread = np.linalg.inv(model.information(variance[:, None])[0])
    residuals = comparisons.score - fits.chances[:, 0]
    found = model.sandwich(residuals, variance, bread, pair_of)
    design = np.stack([model.add_up(row[:, None])[:, 0] for row in np.eye(len(comparisons))])
    weighted, expected = design * np.sqrt(variance)[:, None], np.zeros_like(bread)
    for pair in range(len(pairs)):
        own = np.flatnonzero(pair_of == pair)
        size, axes = np.linalg.eigh(np.eye(len(own)) - weighted[own] @ bread @ weighted[own].T)
        adjusted = axes @ np.diag(size**-0.5) @ axes.T @ (residuals[own] / np.sqrt(variance[own]))
        score = weighted[own].T @ adjusted
        expected += np.outer(score, score)
    np.testing.assert_allclose(np.diag(found)[:14], np.diag(bread @ expected @ bread)[:14], rtol=0.03)


def test_errors_are_the_posteriors_where_trials_are_independent_and_effects_as_large_as_the_prior_says():
    """Sampling and the prior's shrinkage add up to it (Nychka 1988); an effect shrunk by more has a larger error."""
    rng = np.random.default_rng(5)
    comparisons = drawn(rng, rng.normal(0, 2, 16))
    fits, model = fit_strengths(comparisons, np.ones((len(comparisons), 1)), prior_sd=0.5)
    assert np.std(fits.parameters[:16]) > 0.5
    variance = (fits.chances * (1 - fits.chances))[:, 0]
    _, pair_of = comparisons.pairs
    # No residual at all: for draws, the model's own scatter is the least.
    errors, _ = model.errors(
        np.zeros(len(comparisons)), variance, pair_of, np.eye(18), parameters=fits.parameters[:, 0], drawn=True
    )
    bread = np.linalg.inv(model.information(variance[:, None])[0])
    precision = np.r_[np.full(16, 0.5**-2), np.full(2, NUISANCE_SD**-2)]
    own = (bread @ (precision * fits.parameters[:, 0])) ** 2
    usual = bread**2 @ precision
    assert 3 < np.sum(own > usual) < 16
    np.testing.assert_allclose(errors**2, np.diag(bread) + np.maximum(own - usual, 0), rtol=1e-9)


def test_effects_are_as_large_as_found_and_as_not_known():
    """The size that shrinkage is taken from is found from shrunk effects, so the posterior's variance is added."""
    rng = np.random.default_rng(5)
    comparisons = drawn(rng, rng.normal(0, 0.1, 16))
    fits, model = fit_strengths(comparisons, np.ones((len(comparisons), 1)), prior_sd=3.0)
    variance = (fits.chances * (1 - fits.chances))[:, 0]
    errors, _ = model.errors(
        np.zeros(len(comparisons)), variance, comparisons.pairs[1], np.eye(18), parameters=np.zeros(18), drawn=True
    )
    bread = np.linalg.inv(model.information(variance[:, None])[0])
    sampling = np.diag(bread @ model.information(variance[:, None], with_prior=False)[0] @ bread)
    size = np.r_[np.full(16, np.diag(bread)[:16].mean()), np.full(2, NUISANCE_SD**2)]
    precision = np.r_[np.full(16, 3.0**-2), np.full(2, NUISANCE_SD**-2)]
    np.testing.assert_allclose(errors**2, sampling + bread**2 @ (precision**2 * size), rtol=1e-9)


def test_the_errors_of_a_sandwich_are_added_up_by_cluster():
    """Of two trials that are alike, one pair's, the error is that of one whose residual is twice as large."""
    rng = np.random.default_rng(3)
    comparisons = drawn(rng, rng.normal(0, 1, 6))
    _, model = fit_strengths(comparisons, np.ones((len(comparisons), 1)))
    residuals, (_, pair_of) = rng.normal(size=len(comparisons)), comparisons.pairs
    expected = np.zeros((8, 8))
    for pair in np.unique(pair_of):
        total = model.add_up(np.where(pair_of == pair, residuals, 0.0)[:, None])
        expected += total @ total.T
    # Without variance nothing is fitted, and no trial has a leverage.
    found = model.sandwich(residuals, np.zeros(len(comparisons)), np.eye(8), pair_of)
    np.testing.assert_allclose(found, expected, atol=1e-9)
