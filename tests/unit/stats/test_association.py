"""Rank correlation: against scipy, by simulation, and on measures that lack something."""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.arrays import explained_by_groups
from pytest_llmpref.stats.association import spearman, spearman_estimate
from pytest_llmpref.stats.grouped import (
    partial_spearman,
    unbiased_rank_correlation,
    unbiased_variance,
    within_group_spearman,
    within_groups,
)
from pytest_llmpref.stats.ranks import shared_variance


@dataclass(frozen=True)
class Values:
    name: str
    values: Mapping[str, float]
    reasons: tuple[str, ...] = ()
    unranked: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    reliability: Estimate | None = None


def measure(name, values, **rest):
    return Values(name, {f"e{i}": float(value) for i, value in enumerate(values)}, **rest)


def reliable(value):
    return Estimate(value, 20, "entities", "given", Normal(value, 0.05))


def bivariate(rng, rho, n):
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


def test_rho_is_that_of_scipy_ties_included():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, size=(2, 40))
    estimate = spearman_estimate(x, y)
    assert estimate.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert (estimate.n, estimate.unit, estimate.invalid) == (40, "entities", ())


@pytest.mark.parametrize("extra", [0.0, 0.02])
def test_from_either_end_of_the_interval_the_estimate_is_just_within_reach(extra):
    """The error is that of Bonett and Wright (2000) at the end, no less than here, times what the jackknife finds."""
    x, y = bivariate(np.random.default_rng(2), 0.6, 72)
    estimate = spearman_estimate(x, y, extra=extra)
    interval = estimate.interval()
    effect = jackknifed(x, y, np.arange(72)) * 69 / (1 + estimate.value**2 / 2)
    for end in (interval.low, interval.high):
        error = math.sqrt(effect * (1 + max(end, estimate.value) ** 2 / 2) / 69 + extra)
        assert abs(math.atanh(estimate.value) - math.atanh(end)) == pytest.approx(stats.t.ppf(0.975, 71) * error)


def jackknifed(x, y, part):
    """Variance of Fisher's z by hand, a part left out at a time."""
    left = [math.atanh(stats.spearmanr(x[part != one], y[part != one]).statistic) for one in np.unique(part)]
    return (len(left) - 1) / len(left) * np.sum((np.array(left) - np.mean(left)) ** 2)


def test_rho_over_groups_leaves_out_one_group_at_a_time():
    x, y = bivariate(np.random.default_rng(2), 0.6, 40)
    group = np.arange(40) % 8
    estimate = spearman_estimate(x, y, groups=[f"g{one}" for one in group])
    effect = jackknifed(x, y, group) * 37 / (1 + estimate.value**2 / 2)
    for end in limits(estimate):
        error = math.sqrt(effect * (1 + max(end, estimate.value) ** 2 / 2) / 37)
        assert abs(math.atanh(estimate.value) - math.atanh(end)) == pytest.approx(stats.t.ppf(0.975, 7) * error)
    assert "8 groups" in estimate.method
    assert "it generalises to other groups" in estimate.method


def limits(estimate):
    return estimate.interval().low, estimate.interval().high


def test_groups_as_given_are_strata():
    """Entities are drawn anew within each group: Satterthwaite aside, the sum of the groups' own sample variances."""
    x, y = bivariate(np.random.default_rng(4), 0.5, 24)
    group = np.repeat(np.arange(6), 4)
    left = np.array([math.atanh(stats.spearmanr(np.delete(x, i), np.delete(y, i)).statistic) for i in range(24)])
    variance = sum(4 * np.var(left[group == one], ddof=1) for one in range(6)) * (23 / 24) ** 2
    estimate = spearman_estimate(x, y, groups=[str(one) for one in group], given="given")
    scatter = estimate.interval_method.scatter
    assert scatter.design_effect == pytest.approx(variance * 21 / (1 + estimate.value**2 / 2))
    assert scatter.df == 18
    assert "within 6 groups as given" in estimate.method


def grouped_measures(count, n=40):
    x, y = bivariate(np.random.default_rng(2), 0.6, n)
    ids, groups = [f"e{i}" for i in range(n)], {f"e{i}": f"g{i % count}" for i in range(n)}
    return tuple(
        Values(name, dict(zip(ids, column, strict=True)), groups=groups) for name, column in (("x", x), ("y", y))
    )


def test_few_groups_say_nothing_of_others():
    few, enough = (spearman(*grouped_measures(count)) for count in (4, 5))
    assert few.label == "rho(x, y; these entities only)"
    assert "for these entities only, since 4 groups are too few to tell of others" in few.method
    assert few.interval_method.scatter.df == 39
    assert enough.label == "rho(x, y)"
    assert enough.interval_method.scatter.df == 4
    given = spearman(*grouped_measures(8), groups="given")
    assert given.label == "rho(x, y; groups as given)"
    assert "within 8 groups as given" in given.method
    assert given.interval_method.scatter.df == 40 - 8
    with pytest.raises(ValueError, match='groups are a "sample" of their kind, or as "given"'):
        spearman(*grouped_measures(8), groups="fixed")


