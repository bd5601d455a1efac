"""Superadditivity and its rivals: the fit above a floor beside scipy's, and the rival that decides alone."""

import numpy as np
import pytest
from planted_refusals import DISLIKE, FIRST, SECOND, N, found, world
from scipy import optimize, special

from pytest_llmpref.claims.intervals import Envelope, Normal
from pytest_llmpref.stats import superadditivity
from pytest_llmpref.stats.refusal import PRIOR_SD, WORDING_SD
from pytest_llmpref.stats.superadditivity import (
    BETTER_BY,
    better_by,
    fit_above,
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
