"""A user's own statistic over entities: its interval against scipy's and a planted truth, and what makes it invalid."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref import over_entities
from pytest_llmpref.stats import own_statistic as resampling


def measure(values, name="it", reasons=(), unranked=(), groups=None):
    values = {f"e{n}": float(value) for n, value in enumerate(values)}
    known = {} if groups is None else {"groups": dict(zip(values, groups, strict=True))}
    return SimpleNamespace(name=name, values=values, reasons=reasons, unranked=unranked, **known)


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


def test_from_five_groups_on_a_whole_group_is_left_out_at_a_time(monkeypatch):
    monkeypatch.setattr(resampling, "RESAMPLES_OF_GROUPS", 50)
    groups = [number % 6 for number in range(24)]
    x = np.random.default_rng(5).normal(size=24) + np.array(groups)
    found = over_entities(np.mean, measure(x, groups=groups))
    means = [x[np.array(groups) == one].mean() for one in range(6)]
    expected = stats.t.interval(0.95, 5, np.mean(means), stats.sem(means))
    interval = found.interval()
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-9)
    assert found.label == "mean(it)"
    assert "it generalises to other groups" in found.method


def test_of_fewer_groups_the_label_says_that_it_is_about_these_entities_only():
    x, y = two(24, 0.7, 6)
    few = [number % 4 for number in range(24)]
    found = over_entities(tau, measure(x, "a"), measure(y, "b", groups=few))
    assert found.label == "tau(a, b; these entities only)"
    assert "since 4 groups are too few to tell of others" in found.method
    assert over_entities(np.mean, measure(x, "a", groups=few), label="mine").label == "mine; these entities only"
    one = over_entities(tau, measure(x, "a", groups=["all"] * 24), measure(y, "b"))
    assert one.label == "tau(a, b)"


def test_a_median_that_hardly_moves_without_one_group_has_the_error_of_resampled_groups():
    x = np.repeat([0.0, 1.0, 2.0, 3.0, 9.0, 10.0], 4)
    groups = np.repeat(list("abcdef"), 4)
    found = over_entities(np.median, measure(x, groups=groups)).interval(0.95)
    without = [np.median(x[groups != one]) for one in "abcdef"]
    jackknife = math.sqrt(5 / 6 * np.sum((np.array(without) - 2.5) ** 2))
    assert found.high - 2.5 > stats.t.ppf(0.975, 5) * jackknife


def test_groups_that_are_all_alike_give_no_interval():
    same = over_entities(np.mean, measure([1.0, 2.0] * 12, groups=[number // 2 % 6 for number in range(24)]))
    assert math.isnan(same.interval().low)


def test_the_interval_is_scipys_with_the_seed_given():
    x, y = two(12, 0.5, 6)
    for seed in (3, 4):
        found = over_entities(slope, measure(x), measure(y), seed=seed).interval()
        theirs = stats.bootstrap(
            (x, y),
            slope,
            n_resamples=5000,
            paired=True,
            vectorized=False,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("seed", [0, 5])
def test_the_error_over_groups_is_that_of_groups_drawn_anew_with_the_seed_given(seed):
    """It is the larger one here: the jackknife has 0.1555."""
    x, y = two(20, 0.5, 7)
    part = np.arange(20) % 5
    found = over_entities(slope, measure(x, groups=[f"g{one}" for one in part]), measure(y), seed=seed)
    rng, drawn = np.random.default_rng(seed), []
    for groups in rng.integers(0, 5, (1000, 5)):
        sample = np.concatenate([np.flatnonzero(part == one) for one in groups])
        drawn.append(slope(x[sample], y[sample]))
    left = [slope(x[part != one], y[part != one]) for one in range(5)]
    jackknife = math.sqrt(4 / 5 * np.sum((np.array(left) - slope(x, y)) ** 2))
    assert jackknife < np.std(drawn, ddof=1)
    assert found.interval_method.se == pytest.approx(np.std(drawn, ddof=1))
    assert found.interval_method.df == 4
