"""What stands behind intervals of Spearman's rho: against scipy, by hand, and computed a second way."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from pytest_llmpref.stats.arrays import (
    column_ranks,
    explained_by_groups,
    means_by,
    normal_scores,
    quartiles,
    ranks,
)
from pytest_llmpref.stats.grouped import unbiased_rank_correlation, unbiased_variance
from pytest_llmpref.stats.power import correlation_power
from pytest_llmpref.stats.ranks import (
    FEWEST,
    RhoInterval,
    largest_rho,
    rank_correlation,
    shared_variance,
    z_without_each,
)


def z_of(x, y):
    """Fisher's z of rho, cut halfway to a single swap; 0 where one has no spread."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    n = len(x)
    most = 1 - 6 / (n**3 - n)
    return math.atanh(np.clip(stats.spearmanr(x, y).statistic, -most, most))


def shared_by_hand(x, y, changes):
    """The same as `shared_variance`, by numerical derivatives, one line fitted for each entity, and scipy's rho."""
    n = len(x)
    mean, sd, ranked = y.mean(), y.std(), stats.rankdata(x)

    def z(values):
        return math.atanh(np.corrcoef(ranked, stats.norm.cdf(values, mean, sd))[0, 1])

    step = 1e-5 * sd
    slopes = [(z(y + step * row) - z(y - step * row)) / (2 * step) for row in np.eye(n)]
    moved = np.zeros((n, n))
    for gone in range(n):
        others = np.delete(np.arange(n), gone)
        line = np.polyfit(y[others], changes[others, gone], 1)
        moved[others, gone] = np.array(slopes)[others] * (changes[others, gone] - np.polyval(line, y[others]))
    by_others = moved.sum(axis=0) - moved.sum(axis=0).mean()
    own = np.array([z_of(np.delete(x, gone), np.delete(y, gone)) for gone in range(n)])
    added = sum((own - own.mean() + by_others) ** 2) - sum((own - own.mean()) ** 2) - (moved**2).sum()
    return max(0.0, (n - 1) / n * added)


def swayed(seed, n=9):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    y = 5 + 2 * (x + 0.8 * rng.standard_normal(n))
    # Each entity moves the others towards, or away from, the order of x: else it would add up to noise.
    changes = np.outer(stats.rankdata(x), rng.standard_normal(n)) + 0.1 * rng.standard_normal((n, n))
    return x, y, changes


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_variance_of_shared_answers_is_what_a_second_way_of_computing_it_gives(seed):
    x, y, changes = swayed(seed)
    np.fill_diagonal(changes, np.nan)
    expected = shared_by_hand(x, y, changes)
    assert expected > 0.01
    assert shared_variance(x, y, changes) == pytest.approx(expected, rel=1e-4)


@pytest.mark.filterwarnings("ignore:Polyfit may be poorly conditioned")
def test_an_entity_without_which_nothing_differs_has_a_z_of_0():
    x, y, changes = swayed(4)
    for lone in (0, 3):
        only = np.where(np.arange(9) == lone, 1.0, 0.0)
        for one, other in ((only, y), (x, 4 + only)):
            expected = shared_by_hand(one, other, changes)
            assert shared_variance(one, other, changes) == pytest.approx(expected, rel=1e-4, abs=1e-9)


@pytest.mark.filterwarnings("error")  # nor is anything divided by 0 on the way
def test_nothing_is_shared_by_the_fewest_entities_or_by_values_without_spread():
    assert all(shared_variance(*swayed(seed, FEWEST)) == 0 for seed in range(20))
    x, y, changes = swayed(6)
    assert shared_variance(np.ones(9), y, changes) == 0
    assert shared_variance(x, np.ones(9), changes) == 0


def test_five_entities_are_enough():
    found = [shared_variance(*swayed(seed, FEWEST + 1)) for seed in range(20)]
    assert max(found) > 0
    for seed, value in enumerate(found):
        if abs(stats.spearmanr(*swayed(seed, FEWEST + 1)[:2]).statistic) < 0.9:
            assert value == pytest.approx(shared_by_hand(*swayed(seed, FEWEST + 1)), rel=1e-3, abs=1e-9)


