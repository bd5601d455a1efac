"""Superadditivity and its rivals: the fit above a floor beside scipy's, and every rival in a world of its own."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from pytest_llmpref.claims.intervals import Envelope, Normal
from pytest_llmpref.stats import superadditivity
from pytest_llmpref.stats.noise import Noisy
from pytest_llmpref.stats.refusal import PRIOR_SD, WORDING_SD, Attempts
from pytest_llmpref.stats.superadditivity import (
    BETTER_BY,
    better_by,
    fit_above,
    floor_allowed,
    interaction,
    worse_alone,
)

N = 24
DISLIKE = special.ndtri((np.arange(N) + 0.5) / N)
GROUP = np.arange(N) // 6
FIRST, SECOND = (np.tile(side, 2) for side in np.triu_indices(N, 1))


def world(seed, *, product=0.0, together=0.0, floor=0.0, worse=False, own=0.7):
    """Every pair in two trials, up to ten attempts each; groups are liked alike."""
    rng = np.random.default_rng(seed)
    effect = own * DISLIKE + 0.5 * rng.standard_normal(N)
    logits = -2.0 + effect[FIRST] + effect[SECOND] + product * DISLIKE[FIRST] * DISLIKE[SECOND]
    if worse:
        logits = -2.0 + 1.6 * np.maximum(effect[FIRST], effect[SECOND])
    logits = logits + together * (GROUP[FIRST] == GROUP[SECOND])
    chances = floor + (1 - floor) * special.expit(logits)
    refused = np.minimum(rng.geometric(1 - chances) - 1, 10)
    made = np.minimum(refused + 1, 10)
    return Attempts(FIRST, SECOND, 0 * FIRST, refused, made, refused > 0, N)


def found(seed, *, group=GROUP, **planted):
    return interaction(world(seed, **planted), Noisy.exact(-DISLIKE), group)


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


@pytest.mark.parametrize("planted", [{"together": 1.0}, {"floor": 0.08}])
def test_rivals_are_not_called_superadditive(planted):
    """60 studies each: nominal is 2.5%, and 5% may be."""
    lows = [found(seed, **planted).interval(0.95).low for seed in range(60)]
    assert np.mean(np.array(lows) > 0) <= 0.10


def test_options_of_one_group_would_be_called_so_without_a_term_for_them():
    lows = [found(seed, group=None, together=1.0).interval(0.95).low for seed in range(30)]
    assert np.mean(np.array(lows) > 0) > 0.3


def test_where_the_worse_option_decides_nothing_is_said_of_what_two_add_up_to():
    estimates = [found(seed, worse=True) for seed in range(40)]
    assert sum("alone explains" in " ".join(one.invalid) for one in estimates) >= 38


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


def test_planted_superadditivity_is_still_found():
    estimates = [found(seed, product=0.4) for seed in range(30)]
    assert np.mean([bool(one.invalid) for one in estimates]) < 0.05
    assert np.mean([one.interval(0.95).low > 0 for one in estimates]) > 0.6
    assert np.mean([one.value for one in estimates]) == pytest.approx(0.4, abs=0.06)
    assert not math.isnan(estimates[0].value)
    assert "log-odds scale" in estimates[0].method
