"""Reliability, cycles and decided pairs: hand-made data, simulation, and awkward data."""

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy import stats
from simulated_comparisons import chances, comparisons_of, drawn, every_ordered_pair, few

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.attenuation import noise_ceiling
from pytest_llmpref.stats.comparisons import Comparisons, cycle_rate, decided_pairs
from pytest_llmpref.stats.halves import split_half
from pytest_llmpref.stats.ranks import RhoInterval
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.stats.reliability import means, spearman_brown, split_correlations
from pytest_llmpref.stats.reliability import split_half as split_half_of_scores


def reliable(value):
    return Estimate(value, 20, "entities", "given", Normal(value, 0.05))


def test_reliability_is_what_two_studies_of_the_same_model_would_correlate():
    rng = np.random.default_rng(1)
    for spread in (0.3, 1.0):
        strengths = rng.normal(0, spread, 24)
        studies = [bradley_terry(drawn(rng, strengths)).elo for _ in range(40)]
        retest = np.mean([stats.spearmanr(a, b).statistic for a, b in itertools.pairwise(studies)])
        found = np.mean([split_half(drawn(rng, strengths), seed=2, splits=10).value for _ in range(20)])
        assert found == pytest.approx(retest, abs=0.06)


def test_consistent_answers_are_reliable():
    estimate = split_half(comparisons_of(chances(np.linspace(-9, 9, 30)) > 0.5, 30), seed=0)
    assert estimate.value > 0.98
    assert (estimate.n, estimate.unit, estimate.invalid) == (30, "entities", ())
    assert (estimate > 0.9).verdict is Verdict.SUPPORTED


def test_random_answers_are_not_reliable():
    rng = np.random.default_rng(5)
    values = [split_half(drawn(rng, np.zeros(24)), seed=0, splits=10).value for _ in range(20)]
    assert abs(np.mean(values)) < 0.15


@pytest.mark.parametrize(
    "score",
    [
        np.ones(72 * 71),
        np.zeros(72 * 71),
        np.full(72 * 71, 0.5),
        np.where(every_ordered_pair(72)[2], 1.0, 0.0),
    ],
    ids=["always-first", "always-second", "always-tied", "always-A"],
)
def test_answers_that_ignore_the_entities_have_no_reliability(score):
    estimate = split_half(comparisons_of(score, 72), seed=0, splits=5)
    # Always A on a design whose labels are not balanced within every pair leaves a little noise to rank.
    assert math.isnan(estimate.value) or estimate.value < 0.5
    assert (estimate > 0.5).verdict in {Verdict.INVALID, Verdict.REFUTED}


def test_always_first_is_undefined_and_says_why():
    estimate = split_half(comparisons_of(np.ones(90), 10), seed=0)
    assert math.isnan(estimate.value)
    assert "do not tell at least four entities apart" in estimate.invalid[0]


def test_both_orders_of_a_pair_stay_in_one_half():
    # Each pair was decided by a coin, the same way in both orders: were its orders split over the halves, each half
    # would see the same coins, and noise would look reliable.
    rng = np.random.default_rng(6)
    values = []
    for _ in range(10):
        coins = np.triu(rng.random((20, 20)) < 0.5, 1)
        coins = coins | np.tril(~coins.T, -1)
        first, second, _ = every_ordered_pair(20)
        values.append(split_half(comparisons_of(coins[first, second], 20), seed=0, splits=10).value)
    assert np.mean(values) < 0.2


def test_the_same_seed_gives_the_same_estimate():
    comparisons = drawn(np.random.default_rng(7), np.linspace(-1, 1, 12))
    assert split_half(comparisons, seed=1) == split_half(comparisons, seed=1)
    assert split_half(comparisons, seed=1) != split_half(comparisons, seed=2)


@pytest.mark.parametrize("statistic", [lambda c: split_half(c, seed=0), lambda c: split_half(c, seed=0, splits=3)])
def test_a_single_comparison_has_no_reliability(statistic):
    assert math.isnan(statistic(few([(0, 1, 1.0)], 2)).value)


def test_no_comparisons_are_refused_or_counted_as_none():
    none = np.array([], dtype=np.intp)
    empty = Comparisons(none, none, none.astype(float), none.astype(bool), 3)
    with pytest.raises(ValueError, match="no comparisons"):
        split_half(empty, seed=0)
    assert cycle_rate(empty).triads == 0
    assert (decided_pairs(empty) > 0.1).verdict is Verdict.INVALID


def test_spearman_brown():
    assert spearman_brown(0.5) == pytest.approx(2 / 3)
    assert spearman_brown(1.0) == 1
    assert spearman_brown(0.0) == 0
    assert spearman_brown(-0.5) == -0.5


def test_the_noise_ceiling_is_the_geometric_mean():
    assert noise_ceiling(reliable(0.9), reliable(0.4)) == pytest.approx(0.6)
    assert noise_ceiling(reliable(0.9), reliable(-0.1)) == 0
    assert math.isnan(noise_ceiling(reliable(0.9), None))
    assert math.isnan(noise_ceiling(Estimate(math.nan, 0, "entities", "none", Unknown()), reliable(0.9)))


def test_one_circle_among_four_entities():
    # 0 > 1 > 2 > 0, and all beat 3: of four triads one is cyclic.
    rows = [(0, 1, 1), (1, 2, 1), (2, 0, 1), (0, 3, 1), (1, 3, 1), (2, 3, 1)]
    both = rows + [(second, first, 0) for first, second, _ in rows]
    rate = cycle_rate(few(both, 4))
    assert (rate.rate, rate.triads, rate.cyclic, rate.undecided_pairs) == (0.25, 4, 1, 0)


