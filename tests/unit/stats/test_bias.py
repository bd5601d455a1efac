"""Position and label bias: planted, clustered, and at their limits."""

import numpy as np
import pytest
from scipy import stats
from simulated_comparisons import chances, comparisons_of, drawn, few
from statsmodels.stats.proportion import proportion_confint

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Wilson
from pytest_llmpref.stats.comparisons import Comparisons, label_bias, no_bias_p_value, position_bias


def test_planted_biases_are_found_apart_from_each_other():
    strengths = np.linspace(-1, 1, 30)
    by_position = drawn(np.random.default_rng(1), strengths, position=1.0)
    by_label = drawn(np.random.default_rng(1), strengths, label=2.0)
    assert position_bias(by_position).value == pytest.approx(chances(strengths, position=1.0).mean(), abs=0.03)
    assert no_bias_p_value(position_bias(by_position)) < 1e-6
    assert no_bias_p_value(label_bias(by_position)) > 0.01
    assert label_bias(by_label).value > 0.6
    assert no_bias_p_value(label_bias(by_label)) < 1e-6
    assert no_bias_p_value(position_bias(by_label)) > 0.01


def test_the_interval_holds_the_planted_share_at_least_95_percent_of_the_time_and_is_not_idle():
    rng = np.random.default_rng(2)
    strengths, studies = rng.normal(0, 1, 16), 300
    truth = chances(strengths, position=0.6).mean()
    intervals = [position_bias(drawn(rng, strengths, position=0.6)).interval() for _ in range(studies)]
    coverage = np.mean([interval.low < truth < interval.high for interval in intervals])
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / studies) < coverage < 0.995
    assert np.mean([interval.high - interval.low for interval in intervals]) < 0.13


def test_the_p_value_is_below_5_percent_in_5_percent_of_studies_without_bias():
    rng = np.random.default_rng(3)
    p = [no_bias_p_value(position_bias(drawn(rng, np.zeros(16)))) for _ in range(400)]
    assert 0.015 < np.mean(np.array(p) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_repeating_every_answer_does_not_narrow_the_interval():
    once = drawn(np.random.default_rng(4), np.zeros(20), position=0.5)
    ten = Comparisons(*(np.tile(part, 10) for part in (once.first, once.second, once.score, once.label_first_is_a)), 20)
    widths = [e.interval().high - e.interval().low for e in (position_bias(once), position_bias(ten))]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_model_that_always_takes_one_side_counts_each_pair_once(value):
    bias = position_bias(comparisons_of(np.full(90, value), 10))
    expected = stats.binomtest(45 if value else 0, 45).proportion_ci(method="wilson")
    interval = bias.interval()
    assert bias.value == value
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert no_bias_p_value(bias) < 1e-6
    assert label_bias(comparisons_of(np.full(90, value), 10)).value == pytest.approx(0.5, abs=0.1)


def test_orders_that_cancel_exactly_still_leave_some_doubt():
    bias = position_bias(comparisons_of(chances(np.linspace(-9, 9, 12)) > 0.5, 12))
    assert bias.value == 0.5
    assert 0.005 < bias.interval().high - 0.5 < 0.05
    assert no_bias_p_value(bias) == 1


def test_probabilities_count_as_shares():
    bias = position_bias(few([(0, 1, 0.75), (1, 0, 0.75), (0, 2, 0.65), (2, 0, 0.65)], 3))
    assert (bias.value, bias.n, bias.unit) == (pytest.approx(0.7), 4, "trials")
    assert 0 < bias.interval().low < 0.7 < bias.interval().high < 1


def test_few_pairs_of_many_trials_count_as_what_their_shares_scatter_by():
    """Three pairs, 2,000 trials each: the mean has the standard error of three shares (scipy's, n - 1 below)."""
    shares = np.array([0.30, 0.45, 0.75])
    rows = [
        (a, b, float(n < 2000 * p))
        for (a, b), p in zip([(0, 1), (0, 2), (1, 2)], shares, strict=True)
        for n in range(2000)
    ]
    bias = position_bias(few(rows, 3))
    n = 0.5 * 0.5 / stats.sem(shares) ** 2
    assert bias.value == 0.5
    expected = proportion_confint(0.5 * n, n, method="wilson")
    assert (bias.interval().low, bias.interval().high) == pytest.approx(expected, abs=1e-3)


def test_the_p_value_is_that_of_the_score_test_and_wants_a_wilson_share():
    share = Estimate(0.6, 100, "trials", "by hand", Wilson(60, 100))
    assert no_bias_p_value(share) == pytest.approx(2 * stats.norm.sf(0.1 / np.sqrt(0.25 / 100)))
    with pytest.raises(TypeError, match="position_bias or label_bias"):
        no_bias_p_value(Estimate(0.6, 100, "trials", "by hand", Normal(0.6, 0.1)))


def test_no_comparisons_are_refused():
    none = np.array([], dtype=np.intp)
    with pytest.raises(ValueError, match="no comparisons"):
        position_bias(Comparisons(none, none, none.astype(float), none.astype(bool), 3))


@pytest.mark.parametrize(
    ("score", "effective"),
    [
        ([1, 0], 0.25 / (1 * (0 + 2) / 4)),  # one pair
        ([1, 1, 1, 0], 0.1875 / (2 * (0.5 + 2) / 16)),
        ([1, 1, 1, 0, 0, 0], 0.25 / (1.5 * (2 + 2) / 36)),
        ([1, 1, 1, 1], 2),  # one-sided: each pair counts once
    ],
)
def test_effective_trials_of_few_pairs_by_hand(score, effective):
    """Sums over pairs, two one-sided pairs more, and pairs / (pairs - 1)."""
    first, second = np.array([0, 1, 0, 2, 1, 2]), np.array([1, 0, 2, 0, 2, 1])
    kept = len(score)
    found = position_bias(Comparisons(first[:kept], second[:kept], np.array(score, float), np.arange(kept) % 2 == 0, 3))
    assert found.interval_method.n == pytest.approx(effective)
    assert (found.value, found.n, found.unit) == (np.mean(score), kept, "trials")
