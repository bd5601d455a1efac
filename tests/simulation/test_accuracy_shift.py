"""One entity's accuracy less that of the others: the level of the score interval."""

import numpy as np
import pytest
from scipy import special

from pytest_llmpref.stats.accuracy_shift import AccuracyShift
from pytest_llmpref.stats.answers import ReadingDesign


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
