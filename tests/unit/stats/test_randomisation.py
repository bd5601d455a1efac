"""Randomisation tests against scipy and by hand, and the intervals that come of inverting them."""

import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from randomisation_p_value import p_value
from scipy import stats

from pytest_llmpref import ledger
from pytest_llmpref.stats import randomisation
from pytest_llmpref.stats.assignment import Design
from pytest_llmpref.stats.randomisation import (
    InvertedTest,
    RandomisedStudy,
    beside_means,
    effect_of_assignment,
    effect_per_unit,
    redrawn,
)


def study(outcome, *, arms=2, doses=(-1.0, 1.0), groups=None, squares=1, seed=0):
    """A study whose outcome is a function of the doses, or an array."""
    n = len(groups) if groups else 6
    design = Design(tuple(groups or "x" * n), arms, squares)
    assigned = design.draw(Random(seed))
    received = np.array(doses)[np.array(assigned)]
    return RandomisedStudy(design, assigned, doses, outcome(received) if callable(outcome) else np.asarray(outcome))


def test_a_test_over_all_assignments_is_scipys():
    rng = np.random.default_rng(4)
    found = study(rng.normal(size=(2, 6)) + np.array([[0.8], [0]]))
    # In a square of two drawings, units differ by in which of them they had the second arm.
    gained = found.outcome[1] - found.outcome[0]
    late = np.array(found.assigned[1]) == 1
    expected = stats.permutation_test(
        (gained[late], gained[~late]), lambda a, b: a.mean() - b.mean(), permutation_type="independent"
    )
    assert found.design.courses <= randomisation.MOST_COURSES
    assert p_value(found) == pytest.approx(expected.pvalue)


def test_a_test_over_a_sample_counts_the_assignment_that_was_drawn():
    found = study(lambda doses: 100 * doses, groups="x" * 24)
    assert found.design.courses > randomisation.MOST_COURSES
    assert p_value(found) == 2 / (randomisation.REDRAWN + 1)


def test_what_is_drawn_again_comes_as_often_as_what_is_drawn(monkeypatch):
    design = Design(("x", "x", "y", "x"), 3, squares=1)
    expected = Counter(design.all())
    monkeypatch.setattr(randomisation, "MOST_COURSES", 0)
    drawn = Counter(tuple(map(tuple, one)) for one in redrawn(design, design.draw(Random(0))).tolist())
    assert drawn.keys() == expected.keys()
    for assigned, count in expected.items():
        assert drawn[assigned] / randomisation.REDRAWN == pytest.approx(count / design.courses, abs=0.02)


@pytest.mark.parametrize("effect", [-0.7, 0.0, 0.3])
def test_a_number_lies_in_the_interval_if_its_test_does_not_reject_it(effect):
    rng = np.random.default_rng(5)
    noise = rng.normal(scale=0.5, size=(2, 6))
    found = study(lambda doses: effect * doses / 2 + noise)
    interval = effect_of_assignment(found, "").interval(0.8)
    doses = np.array(found.doses)[np.array(found.assigned)]
    for value in np.linspace(-3, 3, 121):
        without = RandomisedStudy(found.design, found.assigned, found.doses, found.outcome - value * doses / 2)
        # Of 720 assignments there are few different ones, and the limits themselves are not rejected.
        assert (interval.low <= value <= interval.high) == (p_value(without) > 0.2)


def test_the_effect_is_that_of_the_highest_dose_beside_the_lowest():
    found = study(lambda doses: 0.4 * doses + [[1.0], [2.0], [3.0]], arms=3, doses=(1.0, 0.0, -1.0), groups="x" * 12)
    effect = effect_of_assignment(found, "effect")
    assert effect.value == pytest.approx(0.8)
    assert effect_of_assignment(found, "slope", per_dose=True).value == pytest.approx(0.4)
    low, high = effect.interval().low, effect.interval().high
    assert low == pytest.approx(0.8) == high


