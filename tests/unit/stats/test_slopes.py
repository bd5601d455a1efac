"""Slopes over entities, against numpy's least squares and a jackknife by hand."""

import numpy as np
import pytest

from pytest_llmpref.stats.slopes import slope_per_two_sd

RNG = np.random.default_rng(3)
X = RNG.standard_normal(24)
Y = 0.1 * X + 0.05 * RNG.standard_normal(24)
GROUPS = [f"g{number // 3}" for number in range(24)]


def by_hand(x, y):
    return np.polyfit(x, y, 1)[0] * 2 * X.std(ddof=1)


def test_it_is_least_squares_for_two_standard_deviations():
    assert slope_per_two_sd(X, Y, ["all"] * 24, "").value == pytest.approx(by_hand(X, Y))


@pytest.mark.parametrize(("groups", "df"), [(["all"] * 24, 23), (GROUPS, 7)])
def test_the_error_is_by_the_jackknife_over_entities_or_groups(groups, df):
    parts = np.arange(24) if df == 23 else np.array(groups)
    left = np.array([by_hand(X[parts != one], Y[parts != one]) for one in np.unique(parts)])
    error = np.sqrt(df / (df + 1) * np.sum((left - left.mean()) ** 2))
    method = slope_per_two_sd(X, Y, groups, "").interval_method
    assert (method.se, method.df) == (pytest.approx(error), df)


def test_entities_without_a_value_are_left_out():
    x, y = np.r_[X, np.nan, 1.0], np.r_[Y, 1.0, np.nan]
    assert slope_per_two_sd(x, y, ["all"] * 26, "").value == pytest.approx(by_hand(X, Y))


@pytest.mark.parametrize(
    ("x", "reason"), [(X[:7], "7 entities are too few: a slope needs at least 8"), (np.ones(12), "worth the same")]
)
def test_what_tells_no_slope_is_invalid(x, reason):
    (found,) = slope_per_two_sd(x, Y[: len(x)], ["all"] * len(x), "").invalid
    assert reason in found
