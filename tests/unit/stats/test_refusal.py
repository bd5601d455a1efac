"""Refusal statistics: against statsmodels, and by simulation with planted rates and effects."""

import math
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from planted_refusals import asked, pairs
from scipy import optimize, special, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from pytest_llmpref.stats import refusal_patterns, superadditivity
from pytest_llmpref.stats.arrays import quartiles
from pytest_llmpref.stats.noise import Noisy
from pytest_llmpref.stats.refusal import (
    Attempts,
    design_effect,
    fit_additive,
    overall_rate,
    refits,
    refusal_rates,
    regression,
    split_half,
)
from pytest_llmpref.stats.refusal_patterns import attempts_needed, share_trend


def test_a_rate_is_the_average_over_questions_whatever_is_asked_again():
    """Half of the questions are refused nine times in ten, half of them one time in ten."""
    rng = np.random.default_rng(1)
    first, second = pairs(12)
    rates, pooled = [], []
    for _ in range(200):
        attempts = asked(rng, first, second, rng.permutation(np.where(np.arange(len(first)) % 2, 0.9, 0.1)), most=50)
        rates.append(overall_rate(attempts).value)
        pooled.append(attempts.refused.sum() / attempts.made.sum())
    assert np.mean(rates) == pytest.approx(0.5, abs=0.01)
    assert np.mean(pooled) > 0.75, "which is why only first attempts count"


def test_rates_have_an_interval_at_0_and_100_percent():
    first, second = pairs(5)
    never = asked(np.random.default_rng(1), first, second, np.zeros(len(first)))
    always = asked(np.random.default_rng(1), first, second, np.ones(len(first)))
    assert [rate.value for rate in refusal_rates(never)] == [0.0] * 5
    assert [rate.value for rate in refusal_rates(always)] == [1.0] * 5
    assert 0 < refusal_rates(never)[0].interval().high < 0.5
    assert 0.5 < refusal_rates(always)[0].interval().low < 1
    assert (always.refused == 10).all()
    assert (always.made == 10).all()


def test_intervals_of_rates_cover_where_both_orders_of_a_pair_are_alike():
    rng = np.random.default_rng(2)
    first, second = pairs(24)
    half = len(first) // 2
    covered, naive = [], []
    for _ in range(150):
        of_pair = rng.beta(0.3, 0.7, half)
        attempts = asked(rng, first, second, np.r_[of_pair, of_pair])
        for rate in refusal_rates(attempts):
            interval = rate.interval()
            covered.append(interval.low <= 0.3 <= interval.high)
            naive.append(abs(rate.value - 0.3) < 1.96 * math.sqrt(0.21 / rate.n))
    assert 0.92 < np.mean(covered) < 0.98
    assert np.mean(naive) < 0.90


def test_the_attempts_that_a_valid_answer_takes_are_those_of_a_censored_geometric():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(300):
        draws = rng.geometric(0.25, 200)
        estimate = attempts_needed((draws <= 5).astype(int), np.minimum(draws, 5))
        interval = estimate.interval()
        found.append((estimate.value, interval.low <= 4 <= interval.high))
    values, covered = zip(*found, strict=True)
    assert np.mean(values) == pytest.approx(4.0, abs=0.06)
    assert 0.92 < np.mean(covered) < 0.98
    assert math.isnan(attempts_needed(np.zeros(3, dtype=int), np.full(3, 5)).value)


@pytest.fixture
def world():
    rng = np.random.default_rng(4)
    first, second = pairs(16)
    effects = rng.normal(0, 1, 16)
    wording = rng.integers(0, 4, len(first))
    chance = special.expit(-1 + np.array([0.5, -0.5, 0.2, -0.2])[wording] + effects[first] + effects[second])
    return effects, asked(rng, first, second, chance, wording)


def test_the_additive_model_agrees_with_statsmodels(world):
    _, attempts = world
    rows, n = np.arange(len(attempts)), attempts.n_entities
    design = np.zeros((len(attempts), n + 4))
    design[rows, attempts.first] = 1
    design[rows, attempts.second] = 1
    design[rows, n + attempts.wording] = 1
    # The last entity is the reference: effects are told from the wordings' only as differences.
    outcome = np.c_[attempts.refused, attempts.made - attempts.refused]
    model = sm.GLM(outcome, np.delete(design, n - 1, axis=1), family=sm.families.Binomial())
    theirs = model.fit(cov_type="cluster", cov_kwds={"groups": attempts.pair_of, "use_correction": False})
    effects = np.append(theirs.params[: n - 1], 0.0)
    ours = fit_additive(attempts, prior_sd=1e4)
    np.testing.assert_allclose(ours.effects, effects - effects.mean(), atol=0.02)
    contrast = np.eye(n)[0] - 1 / n
    error = math.sqrt(contrast[: n - 1] @ theirs.cov_params()[: n - 1, : n - 1] @ contrast[: n - 1])
    assert ours.standard_errors[0] >= 0.97 * error


