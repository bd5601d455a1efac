"""Superadditivity and its rivals: the fit above a floor beside scipy's, and the rival that decides alone."""

import math

import numpy as np
import pytest
from planted_refusals import DISLIKE, FIRST, SECOND, N, asked, found, world
from scipy import optimize, special

from pytest_llmpref.claims.intervals import Envelope, Normal
from pytest_llmpref.stats import superadditivity
from pytest_llmpref.stats.refusal import PRIOR_SD, WORDING_SD
from pytest_llmpref.stats.superadditivity import (
    BETTER_BY,
    LEAST_LIKELY,
    FitAbove,
    better_by,
    fit_above,
    fits_above,
    floor_allowed,
    worse_alone,
)


def test_an_envelope_reaches_as_far_as_any_of_its_intervals():
    assert Envelope((Normal(0.0, 1.0), Normal(1.0, 1.0))).limits(0.95) == pytest.approx((-1.95996, 2.95996), abs=1e-4)


def test_the_fit_above_a_floor_is_where_the_penalised_likelihood_is_highest():
    """With priors as ours and Firth's penalty left out, which hardly moves so large a study; scipy's search."""
    attempts, floor = world(1, product=0.3, floor=0.1), 0.1
    covariate = DISLIKE[FIRST] * DISLIKE[SECOND]

    def loss(parameters):
        effects, level, slope = parameters[:N], parameters[N], parameters[N + 1]
        logits = effects[FIRST] + effects[SECOND] + level + slope * covariate
        chances = floor + (1 - floor) * special.expit(logits)
        prior = np.sum(effects**2) / PRIOR_SD**2 + (level**2 + slope**2) / WORDING_SD**2
        return prior / 2 - np.sum(
            attempts.refused * np.log(chances) + (attempts.made - attempts.refused) * np.log1p(-chances)
        )

    best = optimize.minimize(loss, np.r_[np.zeros(N), -2.0, 0.0], method="L-BFGS-B", options={"maxiter": 2000}).x[-1]
    fit = fit_above(attempts, covariate[:, None], floor)
    assert fit.interaction == pytest.approx(best, abs=0.03)
    without = fit_above(attempts, covariate[:, None], 0.0)
    assert fit.error > without.error


def test_the_least_refused_bound_the_floor():
    assert floor_allowed(world(2)) < 0.07
    allowed = [floor_allowed(world(seed, floor=0.08)) for seed in range(20)]
    # The quarter that is fitted as least refused was so by chance too, so this is less sure than 95%.
    assert np.mean(np.array(allowed) >= 0.08) >= 0.8
    assert np.mean(allowed) < 0.16


def test_the_worse_option_alone_is_fitted_as_well_as_the_model_that_planted_it():
    """Beside the likelihood at the planted chances, which a fit with 24 effects exceeds."""
    attempts = world(3, worse=True)
    effect = 0.7 * DISLIKE + 0.5 * np.random.default_rng(3).standard_normal(N)
    chances = special.expit(-2.0 + 1.6 * np.maximum(effect[FIRST], effect[SECOND]))
    planted = attempts.refused * np.log(chances) + (attempts.made - attempts.refused) * np.log1p(-chances)
    fitted = worse_alone(attempts)
    assert fitted.shape == planted.shape
    assert 0 < fitted.sum() - planted.sum() < 40


def test_a_model_is_better_by_how_far_pairs_agree_that_it_is():
    """Two trials of a pair are one voice: the statistic is that of pairs, z = sum / (sqrt(k) * sd) (Vuong 1989)."""
    attempts, rng = world(4), np.random.default_rng(4)
    gain = rng.standard_normal(len(attempts.first))
    sums = np.bincount(attempts.pair_of, gain)
    expected = sums.sum() / (np.sqrt(len(sums)) * sums.std())
    assert better_by(attempts, gain, np.zeros(len(gain))) == pytest.approx(expected)
    assert better_by(attempts, gain, gain) == 0.0


@pytest.mark.parametrize(("z", "valid"), [(BETTER_BY + 0.01, True), (BETTER_BY - 0.01, False)])
def test_superadditivity_is_claimed_only_where_the_rival_fits_worse_by_more_than_chance(monkeypatch, z, valid):
    monkeypatch.setattr(superadditivity, "better_by", lambda *_: z)
    assert bool(found(5, product=0.4).invalid) is not valid