def test_ranks_are_those_of_scipy_ties_included():
    values = np.array([3.0, 1.0, 3.0, -2.0, 3.0, 1.0])
    assert ranks(values).tolist() == stats.rankdata(values).tolist() == [5, 2.5, 5, 1, 5, 2.5]


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_ranks_of_columns_are_those_of_scipy_ties_included(n):
    values = np.random.default_rng(n).integers(0, 1 + n // 2, (n, 6)).astype(float)
    values[:, 0], values[:, 1] = 3.0, np.arange(n)[::-1]
    assert column_ranks(values).tolist() == stats.rankdata(values, axis=0).tolist()


def test_rho_has_twelve_digits_so_that_rounding_makes_no_order():
    # One swap of neighbours among six: 1 - 6 * 2 / (6 * 35).
    assert rank_correlation(np.arange(6.0), np.array([0.0, 1, 2, 3, 5, 4])) == 0.942857142857
    assert rank_correlation(np.arange(7.0), np.arange(7.0) * 3) == 1.0


@pytest.mark.parametrize("n", [4, 5, 10, 72])
def test_the_largest_rho_lies_halfway_to_a_single_swap(n):
    swapped = np.arange(n)
    swapped[-2:] = swapped[-2:][::-1]
    assert largest_rho(n) == pytest.approx((1 + stats.spearmanr(np.arange(n), swapped).statistic) / 2, rel=1e-12)


def test_the_unbiased_rho_by_hand_and_with_ties():
    x, y = np.arange(5.0), np.array([0.0, 2, 1, 4, 3])
    # rho is 0.8 and tau 0.6.
    assert unbiased_rank_correlation(x, y) == pytest.approx((6 * 0.8 - 3 * 0.6) / 3)
    x, y = np.array([0.0, 0, 1, 2, 3]), np.array([1.0, 0, 0, 2, 2])
    rho, tau = stats.spearmanr(x, y).statistic, stats.kendalltau(x, y).statistic
    assert unbiased_rank_correlation(x, y) == pytest.approx((6 * rho - 3 * tau) / 3)


def test_the_variance_of_the_unbiased_rho_by_hand():
    left = 0.75  # 1 - 0.5 ** 2
    of_three, of_four, of_many = unbiased_variance(0.5, np.array([3, 4, 10**5]))
    assert of_three == pytest.approx(left)
    assert of_four == pytest.approx((7 * left**1.5 + 6 * left) / 24)
    # That of large samples: (1 - rho ** 2) ** 2 * (1 + rho ** 2 / 2) / n.
    assert of_many * 10**5 == pytest.approx(left**2 * 1.125, rel=1e-4)
    # Independent: 1 / (n - 1) + O(1 / n ** 2); Hoeffding's own, by his equation at rho 0.
    assert unbiased_variance(0.0, np.array([10]))[0] == pytest.approx((9 * 7 * 6 / 9 + 18 * 7 * 7 / 18 + 6) / 720)


@pytest.mark.parametrize(("rho", "threshold", "n", "alpha"), [(0.6, 0.3, 30, 0.05), (-0.2, 0.1, 50, 0.01)])
def test_the_power_of_a_claim_about_rho_computed_a_second_way(rho, threshold, n, alpha):
    def edge(level, side, at):
        """The estimate whose interval ends at a threshold."""
        return optimize.brentq(lambda r: RhoInterval(r, n).limits(level)[side] - at, -0.99, 0.99)

    def below(value):
        se = math.sqrt((1 + rho**2 / 2) / (n - 3))
        return stats.norm.cdf(math.atanh(value), math.atanh(rho), se)

    above = correlation_power(rho, n, threshold=threshold, relation=">", alpha=alpha)
    assert above == pytest.approx(1 - below(edge(1 - alpha, 0, threshold)))
    under = correlation_power(rho, n, threshold=threshold, relation="<", alpha=alpha)
    assert under == pytest.approx(below(edge(1 - alpha, 1, threshold)))
    within = correlation_power(rho, n, threshold=0.7, relation="abs <", alpha=alpha)
    level = 1 - 2 * alpha
    assert within == pytest.approx(below(edge(level, 1, 0.7)) - below(edge(level, 0, -0.7)))


def test_no_claim_is_supported_where_no_estimate_could_support_it():
    assert correlation_power(0.5, 4, threshold=0.9) == 0
    assert correlation_power(0.0, 20, threshold=0.1, relation="abs <") == 0


@pytest.mark.parametrize(("rho", "threshold", "fine"), [(0.999, 0.999, True), (1.0, 0.5, False), (0.5, -1.0, False)])
def test_rho_and_threshold_lie_between_minus_1_and_1(rho, threshold, fine):
    if fine:
        assert 0 < correlation_power(rho, FEWEST + 60, threshold=threshold) < 0.1
    else:
        with pytest.raises(ValueError, match="both lie between -1 and 1"):
            correlation_power(rho, 20, threshold=threshold)


def test_what_groups_explain_by_an_analysis_of_variance():
    values, groups = np.array([1.0, 2, 3, 6, 8, 7, 9]), list("aaabbbb")
    # Between 7 of 3 and 7.5 of 4: F from scipy, and the typical size (7 - 25 / 7) / 1.
    f, typical = stats.f_oneway(values[:3], values[3:]).statistic, 7 - 25 / 7
    assert explained_by_groups(values, groups) == pytest.approx((f - 1) / (f + typical - 1))
    assert explained_by_groups(np.array([1.0, 2, 1, 2]), list("aabb")) == 0


@pytest.mark.parametrize(("values", "groups"), [([1.0, 2, 3], "aaa"), ([1.0, 2, 3], "abc"), ([1.0, 1, 1], "aab")])
def test_where_groups_explain_nothing_that_can_be_told(values, groups):
    assert math.isnan(explained_by_groups(np.array(values), list(groups)))


def test_means_quartiles_and_normal_scores_by_hand():
    assert means_by(np.array([0, 2, 2]), np.array([4.0, 1, 2]), 4) == pytest.approx(
        [4, math.nan, 1.5, math.nan], nan_ok=True
    )
    assert quartiles(np.array([5.0, math.nan, 1, 2, 9, 3, 4, 7, 8])).tolist() == [2, -1, 0, 0, 3, 1, 1, 2, 3]
    assert quartiles(np.array([math.nan])).tolist() == [-1]
    scores = normal_scores(3)
    assert scores / scores[2] == pytest.approx([-1, 0, 1], abs=1e-12)
    assert scores.std(ddof=1) == pytest.approx(1)
    assert normal_scores(4)[3] / normal_scores(4)[2] == pytest.approx(stats.norm.ppf(7 / 8) / stats.norm.ppf(5 / 8))


@pytest.mark.parametrize("parts", [20, 6])
def test_without_each_part_rho_is_that_of_the_rest(parts):
    """Values with ties, and one variable that has no spread without one of the parts."""
    rng = np.random.default_rng(3)
    sampled = np.arange(20) % parts
    x, y = rng.integers(0, 8, (2, 20)).astype(float)
    alike = np.where(sampled == 2, x, 1.0)
    for other in (y, alike):
        expected = [
            np.arctanh(np.clip(rank_correlation(x[kept], other[kept]), -largest_rho(15), largest_rho(15)))
            if np.ptp(other[kept])
            else 0.0
            for kept in (sampled != part for part in range(parts))
        ]
        assert z_without_each(x, other, sampled, 15) == pytest.approx(expected, abs=1e-12)
    assert z_without_each(x, alike, sampled, 15)[2] == 0


def test_without_each_part_perfect_agreement_is_as_large_as_is_believed():
    assert np.tanh(z_without_each(np.arange(6.0), np.arange(6.0), np.arange(6), 6)) == pytest.approx(largest_rho(6))
