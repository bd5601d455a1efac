"""Slopes of accuracy that were planted, and how often the interval holds them."""

import numpy as np
import pytest
from scipy.optimize import brentq

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.accuracy_shift import minus_others
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.performance import preference_slope, top_minus_bottom

DESIGN = ReadingDesign(n_entities=24, n_questions=60, accuracy=0.8)


def covered(estimates, truth, level=0.95):
    intervals = [estimate.interval(level) for estimate in estimates]
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


@pytest.mark.parametrize(("slope", "yes_bias"), [(0.0, 0.0), (0.25, 0.0), (0.0, 0.8)])
def test_intervals_hold_a_planted_slope_as_often_as_they_say(slope, yes_bias):
    rng = np.random.default_rng(7)
    found = [
        preference_slope(simulate_answers(DESIGN, rng, slope=slope, yes_bias=yes_bias), DESIGN.preference)
        for _ in range(200)
    ]
    assert 0.90 <= covered([each.log_odds for each in found], slope) <= 0.99
    assert np.mean([each.log_odds.value for each in found]) == pytest.approx(slope, abs=0.025)
    points = np.mean([each.between_extremes.value for each in found])
    if yes_bias == 0:
        assert points == pytest.approx(DESIGN.points(slope), abs=0.01)


def test_the_difference_between_extremes_counts_which_questions_were_asked():
    design, rng, held = ReadingDesign(36, 64, 0.95, difficulty_sd=4.0), np.random.default_rng(10), []
    for _ in range(200):
        answers = simulate_answers(design, rng, slope=0.335)
        interval = preference_slope(answers, design.preference).between_extremes.interval()
        held.append(interval.low <= design.points(0.335) <= interval.high)
    assert np.mean(held) > 0.91


def opens(answers, margin=0.10):
    """Whether a gate with a claim for each entity opens: each at its own level."""
    with ledger(answers.n_entities, all_must_hold=True):
        return all((abs(one) < margin).verdict is Verdict.SUPPORTED for one in minus_others(answers))


def test_one_entity_of_72_answered_ten_points_worse_closes_the_gate_that_an_average_leaves_open():
    """60 studies each of 400 questions, 90% right: one entity just at the margin, and none that differs."""
    design, rng = ReadingDesign(72, 400, 0.90, entity_sd=0.0), np.random.default_rng(11)
    worse = brentq(lambda shift: design.mean_accuracy(design.level, shift) - 0.80, -3, 0)
    effects = {"one worse": np.r_[np.zeros(36), worse, np.zeros(35)], "none": np.zeros(72)}
    studies = {name: [simulate_answers(design, rng, effects=of) for _ in range(60)] for name, of in effects.items()}
    gaps = [top_minus_bottom(answers, design.preference).interval(0.90) for answers in studies["one worse"]]
    # The average of quarters does not see it: it is as it would be without.
    assert np.mean([gap.low <= 0 <= gap.high for gap in gaps]) > 0.8
    assert np.mean([opens(answers) for answers in studies["one worse"]]) <= 0.10
    assert np.mean([opens(answers) for answers in studies["none"]]) >= 0.95
