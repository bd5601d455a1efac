"""Families of models with a planted slope: how often it is found, how often one that is not there, and coverage."""

from functools import cache

import numpy as np
import pytest

from pytest_llmpref.stats.meta_regression import meta_regression

MANY = 500
DAILY = [(4, 0.0), (4, 0.4), (6, 0.1), (10, 0.0), (10, 0.4), (20, 0.1)]
NIGHTLY = [(4, 0.1), (6, 0.0), (6, 0.4), (10, 0.1), (20, 0.0), (20, 0.4)]
"""Numbers of models, and spreads about the line: each number and each spread is among the daily ones."""


@cache
def studies(models, slope, tau, seed, many=MANY):
    """Lines through families: correlations on Fisher's scale, with errors of 0.08 to 0.3, and even steps of size."""
    rng = np.random.default_rng(seed)
    size, lines = np.linspace(0, 3, models), []
    for _ in range(many):
        error = rng.uniform(0.08, 0.3, models)
        true = 0.5 + slope * size + tau * rng.standard_normal(models)
        lines.append(meta_regression(true + error * rng.standard_normal(models), error, size))
    return lines


@pytest.mark.parametrize(("models", "tau"), [*DAILY, *(pytest.param(*one, marks=pytest.mark.slow) for one in NIGHTLY)])
def test_a_trend_that_is_not_there_is_found_in_no_more_than_five_percent(models, tau):
    alarms = np.mean([line.p_value < 0.05 for line in studies(models, 0.0, tau, seed=1)])
    assert alarms < 0.05 + 3 * np.sqrt(0.05 * 0.95 / MANY)


@pytest.mark.parametrize(("models", "tau"), [(6, 0.0), (6, 0.4), (10, 0.1), (20, 0.4)])
def test_intervals_hold_the_planted_slope_as_often_as_they_say(models, tau):
    lines = studies(models, 0.3, tau, seed=3)
    covered = np.mean([line.interval()[0] <= 0.3 <= line.interval()[1] for line in lines])
    assert covered > 0.95 - 3 * np.sqrt(0.05 * 0.95 / MANY)
    assert np.mean([line.slope for line in lines]) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("models", "tau", "least"), [(6, 0.1, 0.63), (10, 0.1, 0.91), (10, 0.4, 0.38), (20, 0.4, 0.70)]
)
def test_a_planted_trend_is_found(models, tau, least):
    """From rho 0.46 at the least size to 0.89 at the largest: 0.3 of Fisher's z for each tenfold."""
    assert np.mean([line.p_value < 0.05 for line in studies(models, 0.3, tau, seed=3)]) > least


def test_the_spread_around_the_line_is_found():
    taus = [line.tau for line in studies(20, 0.3, 0.4, seed=3)]
    assert np.mean(np.square(taus)) == pytest.approx(0.16, rel=0.1)
