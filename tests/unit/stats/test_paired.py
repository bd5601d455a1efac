"""Differences within pairs, and McNemar's test: by hand, and against scipy and statsmodels' formulas."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.paired import FEWEST_CLUSTERS, clustered_difference, mcnemar_p_value


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (9, 1), (1, 9), (5, 5), (12, 7), (0, 30)])
def test_mcnemars_exact_test_is_the_binomial_one(first, second):
    expected = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar_p_value(first, second) == pytest.approx(expected)


def test_pairs_of_topics_that_scatter_less_have_the_interval_of_bonett_and_price():
    """12 of 40 pairs go one way and 5 the other, spread over 10 topics, which give the degrees of freedom alone."""
    differences = np.repeat([1.0, -1.0, 0.0], [12, 5, 23])
    found = clustered_difference(differences, [f"t{number % 10}" for number in range(40)], "gap", cluster="topic")
    one, other, n = (12 + 1) / 42, (5 + 1) / 42, 42
    error = math.sqrt((one + other - (one - other) ** 2) / n)
    reach = stats.t.ppf(0.975, 9) * error
    assert found.value == pytest.approx(7 / 40)
    assert (found.interval().low, found.interval().high) == pytest.approx((one - other - reach, one - other + reach))
    assert (found.n, found.unit, found.label, found.invalid) == (40, "pairs", "gap", ())
    assert "clustered by topic" in found.method


def test_pairs_that_go_together_have_the_wider_interval_of_their_clusters():
    """All five pairs of a topic go the same way: the sums of residuals by topic, 4 each way of 8 topics."""
    differences, topics = np.repeat([1.0, -1.0], 20), [f"t{number // 5}" for number in range(40)]
    found = clustered_difference(differences, topics, "gap", cluster="topic")
    error = math.sqrt(8 * 5**2 * 8 / 7 + 2) / 42
    assert found.value == 0
    assert found.interval().high == pytest.approx(stats.t.ppf(0.975, 7) * error)
    # The sums are about the mean: topics that all go one way do not scatter.
    alike = clustered_difference(np.ones(40), topics, "gap", cluster="topic").interval()
    assert alike.high == pytest.approx(40 / 42 + stats.t.ppf(0.975, 7) * math.sqrt(42 - 40**2 / 42) / 42)


def test_few_clusters_give_no_error_and_reasons_are_kept():
    three, four = (
        clustered_difference(np.ones(8), [f"t{i % topics}" for i in range(8)], "gap", cluster="topic", invalid=["cut"])
        for topics in (FEWEST_CLUSTERS - 1, FEWEST_CLUSTERS)
    )
    assert math.isnan(three.value)
    assert (three.n, three.unit, three.label) == (8, "pairs", "gap")
    assert three.invalid == ("cut", "pairs of 3 topics are too few: it takes 4")
    assert "clustered by topic" in three.method
    assert math.isnan(three.interval().low)
    assert (four.value, four.invalid) == (1.0, ("cut",))
