"""One entity's accuracy less that of the others: the score interval beside scipy's, and its level."""

import numpy as np
import pytest
from scipy import special, stats

from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.accuracy_shift import AccuracyShift
from pytest_llmpref.stats.answers import ReadingDesign


@pytest.mark.parametrize(("right", "chance"), [(30, 0.8), (38, 0.8), (40, 0.8), (12, 0.5)])
@pytest.mark.parametrize("level", [0.90, 0.95])
def test_questions_that_are_alike_and_a_great_many_others_make_it_wilsons(right, chance, level):
    found = AccuracyShift(right / 40 - chance, np.full(40, chance), 1e9).limits(level)
    ours = stats.binomtest(right, 40).proportion_ci(level, method="wilson")
    assert found == pytest.approx((ours.low - chance, ours.high - chance), abs=1e-5)
    assert found == pytest.approx([end - chance for end in Wilson(right, 40).limits(level)], abs=1e-5)


def test_nothing_lies_beyond_what_the_questions_allow():
    low, high = AccuracyShift(0.1, np.full(10, 0.9), 71).limits(0.95)
    assert high == pytest.approx(0.1, abs=1e-4)
    assert AccuracyShift(-0.9, np.full(10, 0.9), 71).limits(0.95)[0] == pytest.approx(-0.9, abs=1e-4)
    assert low < 0.1


@pytest.mark.parametrize(("questions", "accuracy"), [(64, 0.95), (200, 0.85)])
def test_it_holds_a_planted_deficit_as_often_as_it_says(questions, accuracy):
    """1,500 studies of an entity that is ten points worse than 71 others, all questions shifted alike."""
    design, rng = ReadingDesign(72, questions, accuracy), np.random.default_rng(3)
    shift = special.logit(accuracy - 0.1) - special.logit(accuracy)
    truth = design.mean_accuracy(design.level, shift) - design.mean_accuracy(design.level, 0.0)
    above = below = 0
    for _ in range(1500):
        chances = special.expit(design.level + design.difficulty_sd * rng.standard_normal(questions))
        right = rng.random(questions) < special.expit(special.logit(chances) + shift)
        others = rng.binomial(71, chances)
        low, high = AccuracyShift(float((right - others / 71).mean()), (others + 0.5) / 72, 71).limits(0.90)
        above, below = above + (low > truth), below + (high < truth)
    assert 0.03 <= above / 1500 <= 0.07
    assert 0.03 <= below / 1500 <= 0.07
