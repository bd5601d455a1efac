"""A user's own statistic over entities: its interval against scipy's and a planted truth, and what makes it invalid."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref import over_entities
from pytest_llmpref.stats import association as resampling


def measure(values, name="it", reasons=(), unranked=()):
    values = {f"e{n}": float(value) for n, value in enumerate(values)}
    return SimpleNamespace(name=name, values=values, reasons=reasons, unranked=unranked)


def tau(x, y):
    return stats.kendalltau(x, y).statistic


def slope(x, y):
    return (x - x.mean()) @ y / ((x - x.mean()) @ x)


def two(n, rho, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n)


def test_its_value_and_its_names():
    x, y = two(40, 0.7, 1)
    found = over_entities(tau, measure(x, "liking"), measure(y, "advice"))
    assert found.value == tau(x, y)
    assert found.label == "tau(liking, advice)"
    assert found.n == 40


def test_the_interval_of_a_mean_is_about_students():
    x = np.random.default_rng(2).normal(3, 2, size=60)
    found = over_entities(np.mean, measure(x)).interval(0.99)
    expected = stats.t.interval(0.99, 59, x.mean(), stats.sem(x))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.15)


def test_the_interval_holds_a_planted_truth_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(resampling, "RESAMPLES", 400)
    hits = 0
    for seed in range(60):
        found = over_entities(slope, *map(measure, two(30, 0.6, seed)), seed=seed).interval(0.9)
        hits += found.low <= 0.6 <= found.high
    assert 47 <= hits <= 60  # 54 are expected; outside with a probability of 1%


def test_entities_without_a_value_in_each_are_left_out_and_reasons_pass_on():
    x, y = two(20, 0.5, 3)
    x[4] = math.nan
    found = over_entities(tau, measure(x, "a", reasons=("noise",)), measure(y[:18], "b", unranked=("ties",)))
    assert found.n == 17
    assert found.invalid == ("a: noise", "b: ties")


def test_few_entities_and_a_statistic_that_does_not_vary_have_no_interval():
    few = over_entities(tau, *map(measure, two(7, 0.5, 4)))
    assert few.invalid == ("7 entities with a value in each measure are too few: resampling needs 8",)
    assert math.isnan(few.interval().low)
    same = over_entities(np.mean, measure([1.0] * 12))
    assert math.isnan(same.interval().low)
    assert (same > 0).verdict == "invalid"
