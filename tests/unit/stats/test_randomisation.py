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


def test_of_ways_that_give_one_assignment_each_one_is_left_out():
    """Of five arms three units leave two free, so each of 30 ways of drawing gives an assignment of its own."""
    design = Design(("x",) * 3, 5)
    assigned = design.draw(Random(1))
    others = [tuple(map(tuple, one)) for one in redrawn(design, assigned).tolist()]
    assert (design.courses, len(set(others)), assigned in others) == (30, 29, False)


def accepted(ratio, found, needed):
    """Whether neither tail of the test of a ratio is too rare, counted one by one."""
    seen = found.outcome - ratio * found.treatment
    others = found.outcomes - ratio * found.treatments
    return min(1 + np.sum(others >= seen - 1e-6), 1 + np.sum(others <= seen + 1e-6)) > needed


@pytest.mark.parametrize("treatment", [-2.0, 0.0, 1.0, 3.0])
@pytest.mark.parametrize("level", [0.5, 0.8])
def test_an_interval_holds_the_ratios_whose_tests_accept(treatment, level):
    """Small whole numbers, with many ties, and as many tests as there are ratios at which one could change."""
    kinds = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        outcomes, treatments = rng.integers(-4, 5, 19).astype(float), rng.integers(-4, 4, 19).astype(float)
        found = InvertedTest(float(rng.integers(-4, 5)), treatment, outcomes, treatments)
        needed = (1 - level) / 2 * 20 + 1e-9
        moved = treatments != treatment
        ratios = (found.outcome - outcomes[moved]) / (treatment - treatments[moved])
        kept = [ratio for ratio in ratios if accepted(ratio, found, needed)]
        low, high = found.limits(level)
        if accepted(1e5, found, needed) or accepted(-1e5, found, needed):
            assert (low, high) == (-math.inf, math.inf)
            kinds.add("unbounded")
        elif kept:
            assert (low, high) == pytest.approx((min(kept), max(kept)))
            kinds.add("bounded")
        else:
            assert math.isnan(low)
            assert math.isnan(high)
    assert kinds


def test_a_p_value_counts_ties_in_either_tail():
    found = study(np.array([[0.0, 0, 1, 0, 1, 1], [3, 1, 1, 0, 1, 0]]))
    gained = found.outcome[1] - found.outcome[0]
    late = np.array(found.assigned[1]) == 1
    expected = stats.permutation_test(
        (gained[late], gained[~late]), lambda a, b: a.mean() - b.mean(), permutation_type="independent"
    )
    assert expected.pvalue < 1
    assert p_value(found) == pytest.approx(expected.pvalue)
    swapped = RandomisedStudy(found.design, found.assigned, found.doses, -found.outcome)
    assert p_value(swapped) == pytest.approx(expected.pvalue)


def test_an_effect_says_how_its_interval_came_about():
    few, many = (study(lambda doses: 0.4 * doses, groups="x" * n) for n in (6, 24))
    assert effect_of_assignment(few, "").method.startswith("difference of arms, interval by inverting")
    assert "over all assignments" in effect_of_assignment(few, "").method
    assert effect_of_assignment(few, "", per_dose=True).method.startswith("slope on the dose")
    assert "over 9,999 assignments drawn again" in effect_of_assignment(many, "").method
    ratio = effect_per_unit(few, np.array(few.doses)[np.array(few.assigned)], "mine")
    assert (ratio.label, effect_of_assignment(few, "mine").label) == ("mine", "mine")
    assert ratio.method.startswith("ratio of two effects (Wald), assignment as instrument, interval by inverting")


@pytest.mark.parametrize(("units", "valid"), [(3, False), (4, True)])
def test_four_units_are_enough(units, valid):
    found = effect_of_assignment(study(lambda doses: 0.4 * doses, groups="x" * units), "")
    assert (found.n, found.value == pytest.approx(0.8), not found.invalid) == (units, valid, valid)


def test_an_effect_per_unit_of_the_dose_is_the_slope_on_it_over_the_same_assignments():
    rng = np.random.default_rng(11)
    found = study(lambda doses: 0.1 * doses + rng.normal(size=(2, 24)), groups="x" * 24)
    received = np.array(found.doses)[np.array(found.assigned)]
    slope, ratio = effect_of_assignment(found, "", per_dose=True), effect_per_unit(found, received, "")
    assert (slope.value, slope.interval(0.9)) == (ratio.value, ratio.interval(0.9))
