"""Slopes over entities, against numpy's least squares and a jackknife by hand."""

import numpy as np
import pytest

from pytest_llmpref.stats.slopes import shares_against_average, slope_per_two_sd

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
