"""One entity's accuracy less that of the others: the score interval beside scipy's."""

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.accuracy_shift import AccuracyShift


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
