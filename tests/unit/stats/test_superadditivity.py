"""Superadditivity and its rivals: the fit above a floor beside scipy's, and the rival that decides alone."""

import math

import numpy as np
import pytest
from planted_refusals import DISLIKE, FIRST, SECOND, N, asked, found, world
from scipy import optimize, special

from pytest_llmpref.claims.intervals import Envelope, Normal, Unknown
from pytest_llmpref.stats import superadditivity
from pytest_llmpref.stats.noise import Noisy, true_values
from pytest_llmpref.stats.refusal import PRIOR_SD, WORDING_SD, Attempts, fit_additive
from pytest_llmpref.stats.superadditivity import (
    BETTER_BY,
    LEAST_LIKELY,
    FitAbove,
    better_by,
    fit_above,
    fits_above,
    floor_allowed,
    interaction,
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


@pytest.mark.parametrize("seed", [4, 6, 8])
def test_which_option_decides_is_told_anew_until_it_stays(seed):
    """No worse than what scipy finds from the planted effects, if the higher one counts; one round may be worse."""
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


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_the_worse_option_alone_is_fitted_as_well_as_by_search_where_it_did_not_plant(seed):
    """To 0.35 standard errors of the difference between models; scipy's, from seven starts."""
    attempts, rng = world(seed, product=0.3), np.random.default_rng(0)

    def logits(parameters):
        return 2 * np.maximum(parameters[FIRST], parameters[SECOND]) + parameters[N]

    def loss(parameters):
        worse = np.where(parameters[FIRST] >= parameters[SECOND], FIRST, SECOND)
        missed = attempts.refused - attempts.made * special.expit(logits(parameters))
        slope = np.r_[2 * np.bincount(worse, missed, N), missed.sum()]
        prior = np.r_[parameters[:N] / PRIOR_SD**2, parameters[N] / WORDING_SD**2]
        return parameters @ prior / 2 - likelihood(parameters).sum(), prior - slope

    def likelihood(parameters):
        chosen = logits(parameters)
        return attempts.refused * special.log_expit(chosen) + (attempts.made - attempts.refused) * special.log_expit(
            -chosen
        )

    effects = np.nan_to_num(fit_additive(attempts).effects)
    starts = [np.r_[effects + rng.normal(0, scatter, N), -2.0] for scatter in (0, 0.1, 0.3, 0.3, 0.5, 1, 1)]
    searched = [likelihood(optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x) for start in starts]
    fitted, best = worse_alone(attempts), max(searched, key=np.sum)
    by_pair = np.bincount(
        attempts.pair_of, fit_above(attempts, (DISLIKE[FIRST] * DISLIKE[SECOND])[:, None], 0.0).likelihood - fitted
    )
    assert best.sum() - fitted.sum() < 0.35 * math.sqrt(len(by_pair)) * by_pair.std()


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_the_error_is_that_of_the_information_where_the_model_holds(floor):
    """Fisher's, at the planted chances, over six studies; the error of one scatters by about 5%."""
    covariate, ratios = DISLIKE[FIRST] * DISLIKE[SECOND], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        above = special.expit(-0.5 + 0.7 * (DISLIKE[FIRST] + DISLIKE[SECOND]) + 0.3 * covariate)
        chances = floor + (1 - floor) * above
        made = np.full(len(FIRST), 10)
        refused = rng.binomial(made, chances)
        fit = fit_above(Attempts(FIRST, SECOND, 0 * FIRST, refused, made, refused > 0, N), covariate[:, None], floor)
        design = np.column_stack([np.eye(N)[FIRST] + np.eye(N)[SECOND], np.ones(len(FIRST)), covariate])
        weight = made * ((1 - floor) * above * (1 - above)) ** 2 / (chances * (1 - chances))
        prior = np.diag(np.r_[np.full(N, PRIOR_SD**-2.0), np.full(2, WORDING_SD**-2.0)])
        ratios.append(fit.error / math.sqrt(np.linalg.inv((design.T * weight) @ design + prior)[-1, -1]))
        assert fit.converged
        assert abs(fit.interaction - 0.3) < 4 * fit.error
    assert np.mean(ratios) == pytest.approx(1, abs=0.08)


def test_both_fits_bear_what_is_unknown_of_the_reliability(monkeypatch):
    """By hand: the coefficient is as uncertain as its error and its share of the reliability's error are together."""
    attempts, rng = world(8), np.random.default_rng(8)
    preference = Noisy(-DISLIKE + 0.5 * rng.standard_normal(N), np.full(N, 0.25), np.full(N, 10.0))
    preference.values[3] = preference.variances[3] = np.nan
    given, asked_of = [], []

    def fits(of, covariates):
        asked_of.append(of)
        given.append(covariates)
        likelihood = np.full(len(of), -1.0)
        return [
            FitAbove(0.0, 0.4, 0.03, 20.0, likelihood, 1.0, True),
            FitAbove(0.052, 0.5, 0.04, 18.0, likelihood, 1.0, True),
        ]

    monkeypatch.setattr(superadditivity, "fits_above", fits)
    monkeypatch.setattr(superadditivity, "better_by", lambda *_: 5.0)
    found = interaction(attempts, preference, np.arange(N) // 6)
    known = (FIRST != 3) & (SECOND != 3)
    truth = true_values(preference)
    share = truth.reliability_error / truth.reliability
    assert 0.02 < share < 0.5
    assert found.interval_method == Envelope((
        Normal(0.4, pytest.approx(math.hypot(0.03, 0.4 * share)), 20.0),
        Normal(0.5, pytest.approx(math.hypot(0.04, 0.5 * share)), 18.0),
    ))  # fmt: skip
    assert (found.value, found.n, found.unit, found.label) == (0.4, known.sum(), "trials", superadditivity.LABEL)
    assert found.invalid == ()
    assert found.method == (
        "logistic model with one effect for each entity and one for options of one group, clustered by pair, dislikes "
        f"corrected for noise (reliability {truth.reliability:.2f}; Carroll et al. 2006); log-odds scale, interval "
        "over no floor and a floor of 5.2%, the highest that agrees with the answers"
    )
    assert len(asked_of[0]) == known.sum()
    same, product = given[0].T
    assert (same == (FIRST // 6 == SECOND // 6)[known]).all()
    dislike = (truth.centre - truth.means) / truth.spread
    assert product == pytest.approx((dislike[FIRST] * dislike[SECOND])[known])
    interaction(attempts, preference)
    interaction(attempts, preference, np.zeros(N, dtype=int))
    assert [one.shape[1] for one in given] == [2, 1, 1]


@pytest.mark.parametrize(
    ("preference", "n", "reason"),
    [
        (
            Noisy(0.01 * DISLIKE, np.full(N, 4.0), np.full(N, 100.0)),
            len(FIRST),
            "preferences differ by no more than their noise",
        ),
        (Noisy.exact(np.full(N, np.nan)), 0, "no trial with two known preferences"),
        (Noisy.exact(np.r_[1.0, np.full(N - 1, np.nan)]), 0, "no trial with two known preferences"),
    ],
)
def test_what_is_not_known_of_dislikes_is_said(preference, n, reason):
    found = interaction(world(9), preference)
    assert (found.n, found.unit, found.invalid, found.label) == (n, "trials", (reason,), "interaction of dislikes")
    assert found.method.endswith("one effect for each entity and one for options of one group, clustered by pair")
    assert math.isnan(found.value)
    assert found.interval_method == Unknown()


def test_what_is_planted_is_found_and_what_a_rival_planted_is_not_claimed():
    planted = found(10, product=0.5)
    assert planted.invalid == ()
    assert planted.interval().low < 0.5 < planted.interval().high
    assert "alone explains refusals as well" in found(10, worse=True).invalid[0]


def test_a_fit_that_does_not_come_to_rest_is_said_beside_the_rival(monkeypatch):
    real = superadditivity.fits_above
    monkeypatch.setattr(superadditivity, "better_by", lambda *_: 0.0)
    for rests in ((True, False), (False, True)):
        monkeypatch.setattr(
            superadditivity,
            "fits_above",
            lambda *given, rests=rests: [
                fit._replace(converged=one) for fit, one in zip(real(*given), rests, strict=True)
            ],
        )
        reasons = found(11, product=0.5).invalid
        assert reasons[0] == "the fit did not converge"
        assert "alone explains refusals as well" in reasons[1]


@pytest.mark.parametrize("logits", [[-3.0, -2.0, -1.0, 0.0, 1.0], [1.0, 1.0]])
def test_of_entities_far_apart_the_worse_one_has_the_chance_that_was_planted(logits):
    """As many attempts of a pair are refused as the worse one's chance says. Of two, the same one decides on."""
    n = len(logits)
    first, second = np.triu_indices(n, 1)
    chances = special.expit(np.array(logits)[np.maximum(first, second)])
    made = np.full(len(first), 1000)
    refused = np.round(made * chances).astype(int)
    fitted = worse_alone(Attempts(first, second, 0 * first, refused, made, refused > 0, n))
    assert fitted == pytest.approx(refused * np.log(chances) + (made - refused) * np.log1p(-chances), abs=0.5)