def test_planted_effects_are_recovered_and_covered():
    rng = np.random.default_rng(5)
    first, second = pairs(16)
    covered, rho = [], []
    for _ in range(60):
        effects = rng.normal(0, 1, 16)
        fit = fit_additive(asked(rng, first, second, special.expit(-1 + effects[first] + effects[second])))
        assert fit.converged
        covered.append(np.abs(fit.effects - (effects - effects.mean())) < 1.96 * fit.standard_errors)
        rho.append(stats.spearmanr(effects, fit.effects).statistic)
    assert 0.92 < np.mean(covered) < 0.98
    assert np.mean(rho) > 0.9


def test_an_unbiased_fit_is_where_firths_penalised_likelihood_is_largest():
    rng = np.random.default_rng(5)
    first, second = pairs(5)
    covariate = rng.normal(size=len(first))
    attempts = asked(rng, first, second, special.expit(-0.5 + covariate))
    design = np.zeros((len(first), 7))
    design[np.arange(len(first)), first] = 1
    design[np.arange(len(first)), second] = 1
    design[:, 5], design[:, 6] = 1, covariate
    precision = np.diag([1 / 4] * 5 + [1 / 25] * 2)

    def negative(parameters):
        chance = special.expit(design @ parameters)
        information = design.T @ (design * (attempts.made * chance * (1 - chance))[:, None]) + precision
        likelihood = special.xlogy(attempts.refused, chance) + special.xlog1py(
            attempts.made - attempts.refused, -chance
        )
        return -likelihood.sum() + parameters @ precision @ parameters / 2 - np.linalg.slogdet(information)[1] / 2

    best = optimize.minimize(negative, np.zeros(7), method="BFGS", options={"gtol": 1e-7}).x
    made, refused = attempts.made.astype(float), attempts.refused.astype(float)
    found = regression(attempts, covariate).fit_unbiased(refused, made)
    assert found.parameters[-1, 0] == pytest.approx(best[6], abs=1e-3)


def test_likeness_of_pairs_is_told_from_how_entities_differ():
    """Entities that differ do not make an entity's own pairs alike; pairs with chances of their own do."""
    rng = np.random.default_rng(12)
    first, second = pairs(20)
    half = len(first) // 2
    own = np.repeat([0.1, 0.9], 10)
    by_entity, by_pair = [], []
    for _ in range(100):
        differ = asked(rng, first, second, (own[first] + own[second]) / 2)
        by_entity.append(design_effect(differ, by_entity=True))
        of_pair = rng.integers(0, 2, half).astype(float)
        by_pair.append(design_effect(asked(rng, first, second, np.r_[of_pair, of_pair]), by_entity=True))
    # What is left is how opponents differ: half of the pairs have a chance 0.2 below the entity's, half 0.2 above.
    assert np.mean(by_entity) == pytest.approx(1 + 0.2**2 / (0.3 * 0.7), abs=0.05)
    assert np.mean(by_pair) == pytest.approx(2, abs=0.1)


def as_if(refused, n):
    return pytest.approx(proportion_confint(refused, n, method="wilson"))


def test_the_overall_rate_is_as_wide_as_that_of_independent_trials_at_least_and_wider_where_pairs_are_alike():
    """15 pairs in both orders: one order refused and the other not, or both alike in every third pair."""
    first, second = pairs(6)
    half, ones = len(first) // 2, np.ones(len(first), dtype=np.intp)
    for refused_first, expected in (
        (np.arange(len(first)) < half, as_if(15, 30)),
        (np.tile(np.arange(half) % 3 == 0, 2), as_if(5, 15)),
    ):
        found = overall_rate(Attempts(first, second, 0 * ones, 1 * refused_first, ones, refused_first, 6)).interval()
        assert (found.low, found.high) == expected


def test_an_overall_rate_of_few_pairs_holds_the_truth():
    """Three pairs tell little of how alike their trials are: by chance they often look less alike than they are."""
    rng, studies = np.random.default_rng(13), 1500
    first, second = (np.repeat(end, 8) for end in pairs(3, orders=1))
    held = []
    for _ in range(studies):
        interval = overall_rate(asked(rng, first, second, np.full(24, 0.3))).interval()
        held.append(interval.low <= 0.3 <= interval.high)
    assert np.mean(held) > 0.95 - 2 * math.sqrt(0.95 * 0.05 / studies)


