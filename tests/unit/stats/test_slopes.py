"""Slopes over entities, against numpy's least squares and a jackknife by hand."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.sampled import jackknife, scatter_of
from pytest_llmpref.stats.slopes import shares_against_average, shares_beside_worth, slope_per_two_sd

RNG = np.random.default_rng(3)
X = RNG.standard_normal(24)
Y = 0.1 * X + 0.05 * RNG.standard_normal(24)
GROUPS = [f"g{number // 3}" for number in range(24)]


def by_hand(x, y):
    return np.polyfit(x, y, 1)[0] * 2 * X.std(ddof=1)


def test_it_is_least_squares_for_two_standard_deviations():
    assert slope_per_two_sd(X, Y, ["all"] * 24, "").value == pytest.approx(by_hand(X, Y))


@pytest.mark.parametrize(("groups", "k"), [(["all"] * 24, 24), (GROUPS, 8)])
def test_the_error_is_by_the_jackknife_over_entities_or_groups(groups, k):
    parts = np.arange(24) if k == 24 else np.array(groups)
    left = np.array([by_hand(X[parts != one], Y[parts != one]) for one in np.unique(parts)])
    error = np.sqrt((k - 1) / k * np.sum((left - left.mean()) ** 2))
    squares = np.array([np.sum((X[parts == one] - X.mean()) ** 2) for one in np.unique(parts)])
    method = slope_per_two_sd(X, Y, groups, "").interval_method
    assert method.se == pytest.approx(error)
    assert method.df == pytest.approx(min(k - 1, squares.sum() ** 2 / (squares**2).sum()))


def test_shares_do_not_hang_on_whom_an_entity_met():
    """In a chain, those in the middle meet the liked and the disliked; a full design says the same of all."""
    worth = np.linspace(0.2, -0.2, 9)
    for first, second in ((np.arange(8), np.arange(1, 9)), np.triu_indices(9, 1)):
        # Each pair in both orders, and the first is favoured.
        one, other = np.r_[first, second], np.r_[second, first]
        score = 0.5 + worth[one] - worth[other] + 0.1
        assert shares_against_average(one, other, score, 9) == pytest.approx(0.5 + worth)


def test_who_was_in_no_pair_has_no_share():
    found = shares_against_average(np.array([0]), np.array([1]), np.array([1.0]), 3)
    assert np.isnan(found[2])
    assert np.isnan(shares_against_average(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 2)).all()


def test_entities_without_a_value_are_left_out():
    x, y = np.r_[X, np.nan, 1.0], np.r_[Y, 1.0, np.nan]
    assert slope_per_two_sd(x, y, ["all"] * 26, "").value == pytest.approx(by_hand(X, Y))


@pytest.mark.parametrize(
    ("x", "reason"), [(X[:7], "7 entities are too few: a slope needs at least 8"), (np.ones(12), "worth the same")]
)
def test_what_tells_no_slope_is_invalid(x, reason):
    (found,) = slope_per_two_sd(x, Y[: len(x)], ["all"] * len(x), "").invalid
    assert reason in found


@pytest.mark.parametrize("sampled", [True, False])
def test_a_spread_of_the_sample_is_taken_anew_in_each_part_of_the_jackknife(sampled):
    def left_out(one):
        x, y = np.delete(X, one), np.delete(Y, one)
        return np.polyfit(x, y, 1)[0] * 2 * (x if sampled else X).std(ddof=1)

    left = np.array([left_out(one) for one in range(24)])
    found = slope_per_two_sd(X, Y, ["all"] * 24, "", spread_is_sampled=sampled)
    assert found.interval_method.se == pytest.approx(np.sqrt(23 / 24 * np.sum((left - left.mean()) ** 2)))


def test_a_slope_says_what_it_is_and_lies_in_its_interval():
    by_entity, by_group = (slope_per_two_sd(X, Y, groups, "rise") for groups in (["all"] * 24, GROUPS))
    assert (by_entity.label, by_entity.n, by_entity.unit) == ("rise", 24, "entities")
    assert "jackknife over entities" in by_entity.method
    assert "jackknife over 8 groups" in by_group.method
    assert by_group.interval_method.mean == by_group.value == by_entity.value
    # All lie equally far from the mean, so each of 24 parts tells as much, and one is used up.
    assert slope_per_two_sd(np.tile([1.0, -1.0], 12), Y, ["all"] * 24, "").interval_method.df == 23


def test_an_invalid_slope_has_a_label_and_no_value_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = slope_per_two_sd(X[:1], Y[:1], ["all"], "rise")
    assert math.isnan(found.value)
    assert (found.label, found.n, found.unit) == ("rise", 1, "entities")
    assert "an interval" not in found.invalid[0]


def test_a_single_pair_is_shared_among_its_three_unknowns():
    """Of all that fit, least squares takes the smallest: a third of 0.5 each."""
    found = shares_against_average(np.array([0]), np.array([1]), np.array([1.0]), 2)
    assert found == pytest.approx([2 / 3, 1 / 3])


def test_shares_beside_worth_are_the_mean_of_what_opponents_leave():
    rng = np.random.default_rng(4)
    worth = np.r_[rng.standard_normal(7), np.nan, 0.3]
    first, second = rng.integers(0, 8, 60), rng.integers(0, 8, 60)
    first, second = first[first != second], second[first != second]
    score = np.clip(
        0.5 + 0.1 * np.nan_to_num(worth[first] - worth[second]) + 0.05 + rng.normal(0, 0.1, len(first)), 0, 1
    )
    found = shares_beside_worth(first, second, score, worth)
    known = ~np.isnan(worth[first] - worth[second])
    slope, intercept = np.polyfit((worth[first] - worth[second])[known], score[known] - 0.5, 1)
    for entity in range(7):
        own = [
            sign * (lead - 0.5 - intercept) + slope * (worth[opponent] - np.nanmean(worth))
            for sign, mine, others in ((1, first, second), (-1, second, first))
            for lead, opponent in zip(score[known & (mine == entity)], others[known & (mine == entity)], strict=True)
        ]
        assert found[entity] == pytest.approx(0.5 + np.mean(own))
    assert np.isnan(found[7:]).all()
    assert np.isnan(shares_beside_worth(first[:0], second[:0], score[:0], worth)).all()


def test_an_entity_that_was_in_one_pair_has_that_share_beside_worth():
    first, second = np.array([0, 1, 0]), np.array([1, 0, 2])
    worth = np.array([1.0, 0.0, -1.0])
    # In both orders the first leads by 0.1 for a unit, and the third trial by 0.2 for two.
    found = shares_beside_worth(first, second, np.array([0.6, 0.4, 0.7]), worth)
    assert found == pytest.approx([0.6, 0.5, 0.4])


def test_groups_that_are_too_few_are_told_of_where_they_are_a_sample_alone():
    x, y = np.arange(8.0), np.array([1.0, 0, 3, 2, 5, 4, 7, 6])
    alone = "by the jackknife over entities (Efron and Stein 1981), which are taken to be independent"
    of_six = ["a", "a", "a", "b", "c", "d", "e", "f"]
    assert scatter_of(x, y, of_six, "given")[1] == alone
    assert scatter_of(x, y, None, "sample")[1] == alone
    few = "; for these entities only, since 4 groups are too few to tell of others"
    assert scatter_of(x, y, list("aabbccdd"), "sample")[1] == alone + few
    assert "within 4 groups as given" in scatter_of(x, y, list("aabbccdd"), "given")[1]
    assert "over 6 groups" in scatter_of(x, y, of_six, "sample")[1]
    assert "Bonett and Wright" in scatter_of(x[:7], y[:7], of_six[:7], "sample")[1]


def test_a_stratum_with_a_single_part_is_compared_with_all_others():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 12))
    strata = np.array([0] * 6 + [1] * 5 + [2])
    left = np.array([np.arctanh(stats.spearmanr(np.delete(x, one), np.delete(y, one)).statistic) for one in range(12)])
    variance = 6 * left[:6].var(ddof=1) + 5 * left[6:11].var(ddof=1) + (left[11] - left.mean()) ** 2
    rho = stats.spearmanr(x, y).statistic
    found = jackknife(x, y, np.arange(12), strata)
    assert found.df == 9
    assert found.design_effect == pytest.approx(variance * (11 / 12) ** 2 * 9 / (1 + rho**2 / 2))
