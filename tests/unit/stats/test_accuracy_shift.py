"""One entity's accuracy less that of the others: the score interval beside scipy's."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.accuracy_shift import AccuracyShift, minus_others
from pytest_llmpref.stats.answers import Answers


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


RIGHT = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, np.nan]])
"""Three entities and four questions, the last of which one entity was not asked."""


def answered(right):
    entity, question = np.nonzero(~np.isnan(right))
    correct = right[entity, question] == 1
    return Answers(entity, question, correct, correct, len(right))


def test_an_entity_less_the_others_by_hand():
    found = minus_others(answered(RIGHT), invalid=["given"])
    # The others: both right, both right, both wrong, the only one wrong. And so on for the second and the third.
    assert [one.value for one in found] == pytest.approx([(0 - 1 + 1 + 1) / 4, (0 + 0.5 - 0.5 - 1) / 4, 0])
    assert [(one.n, one.unit, one.invalid) for one in found] == [(n, "questions", ("given",)) for n in (4, 4, 3)]
    assert found[0].label == "difference in accuracy, entity minus mean of the others"
    assert "score interval (as Miettinen and Nurminen 1985)" in found[0].method


@pytest.mark.parametrize("level", [0.90, 0.95])
def test_from_either_end_of_the_interval_the_estimate_is_just_within_reach(level):
    """With half a right and half a wrong answer more under the others, 7 of them over 4 questions; six times that."""
    chances = np.tile([2.5 / 3, 2.5 / 3, 0.5 / 3, 0.5 / 2], 6)
    reach = stats.norm.isf((1 - level) / 2)

    def moments(shift):
        moved = special.expit(special.logit(chances) + shift)
        variances = moved * (1 - moved), chances * (1 - chances) / (7 / 4), (moved - chances).var() * np.ones(24)
        return (moved - chances).mean(), math.sqrt(sum(map(np.sum, variances))) / 24

    def end(sign):
        found = optimize.brentq(lambda shift: 0.25 - moments(shift)[0] - sign * reach * moments(shift)[1], -9, 9)
        return moments(found)[0]

    estimate = minus_others(answered(np.tile(RIGHT, 6)))[0]
    interval = estimate.interval(level)
    assert (interval.low, interval.high) == pytest.approx((end(1), end(-1)))
    assert estimate.interval_method.se == pytest.approx(moments(0)[1])


def test_one_question_that_others_answered_too_is_too_few():
    apart = np.array([[1, 1, np.nan, 1], [1, np.nan, 0, 0]])
    assert [one.n for one in minus_others(answered(apart))] == [2, 2]
    assert all(math.isfinite(one.value) and not one.invalid for one in minus_others(answered(apart)))
    for one in minus_others(answered(apart[:, :3]), invalid=["given"]):
        assert math.isnan(one.value)
        few = "1 questions were answered both under the entity and under another; at least 2 are needed"
        assert (one.n, one.invalid) == (1, ("given", few))
        assert one.label == "difference in accuracy, entity minus mean of the others"


def test_a_limit_takes_about_four_steps(monkeypatch):
    """Claims ask for those of many entities. Two ends, no shift, and the secant, which rests on the last."""
    asked, moments = [], AccuracyShift._moments
    monkeypatch.setattr(AccuracyShift, "_moments", lambda own, shift: asked.append(shift) or moments(own, shift))
    AccuracyShift(-0.02, np.linspace(0.3, 0.95, 100), 71).limits(0.95)
    assert len(asked) <= 2 * (3 + 5 + 1)


def test_the_secant_meets_a_line_in_one_step_and_knows_where_it_leads_nowhere():
    """From no shift it tries four times the gap here, and from these two points a line has its root at once."""
    asked, shift = [], AccuracyShift(0.0, np.full(10, 0.5), 71)

    def line(at, slope, height):
        asked.append(at)
        return height - slope * at

    assert shift._nearby(lambda at: line(at, 2, 2.5 / 10)) == 0.125
    assert asked == [0, 1, 0.125]
    # Flat, or with a first try, or a later one, beyond what counts as nothing: 12.
    assert shift._nearby(lambda at: line(at, 0, 2.5 / 10)) is None
    assert shift._nearby(lambda at: line(at, 2, 30 / 10)) is None
    assert shift._nearby(lambda at: line(at, 2, 29 / 10)) == pytest.approx(1.45)
    assert shift._nearby(lambda at: line(at, 0.25 / 13, 2.5 / 10)) is None
