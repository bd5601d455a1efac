"""Intervals at their edges: rounding neither passes a limit nor leaves less than nothing."""

import math

import pytest

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import (
    Difference,
    Envelope,
    Exact,
    MeanOf,
    Normal,
    NormalShare,
    OneSided,
    Unknown,
    Wilson,
)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999, 0.9993])
def test_a_share_never_leaves_0_to_1(level):
    for n in range(1, 400):
        assert Wilson(0, n).limits(level)[0] == 0.0
        assert Wilson(n, n).limits(level)[1] == 1.0


def test_no_trials_have_no_share():
    assert all(map(math.isnan, Wilson(0, 0).limits(0.95)))
    assert all(map(math.isnan, Wilson(0, math.nan).limits(0.95)))
    assert Wilson(0.1, 0.5).limits(0.95)[0] >= 0


def test_the_difference_of_an_estimate_and_itself_has_no_width():
    for value in (0.1, 0.3, 0.7, 1 / 3, 0.123456):
        one = Estimate(1.0, 10, "trials", "", Normal(1.0, value))
        assert Difference(one, one, 1.0).limits(0.95) == pytest.approx((0, 0), abs=1e-7)


def test_errors_that_go_together_never_leave_less_than_nothing():
    def made(se):
        return Estimate(0.0, 10, "trials", "", Normal(0.0, se))

    for step in range(1, 2000):
        one = made(step / 997)
        low, high = Difference(one, made(step / 997 * (1 + 2e-16)), 1.0).limits(0.95)
        assert abs(low) < 1e-6
        assert abs(high) < 1e-6


def test_what_has_no_interval_has_no_difference():
    missing = Estimate(0.5, 3, "trials", "", Normal(0.5, math.nan))
    assert all(map(math.isnan, Difference(missing, Estimate(0.1, 3, "trials", "", Exact(0.1))).limits(0.95)))


@pytest.mark.parametrize("correlation", [0.0, 0.4, 1.0])
def test_a_difference_has_no_end_where_either_side_has_none_there(correlation):
    above = Estimate(1.0, 9, "trials", "", OneSided(Normal(1.0, 0.1), "low"))
    below = Estimate(0.0, 9, "trials", "", OneSided(Normal(0.0, 0.1), "high"))
    plain = Estimate(0.0, 9, "trials", "", Normal(0.0, 0.1))
    low, high = Difference(above, plain, correlation).limits(0.95)
    assert math.isfinite(low)
    assert high == math.inf
    assert Difference(plain, above, correlation).limits(0.95)[0] == -math.inf
    assert Difference(above, below, correlation).limits(0.95)[1] == math.inf
    assert Difference(above, above, correlation).limits(0.95) == (-math.inf, math.inf)


def test_an_interval_with_one_end_has_that_of_the_inner_one_at_each_level():
    for level in (0.5, 0.95, 0.999):
        low, high = Normal(2.0, 0.5).limits(level)
        assert OneSided(Normal(2.0, 0.5), "low").limits(level) == (low, math.inf)
        assert OneSided(Normal(2.0, 0.5), "high").limits(level) == (-math.inf, high)


def test_what_several_intervals_cover_is_unknown_where_one_of_them_is():
    known = Normal(0.0, 1.0)
    for methods in ((known, Unknown()), (Unknown(), known)):
        assert all(map(math.isnan, Envelope(methods).limits(0.95)))
    assert Envelope((known, OneSided(known, "low"))).limits(0.95)[1] == math.inf


def test_a_normal_share_is_cut_at_0_and_at_1_and_nowhere_else():
    assert NormalShare(0.5, 0.1).limits(0.9) == Normal(0.5, 0.1).limits(0.9)
    assert NormalShare(0.99, 0.1).limits(0.9)[1] == 1.0
    assert NormalShare(0.01, 0.1).limits(0.9)[0] == 0.0
    assert NormalShare(0.99, 0.1).limits(0.9)[0] == Normal(0.99, 0.1).limits(0.9)[0]


def test_an_envelope_covers_the_lowest_and_the_highest_end():
    one, other = Normal(0.0, 2.0), Normal(1.0, 0.1)
    assert Envelope((one, other)).limits(0.8) == one.limits(0.8)
    assert Envelope((other, Normal(3.0, 0.1))).limits(0.8) == (other.limits(0.8)[0], Normal(3.0, 0.1).limits(0.8)[1])


def test_the_mean_of_independent_estimates_has_the_error_of_a_mean():
    """Normal intervals at 90% reach 1.6449 errors; of 3 and 4 the root of the squares is 5, and of two the half."""
    parts = [Estimate(value, 9, "trials", "", Normal(value, error)) for value, error in ((1.0, 3.0), (2.0, 4.0))]
    reach = 1.6448536269514722 * 5 / 2
    assert MeanOf(tuple(parts)).limits(0.9) == pytest.approx((1.5 - reach, 1.5 + reach))
    assert all(math.isnan(limit) for limit in MeanOf(()).limits(0.9))
