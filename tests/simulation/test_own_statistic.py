"""A user's own statistic over entities that come in groups: how often its interval misses a planted truth."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_llmpref import over_entities
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats import own_statistic

STUDIES = 300


def tau(x, y):
    first, second = np.triu_indices(len(x), 1)
    return float(np.mean(np.sign((x[first] - x[second]) * (y[first] - y[second]))))


def slope(x, y):
    return float((x - x.mean()) @ y / ((x - x.mean()) @ x))


def mean_difference(x, y):
    return float(np.mean(y - x))


def median_difference(x, y):
    return float(np.median(y - x))


def truth_of(statistic, rho):
    return {tau: 2 / math.pi * math.asin(rho), slope: rho}.get(statistic, 0.0)


STATISTICS = [tau, slope, mean_difference, median_difference]


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch):
    monkeypatch.setattr(own_statistic, "RESAMPLES_OF_GROUPS", 60)


def sizes_of(groups):
    """Return the sizes of groups of 72 entities in all, the largest about three times the smallest."""
    shares = np.linspace(1, 3, groups)
    sizes = np.round(shares / shares.sum() * 72).astype(int)
    sizes[-1] += 72 - sizes.sum()
    return sizes


def found(statistic, groups, rho, *, between, known=True, studies=STUDIES):
    """Yield what studies find, of entities with a part of their variance between groups that are drawn anew."""
    group = np.repeat(np.arange(groups), sizes_of(groups))
    of = {str(entity): str(name) for entity, name in enumerate(group)} if known else None
    rng = np.random.default_rng([groups, round(100 * rho)])
    for _ in range(studies):
        x, y = (np.array(values) for values in _values(rng, group, groups, rho, between))
        yield over_entities(statistic, _measure("x", x, of), _measure("y", y, of))


def _values(rng, group, groups, rho, between):
    parts = []
    for count in (groups, len(group)):
        a, b = rng.standard_normal((2, count))
        parts.append((a, rho * a + math.sqrt(1 - rho**2) * b))
    for of_groups, own in zip(*parts, strict=True):
        yield math.sqrt(between) * of_groups[group] + math.sqrt(1 - between) * own


def _measure(name, values, groups):
    known = {} if groups is None else {"groups": groups}
    return SimpleNamespace(name=name, values=dict(zip(map(str, range(72)), values, strict=True)), reasons=(),
                           unranked=(), **known)  # fmt: skip


def below(rate, errors=3.0):
    """Return what a rate stays below, but for chance."""
    return rate + errors * math.sqrt(rate * (1 - rate) / STUDIES)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("groups", [5, 8, 20])
def test_a_false_claim_is_supported_as_seldom_as_promised_on_either_side(groups, statistic):
    """The truth is 0, so that "> 0" and "< 0" are both false: with independent entities, 17 to 33% in 5 or 8 groups."""
    studies = list(found(statistic, groups, 0.0, between=0.7))
    assert np.mean([(each > 0).verdict is Verdict.SUPPORTED for each in studies]) < below(0.025)
    assert np.mean([(each < 0).verdict is Verdict.SUPPORTED for each in studies]) < below(0.025)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("groups", [5, 8, 20])
def test_the_interval_holds_a_planted_truth(groups, statistic):
    """Tau's misses are nearly all on one side: the interval knows no end at 1. "tau > truth" holds in up to 6%."""
    truth = truth_of(statistic, 0.6)
    intervals = [each.interval() for each in found(statistic, groups, 0.6, between=0.7)]
    misses = np.array([(one.low > truth, one.high < truth) for one in intervals]).mean(axis=0)
    assert misses.sum() < below(0.07 if statistic is tau else 0.05)
    assert misses.max() < below(0.06 if statistic is tau else 0.025)


def test_a_true_relation_is_found():
    studies = list(found(tau, 8, 0.9, between=0.7))
    assert np.mean([(each > 0).verdict is Verdict.SUPPORTED for each in studies]) > 0.95


def test_entities_whose_groups_are_not_known_are_taken_to_be_independent():
    """So groups have to be told: without them the same world gives false claims."""
    studies = found(slope, 8, 0.0, between=0.7, known=False, studies=40)
    assert np.mean([(each > 0).verdict is Verdict.SUPPORTED for each in studies]) > 0.1
