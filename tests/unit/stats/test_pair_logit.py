"""The regression behind strengths and refusals: against statsmodels, and many fits at once against one at a time."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, special
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


def small(seed, *, sign=-1.0):
    """A regression of 5 entities with two further regressors, its dense matrix, and outcomes."""
    rng = np.random.default_rng(seed)
    first, second, _ = every_ordered_pair(5)
    others = np.column_stack([np.ones(len(first)), rng.normal(size=len(first))])
    precision = np.r_[np.full(5, 0.5), 0.1, 0.2]
    model = PairRegression(first, second, 5, sign=sign, others=others, precision=precision)
    design = np.zeros((len(first), 7))
    design[np.arange(len(first)), first] += 1
    design[np.arange(len(first)), second] += sign
    design[:, 5:] = others
    made = rng.integers(1, 4, len(first)).astype(float)
    successes = rng.binomial(made.astype(int), 0.6).astype(float)
    return model, design, precision, successes, made


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_regressors_and_sums_are_those_of_the_dense_matrix(sign):
    model, design, precision, successes, made = small(6, sign=sign)
    rows = np.array([7, 0, 19])
    np.testing.assert_allclose(model.trials(rows).toarray(), design[rows])
    cluster = np.arange(len(made)) % 4
    sums = np.array([design[cluster == one].T @ successes[cluster == one] for one in range(4)])
    np.testing.assert_allclose(model.cluster_scores(successes, cluster), sums, atol=1e-12)
    weights = np.c_[made, successes + 0.5]
    for chosen in ([0], [1], [0, 1]):
        each = weights[:, chosen]
        squares = [(design * one[:, None]).T @ design for one in each.T]
        np.testing.assert_allclose(model.squares(each), squares, atol=1e-12)
        np.testing.assert_allclose(model.add_up(each), design.T @ each, atol=1e-12)
        np.testing.assert_allclose(model.met(each), abs(design[:, :5]).T @ each, atol=1e-12)
        parameters = np.random.default_rng(1).normal(size=(7, len(chosen)))
        np.testing.assert_allclose(model.log_odds(parameters), design @ parameters, atol=1e-12)
    matrix = np.linalg.inv(np.diag(precision) + design.T @ design)
    np.testing.assert_allclose(model.forms(matrix), np.diag(design @ matrix @ design.T), atol=1e-12)
    # One step from some parameters, under two weightings.
    at = np.linspace(-0.5, 0.5, 7)
    chance = special.expit(design @ at)
    variance = made * chance * (1 - chance)
    steps = model.step(at, successes - made * chance, variance, weights)
    for found, weight in zip(steps.T, weights.T, strict=True):
        slope = design.T @ (weight * (successes - made * chance)) - precision * at
        information = (design * (weight * variance)[:, None]).T @ design + np.diag(precision)
        np.testing.assert_allclose(found, np.linalg.solve(information, slope), atol=1e-12)


def test_an_unbiased_fit_is_where_the_likelihood_with_jeffreys_prior_is_largest():
    model, design, precision, successes, made = small(7)

    def lost(at):
        chance = special.expit(design @ at)
        information = (design * (made * chance * (1 - chance))[:, None]).T @ design + np.diag(precision)
        likelihood = successes @ np.log(chance) + (made - successes) @ np.log1p(-chance) - precision @ at**2 / 2
        return -likelihood - np.linalg.slogdet(information)[1] / 2

    found = model.fit_unbiased(successes, made).parameters[:, 0]
    best = optimize.minimize(lost, np.zeros(7), tol=1e-10).x
    np.testing.assert_allclose(found, best, atol=2e-3)
    assert np.max(np.abs(model.fit(successes[:, None], made[:, None]).parameters[:, 0] - best)) > 0.02


def test_a_fit_from_afar_comes_to_the_same_maximum_and_one_from_there_rests():
    model, design, precision, successes, made = small(8)
    once = model.fit(successes[:, None], made[:, None])
    at = once.parameters[:, 0]
    # At the maximum what the data say is what the prior takes.
    np.testing.assert_allclose(design.T @ (successes - made * once.chances[:, 0]), precision * at, atol=1e-9)
    afar = np.array([9.0, -9, 9, -9, 9, 3, 3])
    both = model.fit(np.c_[successes, successes], np.c_[made, made], start=np.c_[at, afar])
    assert both.converged.all()
    assert both.iterations[0] == 1
    np.testing.assert_allclose(both.parameters, np.c_[at, at], atol=1e-9)
    stopped = model.fit(successes[:, None], made[:, None], max_iterations=1)
    assert (stopped.converged[0], stopped.iterations[0]) == (False, 1)
    twice = model.fit(np.c_[successes, successes], np.c_[made, made], precision=np.c_[precision, 4 * precision])
    np.testing.assert_allclose(twice.parameters[:, 0], at, atol=1e-9)
    residual = design.T @ (successes - made * twice.chances[:, 1])
    np.testing.assert_allclose(residual, 4 * precision * twice.parameters[:, 1], atol=1e-9)
