"""Changes between two measurements: intervals against a published one, and by simulation with planted changes."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import special, stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Difference, Normal, OneSided, Reported, Unknown, Wilson
from pytest_llmpref.stats.change import (
    changed,
    correlation_of_correlations,
    holm_adjusted,
    p_value,
    rho_correlation,
    share_correlation,
    strength_correlations,
)
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.rating import NUISANCE_SD, PRIOR_SD, bradley_terry


def estimate(value, method, n=100, invalid=()):
    return Estimate(value, n, "trials", "some", method, invalid)


def change_of(new, old, correlation):
    return changed(new, old, correlation, paired="paired", label="change")


@dataclass(frozen=True)
class FisherZ:
    """Interval of Pearson's r over n values, on Fisher's (1921) z scale."""

    r: float
    n: int

    def limits(self, level):
        half = stats.norm.ppf((1 + level) / 2) / math.sqrt(self.n - 3)
        return tuple(math.tanh(math.atanh(self.r) + sign * half) for sign in (-1, 1))


def test_zous_published_interval_of_two_correlations_with_a_common_variable():
    """Zou (2007): r of .396 and .179 with one variable, .088 between the others, n = 66, gives -.093 to .517."""
    found = change_of(
        estimate(0.396, FisherZ(0.396, 66)),
        estimate(0.179, FisherZ(0.179, 66)),
        correlation_of_correlations(0.396, 0.179, 1.0, 0.179, 0.396, 0.088),
    ).interval()
    assert (round(found.low, 3), round(found.high, 3)) == (-0.093, 0.517)


def test_of_normal_estimates_it_is_the_usual_interval():
    found = change_of(estimate(5, Normal(5, 3)), estimate(1, Normal(1, 4)), 0.5)
    half = stats.norm.ppf(0.975) * math.sqrt(9 + 16 - 2 * 0.5 * 12)
    assert found.interval().low == pytest.approx(4 - half)
    assert found.interval().high == pytest.approx(4 + half)


def test_the_p_value_is_that_of_the_normal_test_and_agrees_with_the_interval():
    found = estimate(1.7, Normal(1.7, 1.0))
    assert p_value(found) == pytest.approx(2 * stats.norm.sf(1.7), rel=1e-6)
    wilson = change_of(estimate(0.3, Wilson(30, 100)), estimate(0.2, Wilson(20, 100)), 0.2)
    p = p_value(wilson)
    assert wilson.interval(1 - p * 1.001).low > 0 > wilson.interval(1 - p * 0.999).low
    assert p_value(estimate(0.0, Normal(0.0, 1.0))) == 1.0
    assert p_value(estimate(90.0, Normal(90.0, 1.0))) == 1e-12
    assert math.isnan(p_value(estimate(1.0, Unknown())))


@pytest.mark.parametrize("end", ["low", "high"])
def test_an_interval_that_lacks_an_end_tests_nothing(end):
    """Of two estimates with few trials, one may have no error, and the other one end."""
    one = estimate(9.0, OneSided(Normal(9.0, 1.0), end))
    for found in (change_of(one, estimate(0.0, Unknown()), 0.0), change_of(estimate(0.0, Unknown()), one, 0.0)):
        assert math.isnan(found.interval().low) != math.isnan(found.interval().high)
        assert math.isnan(p_value(found))


def test_a_change_carries_the_reasons_of_both_sides_and_no_interval_where_one_has_none():
    found = change_of(estimate(1, Normal(1, 1), invalid=("few",)), estimate(1, Unknown(), invalid=("none",)), math.nan)
    assert found.invalid == ("few", "baseline: none")
    assert math.isnan(found.interval().low)


def test_a_reported_interval_is_exact_at_its_level_and_for_normal_ones_at_any():
    low, high = Normal(3, 2).limits(0.95)
    for level in (0.5, 0.95, 0.999):
        assert Reported(3, low, high).limits(level) == pytest.approx(Normal(3, 2).limits(level))


def test_holm_adjusted_p_values_are_those_of_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = [0.01, 0.04, 0.03, 0.005, 0.5]
    assert holm_adjusted(p) == pytest.approx(multitest.multipletests(p, method="holm")[1])
    with_gap = holm_adjusted([0.02, math.nan, 0.03])
    assert with_gap[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(with_gap[1])


def test_holm_stops_at_the_first_that_fails_and_rejects_what_bonferroni_would_not():
    # By hand, at 0.05: .005 <= .05/4, .01 <= .05/3, .03 > .05/2 stops; .04 <= .05/1 must not be rejected any more.
    assert (holm_adjusted([0.01, 0.04, 0.03, 0.005]) <= 0.05).tolist() == [True, False, False, True]
    assert holm_adjusted([0.015, 0.001, 0.02]) == pytest.approx([0.03, 0.003, 0.03])


def test_holm_of_nothing_of_ties_and_of_no_evidence():
    assert holm_adjusted([]).tolist() == []
    assert holm_adjusted([0.025, 0.025]) == pytest.approx([0.05, 0.05])
    assert holm_adjusted([0.0, 0.6, 1.0]).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("pvalues", [[0.5, 1.0 + 1e-9], [-1e-9], [[0.5]]])
def test_what_is_no_p_value_is_refused(pvalues):
    with pytest.raises(ValueError, match="within 0 and 1"):
        holm_adjusted(pvalues)


def test_of_single_trials_it_is_the_phi_coefficient():
    rng = np.random.default_rng(0)
    new = rng.random(400) < 0.3
    old = np.where(rng.random(400) < 0.6, new, rng.random(400) < 0.3)
    cluster = np.arange(400)
    found = share_correlation(new.astype(float), cluster, old.astype(float), cluster)
    assert found == pytest.approx(np.corrcoef(new, old)[0, 1])
    assert share_correlation(new.astype(float), cluster, old.astype(float), cluster + 400) == 0
    assert share_correlation(np.zeros(5), np.arange(5), np.ones(5), np.arange(5)) == 0


def test_an_interval_of_paired_shares_covers_a_planted_change_and_is_shorter_than_of_independent_ones():
    rng = np.random.default_rng(1)
    covered, widths = [], []
    for _ in range(400):
        questions = rng.normal(-1.0, 2.0, 150)
        new, old = (rng.random(150) < special.expit(questions + shift) for shift in (0.4, 0.0))
        truth = np.mean(special.expit(questions + 0.4) - special.expit(questions))
        one, two = (estimate(x.mean(), Wilson(x.sum(), 150)) for x in (new, old))
        correlation = share_correlation(new.astype(float), np.arange(150), old.astype(float), np.arange(150))
        paired = change_of(one, two, correlation).interval()
        covered.append(paired.low <= truth <= paired.high)
        alone = Difference(one, two).limits(0.95)
        widths.append((paired.high - paired.low) / (alone[1] - alone[0]))
    assert np.mean(covered) >= 0.93
    assert np.mean(widths) < 0.85


def played(rng, strengths, quirks, n, repetitions=2):
    """Every ordered pair, answered by strength and by a quirk of the pair that both measurements share."""
    first, second = (
        np.array(side) for side in zip(*[(a, b) for a in range(n) for b in range(n) if a != b], strict=True)
    )
    first, second = np.tile(first, repetitions), np.tile(second, repetitions)
    quirk = np.where(first < second, quirks[first, second], -quirks[second, first])
    score = rng.random(len(first)) < special.expit(strengths[first] - strengths[second] + quirk)
    return Comparisons(first, second, score.astype(float), rng.random(len(first)) < 0.5, n)


def test_an_interval_of_a_moved_entity_covers_the_planted_move_and_gains_from_shared_pairs():
    rng = np.random.default_rng(2)
    n, moved = 10, 60.0
    covered, shorter = [], []
    for _ in range(80):
        base = rng.normal(0, 0.7, n)
        after = base.copy()
        after[0] += moved / (400 / math.log(10))
        after -= after.mean() - base.mean()
        quirks = rng.normal(0, 0.8, (n, n))
        new, old = played(rng, after, quirks, n), played(rng, base, quirks, n)
        now, before = bradley_terry(new), bradley_terry(old)
        correlations = strength_correlations(new, old)
        truth = (after - base) * 400 / math.log(10)
        for entity in range(n):
            one, two = (
                estimate(rating.elo[entity], Normal(rating.elo[entity], rating.standard_errors[entity]))
                for rating in (now, before)
            )
            paired = change_of(one, two, correlations[entity]).interval()
            alone = Difference(one, two).limits(0.95)
            covered.append(paired.low <= truth[entity] <= paired.high)
            shorter.append((paired.high - paired.low) / (alone[1] - alone[0]))
    assert 0.92 <= np.mean(covered) <= 0.99
    assert np.mean(shorter) < 0.92


def test_the_same_answers_twice_have_no_change_at_all():
    rng = np.random.default_rng(3)
    same = played(rng, rng.normal(0, 1, 8), np.zeros((8, 8)), 8)
    assert strength_correlations(same, same) == pytest.approx(np.ones(8))


def of_covariances(matrix):
    """The correlation of r12 and r34 in samples of normal values, from the covariances of sample covariances."""
    size = len(matrix)
    pairs = [(a, b) for a in range(size) for b in range(size)]

    def r(values, a, b):
        return values[a, b] / math.sqrt(values[a, a] * values[b, b])

    def gradient(a, b):
        found = np.zeros((size, size))
        for row, column in pairs:
            step = np.zeros((size, size))
            step[row, column] = 1e-6
            found[row, column] = (r(matrix + step, a, b) - r(matrix - step, a, b)) / 2e-6
        return found

    def covariance(one, other):
        return sum(
            one[a, b] * other[c, d] * (matrix[a, c] * matrix[b, d] + matrix[a, d] * matrix[b, c])
            for a, b in pairs
            for c, d in pairs
        )

    one, other = gradient(0, 1), gradient(2, 3)
    return covariance(one, other) / math.sqrt(covariance(one, one) * covariance(other, other))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_correlations_go_together_as_the_delta_method_says(seed):
    factors = np.random.default_rng(seed).normal(size=(4, 6))
    matrix = np.corrcoef(factors)
    r12, r34, r13, r14, r23, r24 = (matrix[at] for at in ((0, 1), (2, 3), (0, 2), (0, 3), (1, 2), (1, 3)))
    assert correlation_of_correlations(r12, r34, r13, r14, r23, r24) == pytest.approx(of_covariances(matrix), abs=1e-5)


def test_rho_of_four_variables_goes_by_the_correlations_of_their_ranks():
    rng = np.random.default_rng(7)
    values = rng.normal(size=(4, 30))
    values[1] += values[0]
    values[2] += 2 * values[0]
    values[3] += values[2] + values[1]
    matrix = stats.spearmanr(values, axis=1).statistic
    assert rho_correlation(*values) == pytest.approx(of_covariances(matrix), abs=1e-5)
    assert rho_correlation(values[0], np.ones(30), values[2], values[3]) == 0
    assert rho_correlation(values[0], values[1], values[2], np.ones(30)) == 0


def test_perfect_correlations_have_no_error_and_none_goes_beyond_1():
    assert correlation_of_correlations(1.0, 0.5, 0.4, 0.3, 0.4, 0.3) == 0
    assert correlation_of_correlations(0.5, -1.0, 0.4, 0.3, 0.4, 0.3) == 0
    # Correlations that no four variables have.
    assert correlation_of_correlations(0.9, 0.9, 1.0, -1.0, -1.0, 1.0) == 1.0
    assert correlation_of_correlations(0.9, 0.9, 1.0, 1.0, -1.0, -1.0) == -1.0


def test_a_change_is_described_and_its_correlation_cut():
    new = Estimate(0.7, 80, "trials", "of new", Normal(0.7, 0.1), ("few",))
    old = Estimate(0.4, 60, "trials", "of old", Normal(0.4, 0.1), ("none",))
    found = changed(new, old, 0.5, paired="by question", label="change")
    assert (found.value, found.n, found.unit, found.label) == (pytest.approx(0.3), 60, "trials", "change")
    assert found.method == "difference, MOVER (Zou 2007), by question; each: of new"
    assert found.invalid == ("few", "baseline: none")
    for given, used in ((math.nan, 0.0), (1.5, 1.0), (-1.5, -1.0), (0.25, 0.25)):
        assert change_of(new, old, given).interval_method.correlation == used


def test_shares_without_trials_have_nothing_in_common():
    some, none, cluster = np.array([1.0, 0.0]), np.zeros(0), np.zeros(0, dtype=np.intp)
    assert share_correlation(some, np.arange(2), none, cluster) == 0
    assert share_correlation(none, cluster, some, np.arange(2)) == 0


def test_shares_that_have_some_clusters_in_common_by_hand():
    # Deviations summed in clusters: 0.5 and -0.5 in 1 and 2, against 2/3 and -2/3 in 2 and 3.
    found = share_correlation(np.array([1.0, 0.0]), np.array([1, 2]), np.array([1.0, 0, 0]), np.array([2, 3, 3]))
    assert found == pytest.approx(-0.5 * (2 / 3) / (math.sqrt(0.5) * math.sqrt(8 / 9)))


def test_strengths_go_together_as_a_dense_sandwich_says():
    rng, n = np.random.default_rng(5), 6

    def drawn(pairs):
        first, second = np.array(pairs * 3).T
        chosen = (rng.random(len(first)) < 0.6).astype(float)
        return Comparisons(first, second, chosen, rng.random(len(first)) < 0.5, n)

    def influence(comparisons):
        t = len(comparisons)
        design = np.zeros((t, n + 2))
        design[np.arange(t), comparisons.first] += 1
        design[np.arange(t), comparisons.second] -= 1
        design[:, n] = 1
        design[:, n + 1] = np.where(comparisons.label_first_is_a, 0.5, -0.5)
        precision = np.r_[np.full(n, PRIOR_SD**-2.0), np.full(2, NUISANCE_SD**-2.0)]
        found = np.zeros(n + 2)
        for _ in range(50):
            chance = special.expit(design @ found)
            information = (design.T * (chance * (1 - chance))) @ design + np.diag(precision)
            found += np.linalg.solve(information, design.T @ (comparisons.score - chance) - precision * found)
        moved = (design * (comparisons.score - chance)[:, None]) @ np.linalg.inv(information)[:, :n]
        known = np.unique(np.r_[comparisons.first, comparisons.second])
        of_pair = {}
        for row, pair in zip(moved, np.sort(np.c_[comparisons.first, comparisons.second]).tolist(), strict=True):
            of_pair[tuple(pair)] = of_pair.get(tuple(pair), 0) + row - row[known].mean()
        return of_pair

    # Entity 5 is never compared, and two pairs are in one release only.
    new, old = drawn([(0, 1), (1, 2), (2, 0), (3, 4), (4, 0)]), drawn([(1, 0), (2, 1), (2, 3), (3, 4), (4, 0)])
    one, other = influence(new), influence(old)
    together = sum(one[pair] * other[pair] for pair in one.keys() & other.keys())
    apart = np.sqrt(sum(row**2 for row in one.values()) * sum(row**2 for row in other.values()))
    assert strength_correlations(new, old)[:5] == pytest.approx((together / apart)[:5], abs=1e-5)


def test_the_difference_of_two_rhos_scatters_as_its_jackknife_says():
    rng = np.random.default_rng(3)
    columns = rng.multivariate_normal(np.zeros(4), np.full((4, 4), 0.5) + 0.5 * np.eye(4), size=40).T
    group = np.arange(40) % 8
    new, old = (
        np.array([np.arctanh(stats.spearmanr(a[group != k], b[group != k]).statistic) for k in range(8)])
        for a, b in (columns[:2], columns[2:])
    )
    found = rho_correlation(*columns, sampled=group)
    assert found == pytest.approx(np.corrcoef(new, old)[0, 1])
    assert np.var(new) + np.var(old) - 2 * found * np.std(new) * np.std(old) == pytest.approx(np.var(new - old))
    assert rho_correlation(columns[0], columns[0], columns[1], columns[1], sampled=group) == 0