@pytest.mark.parametrize(
    ("allowed", "lost", "scatter", "expected"),
    [
        # A loss of 1000 floor**2 comes to 0.82 at 0.0286356; where pairs scatter twice as much, one of 2000 does.
        (0.1, lambda floor: 1000 * floor**2, 1.0, 0.0286356),
        (0.1, lambda floor: 2000 * floor**2, 2.0, 0.0286356),
        # From the best on: at 0.05 + 0.0286356.
        (0.1, lambda floor: 1000 * (floor - 0.05) ** 2, 1.0, 0.0786356),
        # A straight line comes to 0.82 at 0.041.
        (0.1, lambda floor: 20 * floor, 1.0, 0.041),
        # As far as the least refused allow, where all answers do not object.
        (0.1, lambda floor: (LEAST_LIKELY - 1e-9) * floor / 0.1, 1.0, 0.1),
        (0.1, lambda floor: 1000 * (floor - 0.1) ** 2, 1.0, 0.1),
    ],
)
def test_the_highest_floor_is_where_the_likelihood_is_too_low(monkeypatch, allowed, lost, scatter, expected):
    """By hand: losses that are parabolas, of pairs that scatter once or twice as independent attempts do."""
    attempts, covariates = world(6), (DISLIKE[FIRST] * DISLIKE[SECOND])[:, None]

    def fitted(of, regressors, floor):
        assert of is attempts
        assert regressors is covariates
        return FitAbove(floor, 0.0, 1.0, math.inf, np.array([-300.0, -lost(floor)]), scatter, True)

    monkeypatch.setattr(superadditivity, "fit_above", fitted)
    monkeypatch.setattr(superadditivity, "floor_allowed", lambda _: allowed)
    fits = fits_above(attempts, covariates)
    assert [fit.floor for fit in fits] == pytest.approx([0.0, expected], rel=1e-5)


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_pairs_scatter_about_the_fit_as_their_residuals_do(floor):
    """With one attempt in a trial, its likelihood is its chance, or 1 less that: the rest is Pearson's chi-square."""
    rng = np.random.default_rng(7)
    of_pair = np.tile(rng.normal(0, 3, len(FIRST) // 2), 2)
    attempts = asked(rng, FIRST, SECOND, special.expit(-1 + of_pair), most=1, n=N)
    fit = fit_above(attempts, (DISLIKE[FIRST] * DISLIKE[SECOND])[:, None], floor)
    chances = np.where(attempts.refused == 1, np.exp(fit.likelihood), 1 - np.exp(fit.likelihood))
    residuals = (attempts.refused - chances).reshape(2, -1).sum(axis=0)
    pairs = len(residuals)
    # 24 entities, one wording, one covariate.
    expected = pairs / (pairs - 26) * np.sum(residuals**2) / np.sum(chances * (1 - chances))
    assert fit.scatter == pytest.approx(expected)
    assert fit.scatter > 1.3
    assert chances.min() > floor
    independent = asked(rng, FIRST, SECOND, special.expit(np.full(len(FIRST), -1.0)), most=1, n=N)
    assert 1 <= fit_above(independent, (DISLIKE[FIRST] * DISLIKE[SECOND])[:, None], floor).scatter < 1.25


@pytest.mark.parametrize("seed", [4, 6])
def test_which_option_decides_is_told_anew_until_it_stays(seed):
    """No worse than what scipy finds from the planted effects, if the higher one counts; one round is worse by 2."""
    attempts = world(seed, worse=True)

    def likelihood(parameters):
        logits = 2 * np.maximum(parameters[FIRST], parameters[SECOND]) + parameters[N]
        return np.sum(
            attempts.refused * special.log_expit(logits)
            + (attempts.made - attempts.refused) * special.log_expit(-logits)
        )

    def loss(parameters):
        prior = np.sum(parameters[:N] ** 2) / PRIOR_SD**2 + parameters[N] ** 2 / WORDING_SD**2
        return prior / 2 - likelihood(parameters)

    planted = 0.8 * (0.7 * DISLIKE + 0.5 * np.random.default_rng(seed).standard_normal(N))
    best = optimize.minimize(loss, np.r_[planted, -2.0], method="L-BFGS-B").x
    assert -0.01 < worse_alone(attempts).sum() - likelihood(best) < 5