def test_of_an_effect_per_unit_only_the_part_that_the_assignment_moved_counts():
    """Liking and behaviour share an entity's own part, as in mere correlation; only the assigned part is cause."""
    rng = np.random.default_rng(6)
    own, noise = 3 * rng.normal(size=(3, 24)), 0.02 * rng.normal(size=(3, 24))
    found = study(lambda doses: 0.1 * doses + own, arms=3, doses=(1.0, 0.0, -1.0), groups="x" * 24)
    liking = np.array(found.doses)[np.array(found.assigned)] + own
    correlated = RandomisedStudy(found.design, found.assigned, found.doses, own + noise)
    followed = RandomisedStudy(found.design, found.assigned, found.doses, 0.5 * liking + noise)
    assert np.corrcoef(liking.ravel(), correlated.outcome.ravel())[0, 1] > 0.9
    assert effect_per_unit(followed, liking, "").value == pytest.approx(0.5, abs=0.02)
    assert (effect_per_unit(followed, liking, "") > 0.3).verdict == "supported"
    assert (effect_per_unit(correlated, liking, "") > 0).verdict == "inconclusive"


def test_where_the_assignment_moved_too_little_the_interval_is_unbounded():
    rng = np.random.default_rng(7)
    found = study(rng.normal(size=(2, 24)), groups="x" * 24)
    ratio = effect_per_unit(found, rng.normal(size=(2, 24)), "ratio")
    assert (ratio.interval().low, ratio.interval().high) == (-math.inf, math.inf)
    claim = ratio > 0
    assert claim.verdict == "inconclusive"
    assert "unbounded" in claim.explain()


def test_a_bounded_interval_is_fiellers_where_there_are_many_units():
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(2, 2, 120))
    found = study(lambda doses: 0.5 * doses + noise[0], groups="x" * 120)
    liking = np.array(found.doses)[np.array(found.assigned)] + noise[1]
    ratio = effect_per_unit(found, liking, "")
    method = ratio.interval_method
    # Fieller: the ratios b at which the outcome less b times the liking is within so many standard errors of zero.
    a, b, z2 = method.outcome, method.treatment, stats.norm.ppf(0.975) ** 2
    covariance = np.cov(np.array([method.outcomes, method.treatments]))
    limits = np.sort(
        np.roots(
            [b**2 - z2 * covariance[1, 1], -2 * (a * b - z2 * covariance[0, 1]), a**2 - z2 * covariance[0, 0]]
        ).real
    )
    assert ratio.interval().low == pytest.approx(limits[0], abs=0.05)
    assert ratio.interval().high == pytest.approx(limits[1], abs=0.05)


def test_no_interval_is_narrower_than_the_number_of_assignments_allows():
    found = study(lambda doses: doses + np.arange(6))
    effect = effect_of_assignment(found, "")
    with ledger(100):
        claim = effect > 0
    assert claim.interval.low == -math.inf
    assert claim.verdict == "inconclusive"


def test_a_missing_value_is_no_value():
    known = study(lambda doses: 0.4 * doses + np.arange(12), groups="x" * 12)
    missing = known.outcome.copy()
    missing[0, 3] = missing[1, 7] = np.nan
    found = RandomisedStudy(known.design, known.assigned, known.doses, missing)
    assert effect_of_assignment(found, "").value == pytest.approx(0.8, abs=1e-6)


def test_means_are_taken_out_where_values_are_missing():
    values = np.add.outer(np.arange(3.0), np.arange(5.0) ** 2)
    values[1, 2] = values[0, 4] = np.nan
    assert np.abs(beside_means(values)).max() < 1e-6


def test_too_few_units_make_no_estimate():
    found = study(np.zeros((2, 3)), groups="xxx")
    assert effect_of_assignment(found, "").invalid == ("3 entities are too few: a randomisation test needs at least 4",)


def test_an_assignment_of_another_design_is_refused():
    with pytest.raises(ValueError, match="no way of drawing gives this assignment"):
        redrawn(Design(("x",) * 4, 2), ((0, 0, 0, 0), (1, 1, 1, 1)))


def test_without_values_there_are_no_limits():
    assert all(map(math.isnan, InvertedTest(math.nan, 1.0, np.zeros(3), np.zeros(3)).limits(0.9)))
