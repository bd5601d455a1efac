"""Slopes over pairs that share entities: coverage in simulated studies, and the variance against a direct sum."""

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.slopes import slope_over_pairs

STUDIES = 300


def ring(n, partners):
    steps = np.arange(1, partners // 2 + 1)[:, None]
    first = np.broadcast_to(np.arange(n), (len(steps), n))
    return first.ravel(), ((first + steps) % n).ravel()


def test_the_value_is_that_of_least_squares():
    first, second = ring(20, 6)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, len(first)))
    expected = np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]
    assert slope_over_pairs(first, second, x, y, "").value == pytest.approx(expected)


def test_the_error_sums_over_all_couples_of_pairs_that_share_an_entity():
    first, second = ring(10, 4)
    rng = np.random.default_rng(4)
    x = np.ones(len(first))
    shared = rng.normal(size=10)
    y = shared[first] + shared[second]
    found = slope_over_pairs(first, second, x, y, "")
    left = y - y.mean()
    couples = sum(
        left[i] * left[j] for i in range(len(y)) for j in range(len(y)) if {first[i], second[i]} & {first[j], second[j]}
    )
    variance = (couples + 2) * 10 / 9 / len(y) ** 2
    half = stats.t.ppf(0.975, 9) * np.sqrt(variance)
    assert found.interval().high - found.value == pytest.approx(half)


@pytest.mark.parametrize("spread", [0.0, 1.0], ids=["pairs alone", "entities too"])
def test_intervals_hold_the_truth(spread):
    first, second = ring(72, 4)
    rng, held = np.random.default_rng(5), 0
    for _ in range(STUDIES):
        of_entity = spread * rng.normal(size=72)
        y = of_entity[first] + of_entity[second] + rng.normal(size=len(first))
        interval = slope_over_pairs(first, second, np.ones(len(first)), y, "").interval()
        held += interval.low <= 0 <= interval.high
    assert held >= stats.binom.ppf(0.001, STUDIES, 0.95)
    if spread:
        plain = 0.99 * STUDIES
        assert held <= plain


def test_where_nothing_differs_the_error_is_that_of_the_rule_of_three():
    first, second = ring(72, 4)
    found = slope_over_pairs(first, second, np.ones(144), np.zeros(144), "")
    assert found.interval().high == pytest.approx(3 / 144, rel=0.1)


def test_of_entities_and_questions_the_fewer_count():
    entity, question = np.divmod(np.arange(80), 4)
    assert slope_over_pairs(entity, 100 + question, np.ones(80), np.zeros(80), "").invalid[0].startswith("4 entities")
    assert slope_over_pairs(entity, 100 + np.arange(80) % 8, np.ones(80), np.zeros(80), "").n == 8


def test_pairs_that_do_not_differ_have_no_slope():
    first, second = ring(10, 4)
    assert "do not differ" in slope_over_pairs(first, second, np.zeros(20), np.ones(20), "").invalid[0]


@pytest.mark.parametrize(("entities", "valid"), [(5, False), (6, True)])
def test_six_entities_are_enough_and_a_slope_says_what_it_is(entities, valid):
    first, second = np.triu_indices(entities, 1)
    found = slope_over_pairs(first, second, np.ones(len(first)), np.arange(len(first)) * 1.0, "mine")
    assert (found.n, found.unit, found.label, not found.invalid) == (entities, "entities", "mine", valid)
    assert np.isnan(found.value) != valid
    few = slope_over_pairs(first, second, np.zeros(len(first)), np.ones(len(first)), "mine")
    assert (few.n, few.label, few.method) == (entities, "mine", found.method)
    assert found.method
