"""Intervals at their edges: rounding neither passes a limit nor leaves less than nothing."""

import math

import pytest

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Difference, Exact, Normal, Wilson


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