def test_cycles_are_those_counted_one_by_one():
    rng = np.random.default_rng(8)
    first, second, first_is_a = every_ordered_pair(12)
    kept = rng.random(len(first)) < 0.6
    comparisons = Comparisons(first[kept], second[kept], rng.random(kept.sum()).round(1), first_is_a[kept], 12)
    wins = {}
    for f, s, score in zip(comparisons.first, comparisons.second, comparisons.score, strict=True):
        wins.setdefault((min(f, s), max(f, s)), []).append(score if f < s else 1 - score)
    beats = {pair: np.mean(shares) > 0.5 for pair, shares in wins.items() if abs(np.mean(shares) - 0.5) > 1e-9}
    triads = [t for t in itertools.combinations(range(12), 3) if all(p in beats for p in itertools.combinations(t, 2))]
    cyclic = sum(beats[a, b] == beats[b, c] != beats[a, c] for a, b, c in triads)
    rate = cycle_rate(comparisons)
    assert cyclic > 0
    assert (rate.triads, rate.cyclic) == (len(triads), cyclic)
    assert rate.undecided_pairs == len(wins) - len(beats)


def test_random_decisions_give_a_quarter_of_cycles():
    coins = np.triu(np.random.default_rng(9).random((60, 60)) < 0.5, 1)
    coins = coins | np.tril(~coins.T, -1)
    first, second, _ = every_ordered_pair(60)
    assert cycle_rate(comparisons_of(coins[first, second], 60)).rate == pytest.approx(0.25, abs=0.02)


def test_always_the_first_decides_no_pair():
    comparisons = comparisons_of(np.ones(90), 10)
    rate = cycle_rate(comparisons)
    assert math.isnan(rate.rate)
    assert (rate.triads, rate.undecided_pairs) == (0, 45)
    assert decided_pairs(comparisons).value == 0


def test_decided_pairs_counts_pairs_answered_alike_in_both_orders():
    rows = [(0, 1, 1), (1, 0, 0), (0, 2, 1), (2, 0, 1), (1, 2, 0.5), (2, 1, 0), (0, 3, 1)]
    estimate = decided_pairs(few(rows, 4))
    # 0-1 alike; 0-2 always the first; 1-2 tied in one order; 0-3 asked in one order only, so not counted.
    assert (estimate.value, estimate.n, estimate.unit) == (pytest.approx(1 / 3), 3, "pairs")


def test_repetitions_within_an_order_are_averaged_before_the_orders():
    # Asked three times with 0 first, once with 1 first: plain averaging would call it for 0.
    rate = cycle_rate(few([(0, 1, 1), (0, 1, 1), (0, 1, 1), (1, 0, 1)], 2))
    assert rate.undecided_pairs == 1


def test_means_have_students_interval_and_one_sample_has_none():
    scores = np.array([[1.0, 5.0, 2.0, np.nan], [2.0, np.nan, np.nan, np.nan], [4.0, 8.0, np.nan, np.nan]])
    with np.errstate(all="raise"), warnings.catch_warnings(action="error"):
        found = means(scores, list("abcd"), unit="replies", method="mean", label="score")
    assert [found[one].n for one in "abcd"] == [3, 2, 1, 0]
    for one, values in (("a", [1, 2, 4]), ("b", [5, 8])):
        theirs = stats.t.interval(0.9, len(values) - 1, np.mean(values), stats.sem(values))
        interval = found[one].interval(0.9)
        assert found[one].value == np.mean(values)
        assert (interval.low, interval.high) == pytest.approx(theirs)
    assert found["c"].value == 2
    assert math.isnan(found["c"].interval().low)
    assert math.isnan(found["d"].value)
    assert (found["a"].label, found["a"].unit, found["a"].method) == ("score of a", "replies", "mean")


def test_halves_of_samples_are_as_alike_as_in_the_three_splits_that_four_have():
    scores = np.random.default_rng(3).normal(size=(4, 9)) + np.arange(9) / 3
    each = [
        stats.spearmanr(scores[[0, one]].mean(axis=0), scores[[i for i in (1, 2, 3) if i != one]].mean(axis=0))[0]
        for one in (1, 2, 3)
    ]
    found = split_half_of_scores(scores, seed=1, unit="replies", splits=900)
    rho = np.mean(each)
    assert found.value == pytest.approx(2 * rho / (1 + rho), abs=4 * np.std(each) / math.sqrt(900))
    assert (found.n, found.interval_method.noise_df) == (9, 3 * 8)
    assert "split half over replies, Spearman-Brown, mean of 900 splits" in found.method
    low, high = RhoInterval(found.interval_method.halves.r, 9).limits(0.95)
    assert (found.interval().low, found.interval().high) == (spearman_brown(low), spearman_brown(high))


def test_fewer_than_four_samples_or_entities_have_no_halves():
    scores = np.random.default_rng(4).normal(size=(6, 5))
    assert split_half_of_scores(scores[:3], seed=1, unit="replies") is None
    assert "mean of 50 splits" in split_half_of_scores(scores[:4], seed=1, unit="replies").method
    assert split_half_of_scores(scores[:, :4], seed=1, unit="replies") is not None
    assert split_half_of_scores(scores[:, :3], seed=1, unit="replies") is None
    scores[1:, 0] = np.nan
    assert split_half_of_scores(scores, seed=1, unit="replies").interval_method.halves.n == 5
    scores[1:, 1] = np.nan
    assert split_half_of_scores(scores, seed=1, unit="replies") is None


def test_no_split_that_tells_entities_apart_has_no_correlation():
    four = np.arange(4.0)
    assert split_correlations([]) == ([], 0)
    assert split_correlations([(four[:3], four[:3]), (four, np.ones(4)), (np.ones(4), four)]) == ([], 0)
    assert split_correlations([(np.arange(6.0), np.arange(6.0)), (four, -four)]) == ([1.0, -1.0], 4)