def test_fewer_than_eight_entities_have_the_error_of_normal_values():
    for n, df in ((7, math.inf), (8, 7)):
        estimate = spearman_estimate(*bivariate(np.random.default_rng(1), 0.5, n), groups=[str(i) for i in range(n)])
        assert estimate.interval_method.scatter.df == df
        assert ("Bonett and Wright" in estimate.method) == (n == 7)


def test_perfect_agreement_has_an_interval_that_narrows_with_n():
    few, many = (spearman_estimate(range(n), range(n)).interval() for n in (4, 72))
    assert few.low < 0 < few.high == 1
    assert 0.99 < many.low < many.high == 1
    assert (spearman_estimate(range(72), range(72)) > 0.9).verdict is Verdict.SUPPORTED
    assert spearman_estimate(range(72), range(0, -72, -1)).interval().low == -1


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([1, 2, 3], [1, 2, 3], "3 entities are too few: a correlation needs at least 4"),
        ([], [], "0 entities are too few"),
        ([1, 2, 3, math.nan], [1, 2, 3, 4], "1 of 4 entities have no value"),
        ([5, 5, 5, 5], [1, 2, 3, 4], "all entities have the same value"),
    ],
)
def test_what_has_no_rank_correlation_is_invalid(x, y, reason):
    estimate = spearman_estimate(x, y, invalid=["given"])
    assert math.isnan(estimate.value)
    assert estimate.invalid[0] == "given"
    assert estimate.invalid[1].startswith(reason)
    assert (estimate > 0).verdict is Verdict.INVALID


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"one shape \(n,\), not \(3,\) and \(4,\)"):
        spearman_estimate([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="4 values, but 3 groups"):
        within_group_spearman([1, 2, 3, 4], [1, 2, 3, 4], ["a", "a", "a"])


def test_groups_that_differ_only_between_each_other_have_no_rho_within():
    rng = np.random.default_rng(4)
    groups = np.repeat(list("abcdefgh"), 9)
    level = np.repeat(np.arange(8) * 10.0, 9)
    x, y = level + rng.normal(size=72), level + rng.normal(size=72)
    assert spearman_estimate(x, y).value > 0.95
    within = within_group_spearman(x, y, list(groups))
    assert within.interval().low < 0 < within.interval().high
    assert within.n == 72


def test_the_unbiased_correlation_has_the_variance_of_its_formula_exactly():
    for n in (4, 5, 6):
        values = [
            unbiased_rank_correlation(np.arange(n, dtype=float), np.array(order, dtype=float))
            for order in itertools.permutations(range(n))
        ]
        assert np.mean(values) == pytest.approx(0, abs=1e-12)
        assert np.var(values) == pytest.approx(float(unbiased_variance(0.0, np.array(n))))
        assert np.var(values) == pytest.approx((n**2 - 3) / (n * (n - 1) * (n - 2)))


def test_agreement_in_every_group_still_has_an_interval():
    interval = within_group_spearman([1, 2, 3, 4] * 4, [1, 2, 3, 4] * 4, list("aaaabbbbccccdddd")).interval()
    assert 0 < interval.low < 0.9
    assert interval.high == 1


def test_one_large_group_is_nearly_spearman_and_useless_groups_are_left_out_and_counted():
    x, y = bivariate(np.random.default_rng(6), 0.5, 20)
    whole, one = spearman_estimate(x, y), within_group_spearman(x, y, ["a"] * 20)
    assert one.value == pytest.approx(whole.value, abs=0.03)
    assert one.interval().low == pytest.approx(whole.interval().low, abs=0.05)
    more = within_group_spearman(np.r_[x, 1, 2, 3], np.r_[y, 1, 2, 3], ["a"] * 20 + ["b"] * 3)
    assert more.value == pytest.approx(one.value)
    assert more.n == 20
    assert "within 1 groups (1 left out)" in more.method


def test_what_groups_explain_is_that_of_an_analysis_of_variance_and_is_said():
    rng = np.random.default_rng(12)
    group = np.repeat(np.arange(6), (2, 3, 5, 9, 9, 12))
    values = np.sqrt(0.6) * rng.normal(size=6)[group] + np.sqrt(0.4) * rng.normal(size=40)
    size = np.bincount(group)
    f = stats.f_oneway(*(values[group == number] for number in range(6))).statistic
    typical = (40 - size @ size / 40) / 5
    names = [f"g{number}" for number in group]
    assert explained_by_groups(values, names) == pytest.approx((f - 1) / (f + typical - 1))
    found = [
        explained_by_groups(
            rng.normal(size=200)[np.arange(2000) % 200] + rng.normal(size=2000),
            [str(number) for number in np.arange(2000) % 200],
        )
        for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert explained_by_groups(np.array([1.0, 1.0, 2.0, 2.0]), ["a", "b", "a", "b"]) == 0
    assert math.isnan(explained_by_groups(values, ["one"] * 40))
    groups = dict(zip((f"e{i}" for i in range(40)), names, strict=True))
    x = measure("preference", values, groups=groups)
    assert (
        f"explain {explained_by_groups(values, names):.0%} and 0% of how"
        in spearman(x, measure("donation_advice", np.arange(40) % 2 + rng.normal(size=40) / 9)).method
    )


def test_no_group_that_is_large_enough_is_invalid():
    estimate = within_group_spearman(range(6), range(6), ["a", "a", "b", "b", "c", "c"])
    assert (estimate > 0).verdict is Verdict.INVALID
    assert "no group has 4 entities" in estimate.invalid[0]


def test_measures_are_joined_by_entity_not_by_place():
    x = measure("preference", range(10))
    y = Values("donation_advice", dict(reversed(x.values.items())))
    estimate = spearman(x, y)
    assert estimate.value == 1
    assert estimate.label == "rho(preference, donation_advice)"


def test_entities_without_a_value_in_both_are_left_out_and_counted():
    x = measure("preference", [*range(10), math.nan])
    y = measure("donation_advice", [*range(10), 99, 5, 7])
    estimate = spearman(x, y)
    assert (estimate.value, estimate.n, estimate.invalid) == (1, 10, ())
    assert "3 entities without a value in both are left out" in estimate.method
    assert "left out" not in spearman(y, y).method


def test_reasons_of_either_measure_pass_on_with_its_name():
    x = measure("preference", range(10), reasons=("always A",))
    y = measure("donation_advice", range(10), reasons=("coverage 10%",))
    claim = spearman(x, y) > 0.5
    assert claim.verdict is Verdict.INVALID
    assert claim.reasons == ("preference: always A", "donation_advice: coverage 10%")


@pytest.mark.parametrize("correlation", [spearman, within_groups, partial_spearman])
def test_a_measure_correlated_with_itself_says_nothing_and_with_its_equal_does(correlation):
    values, groups = range(40), {f"e{i}": "abcde"[i % 5] for i in range(40)}
    one, equal = measure("liking", values, groups=groups), measure("liking", values, groups=groups)
    assert correlation(one, one).invalid == ("liking: correlated with itself, which says nothing",)
    assert correlation(one, equal).invalid == ()


def test_within_groups_takes_the_groups_of_the_first_measure():
    x_values, y_values = bivariate(np.random.default_rng(9), 0.7, 24)
    groups = {f"e{i}": "abc"[i % 3] for i in range(24)}
    x, y = measure("preference", x_values, groups=groups), measure("donation_advice", y_values)
    expected = within_group_spearman(x_values, y_values, [groups[f"e{i}"] for i in range(24)])
    assert within_groups(x, y).value == pytest.approx(expected.value)
    assert "within 3 groups" in within_groups(x, y).method


def test_values_that_order_nothing_make_correlations_invalid():
    x = measure("refusal", range(10), unranked=("nobody is refused",))
    claim = spearman(x, measure("preference", range(10))) > 0
    assert claim.verdict is Verdict.INVALID
    assert claim.reasons == ("refusal: nobody is refused",)


@pytest.mark.parametrize("exchanged", [False, True])
def test_answers_of_yes_and_no_have_a_rho_as_numbers_have(exchanged):
    rng = np.random.default_rng(3)
    x, y = rng.random(30) < 0.4, rng.normal(size=30)
    x, y = (y, x) if exchanged else (x, y)
    assert spearman_estimate(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic)


@dataclass(frozen=True)
class Swayed(Values):
    absences: Callable[[], Mapping[str, Mapping[str, float]]] | None = None


@pytest.mark.parametrize("first", [True, False])
def test_that_entities_sway_each_others_values_adds_to_the_variance(first):
    rng = np.random.default_rng(5)
    values = rng.normal(size=(2, 12))
    # Each absence moves all the others' values towards the other measure's, or away from them.
    changes = np.outer(values[1], rng.normal(size=12)) / 4
    gone = {f"e{i}": {f"e{j}": changes[j, i] for j in range(12) if j != i} for i in range(12)}
    plain, other = measure("preference", values[0]), measure("advice", values[1])
    of = Swayed(plain.name, plain.values, absences=lambda: gone)
    found = spearman(*((of, other) if first else (other, of)))
    np.fill_diagonal(changes, math.nan)
    expected = shared_variance(values[1], values[0], changes)
    assert found.interval_method.extra == pytest.approx(expected)
    assert expected > 0
    assert "entities sway each other's values" in found.method
    # Without the absence of one entity, or with no such knowledge at all, nothing is added.
    for absences in (lambda: gone | {"e3": {}}, None):
        less = spearman(Swayed(plain.name, plain.values, absences=absences), other)
        assert less.interval_method.extra == 0
        assert "sway" not in less.method
