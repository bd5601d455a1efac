"""Slopes of accuracy that were planted, and how often the interval holds them."""

import numpy as np
import pytest

from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.performance import (
    preference_slope,
)

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