def test_attempts_of_few_trials_have_the_error_of_a_sample():
    """The standard error of the residuals' mean is scipy's, which divides by n - 1."""
    valid, made = np.array([1, 0, 1, 1, 0]), np.array([1, 5, 2, 4, 5])
    found = attempts_needed(valid, made)
    residuals = made - found.value * valid
    assert found.interval_method.se == pytest.approx(stats.sem(residuals) / valid.mean())


def test_the_least_and_the_most_liked_are_a_quarter_each():
    """Of 20 entities five each: 10 pairs of the least liked, 10 of the most liked, 25 of both; in two orders."""
    first, second = pairs(20)
    attempts = asked(np.random.default_rng(16), first, second, np.where((first < 5) & (second < 5), 0.9, 0.1))
    found = refusal_patterns.excess(attempts, np.arange(20.0))
    assert found.n == 2 * (10 + 10 + 25)
    least, most = (first < 5) & (second < 5), (first > 14) & (second > 14)
    outer = ((first < 5) & (second > 14)) | ((first > 14) & (second < 5))
    both, one, none = (attempts.refused_first[cell].mean() for cell in (least, outer, most))
    assert found.value == pytest.approx(both - 2 * one + none)


def test_shares_of_none_have_the_error_of_agresti_and_coull():
    """statsmodels' interval for nobody of as many trials; it adds z squared trials, where we add four."""
    first, second = pairs(20)
    never = asked(np.random.default_rng(17), first, second, np.zeros(len(first)))
    error = refusal_patterns.excess(never, np.arange(20.0)).interval_method.se
    variance = 0.0
    for weight, trials in ((1, 20), (2, 50), (1, 20)):
        centre = stats.norm.ppf(0.975) ** 2 / 2 / (trials + stats.norm.ppf(0.975) ** 2)
        high = proportion_confint(0, trials, method="agresti_coull")[1]
        variance += weight**2 * ((high - centre) / stats.norm.ppf(0.975)) ** 2
    assert error == pytest.approx(math.sqrt(variance), rel=0.02)


