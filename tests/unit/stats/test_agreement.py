"""Agreement of raters, and shares of all replies from a stratified sample of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa as peer
from statsmodels.stats.proportion import proportion_confint

from pytest_llmpref.stats.agreement import (
    Stratum,
    agreement,
    cohens_kappa,
    confusion,
    stratified_share,
)

TABLES = (
    [[20, 5], [10, 15]],
    [[40, 9, 1], [6, 40, 4], [1, 2, 47]],
    [[88, 14, 18], [10, 40, 10], [2, 6, 12]],  # Cohen 1960, table 1: two judges, three categories, n = 200
    [[30, 0], [0, 12]],
)


def test_pairs_are_counted_rows_first():
    assert confusion([("A", "B"), ("A", "B"), ("B", "B")], ("A", "B", "refusal")) == [[0, 2, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("counts", TABLES)
def test_kappa_is_that_of_another_library(counts):
    assert cohens_kappa(counts).value == pytest.approx(peer(np.array(counts)).kappa)


def test_kappa_of_cohens_own_example():
    """Cohen (1960) gives 0.70 observed, 0.41 by chance, and 0.492."""
    assert agreement(TABLES[2]).value == pytest.approx(0.70)
    assert cohens_kappa(TABLES[2]).value == pytest.approx(0.492, abs=5e-4)


@pytest.mark.parametrize("counts", TABLES)
def test_the_interval_is_wilsons_on_the_scale_of_kappa(counts):
    table = np.array(counts)
    n, by_chance = table.sum(), (table.sum(0) * table.sum(1)).sum() / table.sum() ** 2
    limits = np.array(proportion_confint(np.trace(table), n, method="wilson"))
    found = cohens_kappa(counts).interval()
    assert (found.low, found.high) == pytest.approx((limits - by_chance) / (1 - by_chance))


def test_raters_who_never_disagree_are_not_sure_to_agree_for_ever():
    """The usual interval would be 1 to 1."""
    found = cohens_kappa([[6, 0], [0, 6]])
    assert found.value == 1.0
    assert 0.4 < found.interval().low < 0.6


def test_one_label_alone_tells_nothing_of_kappa():
    found = cohens_kappa([[12]])
    assert math.isnan(found.value)
    assert math.isnan(found.interval().low)
    assert math.isnan(cohens_kappa([]).value)
    assert math.isnan(agreement([]).value)


def test_kappas_interval_covers_the_truth():
    rng = np.random.default_rng(3)
    shares = np.array([0.4, 0.4, 0.1, 0.1])
    joint = 0.1 * np.outer(shares, shares) + 0.9 * np.diag(shares)
    covered = 0
    for _ in range(1000):
        interval = cohens_kappa(rng.multinomial(60, joint.ravel()).reshape(joint.shape).tolist()).interval()
        covered += interval.low <= 0.9 <= interval.high
    assert 0.93 <= covered / 1000 <= 0.98


def test_one_stratum_is_wilson():
    found = stratified_share([Stratum(size=1000, labelled=40, hits=37)])
    assert found.value == 37 / 40
    assert (found.interval().low, found.interval().high) == pytest.approx(proportion_confint(37, 40, method="wilson"))


def test_strata_are_put_together_by_hand():
    found = stratified_share([Stratum(90, 20, 18), Stratum(10, 20, 5)])
    limits = [proportion_confint(18, 20, method="wilson"), proportion_confint(5, 20, method="wilson")]
    value = 0.9 * 0.9 + 0.1 * 0.25
    below = math.hypot(0.9 * (0.9 - limits[0][0]), 0.1 * (0.25 - limits[1][0]))
    above = math.hypot(0.9 * (limits[0][1] - 0.9), 0.1 * (limits[1][1] - 0.25))
    assert (found.value, found.n) == (pytest.approx(value), 40)
    assert (found.interval().low, found.interval().high) == pytest.approx((value - below, value + above))


def test_a_stratum_without_labels_may_lie_anywhere():
    found = stratified_share([Stratum(80, 40, 40), Stratum(20, 0, 0)])
    assert found.value == 1.0
    low, _ = proportion_confint(40, 40, method="wilson")
    assert (found.interval().low, found.interval().high) == pytest.approx((0.8 * low, 1.0))
    unknown = stratified_share([Stratum(20, 0, 0)])
    assert math.isnan(unknown.value)
    assert math.isnan(unknown.interval().low)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6))
def test_the_value_lies_in_its_interval_within_0_and_1(drawn):
    found = stratified_share([Stratum(size, labelled, min(hits, labelled)) for size, labelled, hits in drawn])
    if not math.isnan(found.value):
        interval = found.interval()
        assert -1e-9 <= interval.low <= found.value + 1e-9
        assert found.value - 1e-9 <= interval.high <= 1 + 1e-9


def test_a_sample_of_equal_parts_is_not_biased_and_its_interval_covers_the_truth():
    """Nine in ten replies are easy, and one in ten is hard; half of the labels are of the hard ones."""
    rng = np.random.default_rng(5)
    truth, values, covered = 0.9 * 0.98 + 0.1 * 0.6, [], 0
    for _ in range(1000):
        found = stratified_share(
            [Stratum(900, 50, int(rng.binomial(50, 0.98))), Stratum(100, 50, int(rng.binomial(50, 0.6)))]
        )
        values.append(found.value)
        covered += found.interval().low <= truth <= found.interval().high
    assert np.mean(values) == pytest.approx(truth, abs=0.003)
    assert 0.93 <= covered / 1000 <= 0.99


def test_shares_and_kappas_say_what_they_rest_on():
    share, kappa = agreement(TABLES[2]), cohens_kappa(TABLES[2])
    assert (share.n, share.unit, kappa.n, kappa.unit) == (200, "replies", 200, "replies")
    limits = proportion_confint(140, 200, method="wilson")
    assert (share.interval().low, share.interval().high) == pytest.approx(limits)
    assert stratified_share([Stratum(9, 3, 2)]).method.startswith("stratified, Wilson 1927")


@pytest.mark.parametrize("counts", [[[1, 2], [3]], [[1, 2, 3], [4, 5]], [[1, 2, 3], [4, 5, 6]]])
def test_a_table_that_is_not_square_is_refused(counts):
    with pytest.raises(ValueError, match="zip"):
        cohens_kappa(counts)
