"""Rank correlations within groups: how they scatter over groups, and the partial correlation."""

import math
from types import SimpleNamespace as Values

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.grouped import (
    partial_rank_correlation,
    partial_spearman,
    unbiased_rank_correlation,
    unbiased_variance,
    within_group_spearman,
    within_groups,
)

GROUP = np.repeat(np.arange(6), [4, 5, 6, 6, 7, 8])
NAMES = [f"g{one}" for one in GROUP]


def drawn(seed, rho=0.5):
    x, y = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=len(GROUP)).T
    return x + GROUP, y - GROUP


def test_within_groups_the_error_is_how_far_groups_differ():
    x, y = drawn(1)
    rho = np.array([unbiased_rank_correlation(x[one == GROUP], y[one == GROUP]) for one in range(6)])
    sizes = np.bincount(GROUP)
    weight = 1 / unbiased_variance(0.0, sizes)
    weight /= weight.sum()
    left = np.array([np.average(np.delete(rho, k), weights=np.delete(weight, k)) for k in range(6)])
    effect = 5 / 6 * np.sum((left - left.mean()) ** 2) / (weight**2 @ unbiased_variance(weight @ rho, sizes))
    estimate = within_group_spearman(x, y, NAMES)
    interval = estimate.interval(0.9)
    for end in (interval.low, interval.high):
        error = math.sqrt(effect * (weight**2 @ unbiased_variance(end, sizes)))
        assert abs(estimate.value - end) == pytest.approx(stats.t.ppf(0.95, 5) * error, rel=1e-6)
    assert "jackknife over groups" in estimate.method


def test_within_few_groups_entities_are_taken_to_be_independent():
    x, y = drawn(1)
    few = GROUP < 4
    estimate = within_group_spearman(x[few], y[few], [name for name, kept in zip(NAMES, few, strict=True) if kept])
    assert estimate.interval_method.scatter.design_effect == 1
    assert math.isinf(estimate.interval_method.scatter.df)
    assert "for these entities only" in estimate.method


def test_groups_that_agree_by_chance_keep_an_interval():
    """Six groups with one rho: not even that tells what a seventh has."""
    x = np.tile([1.0, 2, 3, 4, 5], 6)
    y = np.tile([2.0, 5, 3, 1, 4], 6)
    estimate = within_group_spearman(x, y, [f"g{i // 5}" for i in range(30)])
    assert estimate.interval_method.scatter.design_effect == pytest.approx(stats.chi2.ppf(0.05, 5) / 5)
    assert estimate.interval().low < estimate.value < estimate.interval().high


def test_the_partial_correlation_is_that_of_residuals_from_the_groups():
    x, y = drawn(2)
    dummies = np.eye(6)[GROUP]
    left = [ranks - dummies @ np.linalg.lstsq(dummies, ranks, rcond=None)[0] for ranks in map(stats.rankdata, (x, y))]
    estimate = partial_rank_correlation(x, y, NAMES)
    assert estimate.value == pytest.approx(stats.pearsonr(*left).statistic)
    z = [math.atanh(stats.pearsonr(*(one[k != GROUP] for one in left)).statistic) for k in range(6)]
    n = len(x) - 5
    effect = 5 / 6 * np.sum((np.array(z) - np.mean(z)) ** 2) / ((1 + estimate.value**2 / 2) / (n - 3))
    interval = estimate.interval()
    for end in (interval.low, interval.high):
        error = math.sqrt(effect * (1 + max(end**2, estimate.value**2) / 2) / (n - 3))
        assert abs(math.atanh(estimate.value) - math.atanh(end)) == pytest.approx(stats.t.ppf(0.975, 5) * error)


def test_the_partial_correlation_needs_groups_that_hold_several():
    x, y = drawn(2)
    assert partial_rank_correlation(x[:4], y[:4], list("abcd")).invalid
    assert "4 groups" in partial_rank_correlation(x, y, [f"g{i % 4}" for i in range(len(x))]).invalid[0]
    assert partial_rank_correlation(x, y, [f"g{i}" for i in range(len(x))]).invalid
    # Ranks that differ between groups only leave nothing.
    assert partial_rank_correlation(GROUP, y, NAMES).invalid
    assert "same value" in partial_rank_correlation(np.ones(36), y, NAMES, invalid=["given"]).invalid[1]
    with pytest.raises(ValueError, match="partial_rank_correlation: 36 values, but 2 groups"):
        partial_rank_correlation(x, y, ["a", "b"])


def test_a_partial_correlation_of_measures_takes_the_groups_of_the_first():
    x, y = drawn(3)
    ids = [f"e{i}" for i in range(len(x))]
    one, other = (
        Values(name=name, values=dict(zip(ids, column, strict=True)), reasons=reasons, unranked=())
        for name, column, reasons in (("x", x, ()), ("y", y, ("broken",)))
    )
    one.groups = dict(zip(ids, NAMES, strict=True))
    estimate = partial_spearman(one, other)
    assert estimate.value == partial_rank_correlation(x, y, NAMES).value
    assert estimate.label == "rho given groups(x, y)"
    assert estimate.invalid == ("y: broken",)


@pytest.mark.parametrize("correlation", [within_groups, partial_spearman])
def test_that_both_measures_ask_about_pairs_is_said(correlation):
    x, y = drawn(3)
    ids = [f"e{i}" for i in range(len(x))]
    one, other, plain = (
        Values(name=name, values=dict(zip(ids, column, strict=True)), reasons=(), unranked=(), halves=halves)
        for name, column, halves in (("x", x, dict), ("y", y, dict), ("z", y, None))
    )
    one.groups = dict(zip(ids, NAMES, strict=True))
    said = "preferences for single pairs, which both ask about, are not separated from preferences for entities"
    assert said in correlation(one, other).method
    assert said not in correlation(one, plain).method


def test_five_groups_and_four_entities_more_than_groups_are_enough():
    x, y = drawn(4)
    five = GROUP < 5
    names = [name for name, kept in zip(NAMES, five, strict=True) if kept]
    assert within_group_spearman(x[five], y[five], names).interval_method.scatter.df == 4
    found = partial_rank_correlation(x[five], y[five], names)
    assert (found.invalid, found.interval_method.scatter.df) == ((), 4)
    few = [f"g{i % 5}" for i in range(9)]
    assert not partial_rank_correlation(x[:9], y[:9], few).invalid
    assert "8 entities in 5 groups leave no" in partial_rank_correlation(x[:8], y[:8], few[:8]).invalid[0]


def test_no_entities_at_all_are_too_few():
    for correlation in (partial_rank_correlation, within_group_spearman):
        estimate = correlation([], [], [])
        assert math.isnan(estimate.value)
        assert len(estimate.invalid) == 1


@pytest.mark.parametrize(
    ("correlation", "label"),
    [(partial_rank_correlation, "rho given groups"), (within_group_spearman, "rho within groups")],
)
def test_a_correlation_has_its_label_and_each_reason_once_and_an_unknown_interval_where_it_is_invalid(
    correlation, label
):
    x, y = drawn(5)
    assert correlation(x, y, NAMES, invalid=["given", "given"]).invalid == ("given",)
    assert correlation(x, y, NAMES).label == label
    # No spread; and groups of one each.
    for values, names in ((np.ones(36), NAMES), (x, [f"g{i}" for i in range(36)])):
        estimate = correlation(values, y, names, invalid=["given"])
        assert (estimate.label, estimate.unit, len(estimate.invalid)) == (label, "entities", 2)
        assert estimate.invalid[0] == "given"
        assert math.isnan(estimate.value)
        assert all(map(math.isnan, (estimate.interval().low, estimate.interval().high)))
