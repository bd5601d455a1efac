"""Roots, against scipy's."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from pytest_llmpref.stats.roots import root


@pytest.mark.parametrize("share", [1e-6, 0.25, 0.5, 0.999])
def test_of_a_curve_is_where_scipy_finds_it(share):
    def curve(x):
        return float(special.ndtr(x) - share)

    expected = float(optimize.brentq(curve, -9, 9, xtol=1e-15))
    assert root(curve, -9.0, 9.0) == pytest.approx(expected, abs=1e-12)
    assert root(curve, 9.0, -9.0) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("value", np.geomspace(2.1e-4, 1e6, 9))
def test_of_a_curve_that_falls_by_twenty_orders_of_magnitude(value):
    def curve(x):
        return float(special.polygamma(1, x)) - value

    expected = float(optimize.brentq(curve, 1e-8, 5000, xtol=1e-300, rtol=1e-15))
    assert root(curve, 1e-8, 5000.0) == pytest.approx(expected, rel=1e-9)


def test_of_a_curve_with_a_corner():
    assert root(lambda x: abs(x - 0.1) - 0.3, 0.1, 1.0) == pytest.approx(0.4, abs=1e-14)


def test_may_be_an_end():
    assert (root(lambda x: x, 0.0, 1.0), root(lambda x: x - 1, 0.0, 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize("function", [lambda x: x + 2, lambda _: math.nan])
def test_that_is_not_there_is_an_error(function):
    with pytest.raises(ValueError, match="no change of sign"):
        root(function, 0.0, 1.0)


def test_takes_few_steps():
    asked = []

    def curve(x):
        asked.append(x)
        return math.exp(x) - 5

    root(curve, -40.0, 40.0)
    assert len(asked) < 40


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("slope", [1.0, -1.0, 4.0, -4.0])
def test_of_a_line_is_found_in_one_step(low, high, slope):
    """Both ends, the middle, and the guess, which is the root: nothing is asked after that, or short of it."""
    asked = []

    def line(x):
        asked.append(x)
        return slope * (x - 0.25)

    assert (root(line, low, high), len(asked)) == (0.25, 4)


def test_is_not_where_the_value_is_1():
    """Ridders' first guess, of an x that is told to have the value 1."""
    asked = []

    def curve(x):
        asked.append(x)
        return {1: -4.0, 2: 4.0, 3: -1.0, 4: 1.0}.get(len(asked), x - 0.6)

    assert root(curve, 0.0, 1.0) == pytest.approx(0.6, abs=1e-12)


def test_may_be_a_stretch():
    assert 0.4 <= root(lambda x: float(x > 0.6) - float(x < 0.4), 0.0, 1.1) <= 0.6
    assert 0.4 <= root(lambda x: float(x > 0.6) - float(x < 0.4), 0.0, 1.0) <= 0.6


def test_of_large_and_small_x_are_as_exact_as_numbers_are():
    for scale in (1e-6, 1.0, 1e6):
        found = root(lambda x, scale=scale: math.expm1(x / scale - 1), -3 * scale, 4 * scale)
        assert found == pytest.approx(scale, rel=1e-13, abs=1e-14)
