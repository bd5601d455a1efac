"""Correlations, also within groups: bias, coverage, and what differences of groups pass for."""

import math

import numpy as np
import pytest

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.association import spearman_estimate
from pytest_llmpref.stats.grouped import partial_rank_correlation, within_group_spearman


def bivariate(rng, rho, n):
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


def test_the_interval_within_groups_holds_the_true_rho():
    rng, studies = np.random.default_rng(5), 300
    groups = list(np.repeat(list("abcdefgh"), 9))
    for rho in (0.0, 0.5):
        truth = 6 / math.pi * math.asin(rho / 2)
        held = []
        for _ in range(studies):
            interval = within_group_spearman(*bivariate(rng, rho, 72), groups).interval()
            held.append(interval.low < truth < interval.high)
        assert np.mean(held) == pytest.approx(0.95, abs=3.5 * math.sqrt(0.05 * 0.95 / studies))


@pytest.mark.parametrize(("rho", "sizes"), [(0.0, [4, 5, 4, 5, 4]), (0.6, [4, 5, 4, 5, 4]), (0.9, [4, 4, 5, 5, 9])])
def test_small_groups_are_averaged_without_bias_and_covered(rho, sizes):
    rng, studies = np.random.default_rng(12), 400
    groups = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    truth = 6 / math.pi * math.asin(rho / 2)
    found = [within_group_spearman(*bivariate(rng, rho, len(groups)), groups) for _ in range(studies)]
    values, intervals = [estimate.value for estimate in found], [estimate.interval() for estimate in found]
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / math.sqrt(studies))
    held = np.mean([interval.low < truth < interval.high for interval in intervals])
    assert held == pytest.approx(0.95, abs=3.5 * math.sqrt(0.05 * 0.95 / studies))


@pytest.mark.parametrize(("share", "least"), [(0.3, 0.02), (0.5, 0.08), (0.7, 0.13)])
def test_unrelated_differences_of_groups_pass_for_a_relation_only_where_groups_are_as_given(share, least):
    """What docs says of rho over other groups: 72 entities in 8 groups that explain much of how they differ."""
    rng, studies = np.random.default_rng(6), 500
    group = np.repeat(np.arange(8), 9)
    names = [str(each) for each in group]
    found = dict.fromkeys(("given", "sample", "within", "partial"), 0)
    for _ in range(studies):
        x, y = np.sqrt(share) * rng.normal(size=(2, 8))[:, group] + np.sqrt(1 - share) * rng.normal(size=(2, 72))
        for name, estimate in (
            ("given", spearman_estimate(x, y, groups=names, given="given")),
            ("sample", spearman_estimate(x, y, groups=names)),
            ("within", within_group_spearman(x, y, names)),
            ("partial", partial_rank_correlation(x, y, names)),
        ):
            found[name] += (estimate > 0).verdict is Verdict.SUPPORTED
    assert found.pop("given") / studies > least
    assert max(found.values()) / studies < 0.025 + 2 * math.sqrt(0.025 * 0.975 / studies)


@pytest.mark.parametrize("dependence", ["parabola", "heavy"])
def test_the_interval_holds_rho_where_values_do_not_depend_as_normal_ones_do(dependence):
    """By the formula for normal values it held the truth in 87 and 89% of studies."""
    rng, studies = np.random.default_rng(8), 400
    held = []
    for _ in range(studies):
        x, y = rng.normal(size=(2, 36))
        if dependence == "parabola":
            y = np.abs(x) + 0.3 * y
        else:
            x, y = (x, y) * np.sqrt(2 / rng.chisquare(2, 36))
        interval = spearman_estimate(x, y).interval()
        held.append(interval.low < 0 < interval.high)
    assert np.mean(held) == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / studies))


def test_subclusters_in_groups_leave_the_interval_within_groups_right():
    """Taking entities of a group to be independent held the truth in 82%."""
    rng, studies = np.random.default_rng(9), 400
    group, cluster = np.repeat(np.arange(8), 9), np.repeat(np.arange(24), 3)
    held = []
    for _ in range(studies):
        x, y = np.sqrt(0.9) * rng.normal(size=(2, 24))[:, cluster] + np.sqrt(0.1) * rng.normal(size=(2, 72))
        interval = within_group_spearman(x, y, [str(each) for each in group]).interval()
        held.append(interval.low < 0 < interval.high)
    assert np.mean(held) == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / studies))


def test_claims_below_and_above_the_true_rho_are_supported_alike_seldom():
    """With the error at the estimate, those below are supported twice as often, being made where it is smallest."""
    rng, studies, truth = np.random.default_rng(4), 2000, 6 / math.pi * math.asin(0.3)
    found = [spearman_estimate(*bivariate(rng, 0.6, 36)).interval() for _ in range(studies)]
    tail = 0.025 + 3 * math.sqrt(0.025 * 0.975 / studies)
    assert np.mean([interval.high < truth for interval in found]) < tail
    assert np.mean([interval.low > truth for interval in found]) < tail


@pytest.mark.parametrize(("rho", "n"), [(0.0, 24), (0.6, 24), (0.6, 72), (0.9, 72)])
def test_the_interval_holds_the_true_rho_95_percent_of_the_time(rho, n):
    rng, studies = np.random.default_rng(3), 400
    # The population's Spearman rho of a bivariate normal (Pearson 1907).
    truth = 6 / math.pi * math.asin(rho / 2)
    held = []
    for _ in range(studies):
        interval = spearman_estimate(*bivariate(rng, rho, n)).interval()
        held.append(interval.low < truth < interval.high)
    assert np.mean(held) == pytest.approx(0.95, abs=3.5 * math.sqrt(0.05 * 0.95 / studies))