@pytest.mark.parametrize(("icc", "alike"), [(0.0, 6), (0.25, 6), (0.25, 2)])
def test_the_design_effect_is_that_of_the_planted_likeness(icc, alike):
    """``1 + (m - 1) * ICC`` (Kish 1965), chances of a pair being of a beta distribution with this ICC."""
    rng, found = np.random.default_rng(18), []
    first, second = (np.repeat(end, alike) for end in pairs(12, orders=1))
    for _ in range(200):
        a, b = 0.3 * (1 - icc) / max(icc, 1e-9), 0.7 * (1 - icc) / max(icc, 1e-9)
        chance = np.repeat(rng.beta(a, b, len(first) // alike), alike)
        found.append(design_effect(asked(rng, first, second, chance), by_entity=False))
    assert np.mean(found) == pytest.approx(1 + (alike - 1) * icc, abs=4 * np.std(found) / math.sqrt(200) + 0.02)


@pytest.mark.parametrize(("clusters", "enough"), [(2, False), (3, True)])
def test_a_trend_needs_refusals_in_three_pairs(clusters, enough):
    quartile = np.repeat(np.arange(clusters), 2)
    found = share_trend(quartile, np.arange(2 * clusters) % 2 == 0, quartile, "x", unit="refusals")
    assert (found.invalid == ()) is enough


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_model_that_always_does_the_same_has_finite_effects_and_no_reliability(chance):
    first, second = pairs(8)
    attempts = asked(np.random.default_rng(1), first, second, np.full(len(first), chance))
    fit = fit_additive(attempts)
    assert fit.converged
    np.testing.assert_allclose(fit.effects, 0, atol=1e-6)
    assert np.isfinite(fit.standard_errors).all()
    assert math.isnan(split_half(attempts, seed=0).value)
    assert superadditivity.interaction(attempts, Noisy.exact(np.arange(8.0))).invalid


def test_reliability_is_high_where_refusals_tell_entities_apart_and_low_where_not(world):
    _, attempts = world
    assert split_half(attempts, seed=0).value > 0.7
    rng = np.random.default_rng(6)
    first, second = pairs(16)
    noise = [split_half(asked(rng, first, second, np.full(len(first), 0.3)), seed=0).value for _ in range(20)]
    assert abs(np.mean(noise)) < 0.25


def test_quartiles_hold_a_quarter_each_and_leave_out_what_has_no_value():
    values = np.array([3.0, np.nan, 1.0, 2.0, 4.0])
    assert quartiles(values).tolist() == [2, -1, 0, 1, 3]
    assert np.bincount(quartiles(np.random.default_rng(1).normal(size=72))).tolist() == [18] * 4


def test_a_trend_is_found_where_planted_and_covers():
    rng = np.random.default_rng(9)
    covered, alarms = [], []
    for _ in range(300):
        quartile = rng.integers(0, 4, 240)
        cluster = np.arange(240) // 2
        with_trend = rng.random(240) < 0.2 + 0.1 * quartile
        interval = share_trend(quartile, with_trend, cluster, "x", unit="refusals").interval()
        covered.append(interval.low <= 0.1 <= interval.high)
        alike = np.repeat(rng.random(120) < 0.3, 2)
        none = share_trend(quartile, alike, cluster, "x", unit="refusals").interval()
        alarms.append(not none.low <= 0 <= none.high)
    assert 0.92 < np.mean(covered) < 0.98
    assert np.mean(alarms) < 0.10


def test_a_reason_that_hardly_anybody_was_given_has_a_trend_with_an_error():
    """Shares of 0.2% to 1.1% over the quartiles: in nearly half of all samples of 120 refusals none has the reason."""
    rng, quartile, held, shown = np.random.default_rng(14), np.tile(np.arange(4), 30), [], []
    for _ in range(400):
        has = rng.random(120) < 0.002 + 0.003 * quartile
        interval = share_trend(quartile, has, np.arange(120) // 2, "x", unit="refusals").interval()
        shown.append(has.any())
        held.append(interval.low <= 0.003 <= interval.high)
    assert np.mean(shown) < 0.75, "an error of the sample's own alone would hold the truth no more often"
    assert np.mean(held) > 0.95


@pytest.mark.parametrize("given", [False, True])
def test_a_reason_that_nobody_or_everybody_was_given_is_known_better_than_from_two_quartiles(given):
    """These alone, three apart, have Newcombe's interval, which is of the right order where both shares are 0."""
    quartile = np.tile(np.arange(4), 60)
    interval = share_trend(quartile, np.full(240, given), np.arange(240) // 2, "x", unit="refusals").interval()
    low, high = confint_proportions_2indep(60 * given, 60, 60 * given, 60, method="newcomb")
    assert low / 3 < interval.low < 0 < interval.high < high / 3


def test_a_trend_of_refusals_that_are_alike_within_pairs_has_the_larger_error_of_clusters():
    """Eight refusals about each of 60 pairs, all with the same reason: the error is that of 60 independent ones."""
    rng, errors, values = np.random.default_rng(15), [], []
    for _ in range(300):
        quartile = rng.permutation(np.repeat(np.arange(4), 15))
        found = share_trend(
            np.repeat(quartile, 8),
            np.repeat(rng.random(60) < 0.3, 8),
            np.repeat(np.arange(60), 8),
            "x",
            unit="refusals",
        )
        errors.append(found.interval_method.se)
        values.append(found.value)
    # The standard deviation of 300 values is known to 1 / sqrt(600), which is 4%.
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.12)


@pytest.mark.parametrize(
    "change",
    [
        {"first": np.array([0, 5])},
        {"made": np.array([0, 1])},
        {"refused": np.array([2, 0])},
        {"wording": np.array([0])},
    ],
)
def test_attempts_that_cannot_be_are_refused(change):
    good = {
        "first": np.array([0, 1]),
        "second": np.array([1, 2]),
        "wording": np.array([0, 0]),
        "refused": np.array([0, 1]),
        "made": np.array([1, 2]),
        "refused_first": np.array([False, True]),
    }
    with pytest.raises(ValueError, match="attempts"):
        Attempts(**(good | change), n_entities=3)


def both_orders(refused):
    """Six entities, every pair in both orders, each asked once."""
    first, second = np.array([(i, j) for i in range(6) for j in range(6) if i != j]).T
    answers = refused(first, second)
    once = np.ones(len(first), dtype=np.intp)
    return Attempts(first, second, 0 * first, answers.astype(np.intp), once, answers, 6)


def wilson_by_hand(successes, n):
    z = 1.959963984540054
    middle = (successes + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(successes * (n - successes) / n + z**2 / 4)
    return middle - half, middle + half


def test_pairs_refused_in_one_of_their_orders_count_for_no_more_trials_than_there_are():
    attempts = both_orders(lambda first, second: first < second)
    for rate in refusal_rates(attempts):
        interval = rate.interval()
        assert (rate.value, rate.n) == (0.5, 10)
        assert (interval.low, interval.high) == pytest.approx(wilson_by_hand(5, 10))


def test_pairs_refused_in_both_orders_or_in_none_count_once():
    attempts = both_orders(lambda first, second: (first + second) % 2 == 1)
    for entity, rate in enumerate(refusal_rates(attempts)):
        refused = 2 * sum((entity + other) % 2 for other in range(6) if other != entity)
        interval = rate.interval()
        assert (interval.low, interval.high) == pytest.approx(wilson_by_hand(refused / 2, 5))


def test_other_readings_of_attempts_are_fitted_as_if_they_had_been_read_so(world):
    """Some refusals are taken for attempts that cannot be read, and then given back: all of them, or half."""
    _, attempts = world
    unread = np.where(np.arange(len(attempts)) % 3 == 0, attempts.refused, 0)
    less = replace(attempts, refused=attempts.refused - unread)
    again, varying = refits(less, unread), np.flatnonzero(unread)
    assert again.varying.tolist() == varying.tolist()
    found = again.effects(np.c_[unread[varying], unread[varying] // 2].astype(float))
    for column, refused in zip(found.T, (attempts.refused, less.refused + unread // 2), strict=True):
        assert column == pytest.approx(fit_additive(replace(attempts, refused=refused)).effects, abs=1e-5)


@pytest.mark.parametrize("refused", [True, False])
def test_attempts_that_all_ended_alike_have_no_reliability_and_say_why(refused):
    found = split_half(both_orders(lambda first, _: np.full(len(first), refused)), seed=1)
    assert math.isnan(found.value)
    assert (found.n, found.invalid) == (6, ("refusals do not tell at least four entities apart",))


def test_the_error_of_an_excess_is_that_of_pairs_or_of_a_few_more_trials_if_that_is_larger():
    """Shares by hand; of each, the variance over pairs, or Agresti and Coull's with two of either more."""
    first, second = pairs(20)
    half = len(first) // 2
    of_pair = np.random.default_rng(21).random(half) < 0.4
    attempts = asked(np.random.default_rng(22), first, second, np.r_[of_pair, of_pair].astype(float))
    found = refusal_patterns.excess(attempts, np.arange(20.0))
    low = first < 5, second < 5
    high = first > 14, second > 14
    variance = 0.0
    for weight, cell in ((1, low[0] & low[1]), (4, (low[0] & high[1]) | (high[0] & low[1])), (1, high[0] & high[1])):
        refused, n = attempts.refused_first[cell], int(cell.sum())
        p = (refused.sum() + 2) / (n + 4)
        # Both orders of a pair end alike here, so that a pair's sum is twice its residual.
        clustered = np.sum((2 * (refused - refused.mean())) ** 2) / 2 / n**2
        variance += weight * max(p * (1 - p) / (n + 4), clustered)
    assert found.interval_method.se == pytest.approx(math.sqrt(variance))
    assert (found.unit, found.label) == ("trials", "excess refusal rate beyond additivity (probability)")
    assert found.method.startswith("two options of the least-liked quarter are refused in")
    never = refusal_patterns.excess(asked(np.random.default_rng(1), first, second, 0.0 * first), np.arange(20.0))
    expected = sum(w * 2 / (n + 4) * (1 - 2 / (n + 4)) / (n + 4) for w, n in ((1, 20), (4, 50), (1, 20)))
    assert never.interval_method.se == pytest.approx(math.sqrt(expected))
    assert never.invalid == ("no attempt was refused: nothing can add up",)
    few = refusal_patterns.excess(attempts, np.where(np.arange(20) < 3, 1.0, math.nan))
    assert (few.n, few.unit, few.label, few.invalid) == (
        0, "trials", found.label, ("fewer than four known preferences",)
    )  # fmt: skip


def test_attempts_and_trends_say_what_they_are():
    valid, made = np.array([1, 0, 1]), np.array([1, 5, 2])
    for found in (attempts_needed(valid, made), attempts_needed(0 * valid, made)):
        assert (found.n, found.unit, found.label) == (3, "trials", "attempts to a valid answer")
        assert found.method.startswith("censored geometric")
    assert attempts_needed(0 * valid, made).invalid == ("no answer was valid",)
    quartile, has = np.repeat(np.arange(4.0), 5), np.arange(20) >= 10
    for cluster, reasons in (
        (np.arange(20), ()),
        (np.arange(20) % 2, ("20 refusals in 2 pairs are too few for a trend",)),
    ):
        trend = share_trend(quartile, has, cluster, "rise", unit="refusals")
        assert (trend.n, trend.unit, trend.label, trend.invalid) == (20, "refusals", "rise", reasons)
        assert trend.method.startswith("slope of the share over quartiles")
