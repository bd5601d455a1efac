"""Two arms: the most and the least preferred, or those that a user named."""

import math

import pytest

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import ArmsError, any_arms, extremes, named_arms, quarters

IDS = [entity.id for entity in load_entities()]


def preferences(*values, reasons=()):
    estimates = {
        id_: Estimate(value, 9, "trials", "known", Exact(value))
        for id_, value in zip("abcdefgh"[: len(values)], values, strict=True)
    }
    return Measure("preference", "m", estimates, dict.fromkeys(estimates, "g"), reasons, None, {}, ())


def test_extremes_are_as_many_of_either_end_and_ties_go_by_the_id():
    arms = extremes(preferences(3.0, 9.0, 3.0, 1.0, 5.0), 2)
    assert (arms.top, arms.bottom, arms.origin) == (("b", "e"), ("c", "d"), "preference")


def test_no_arm_is_larger_than_half_and_an_unknown_preference_is_in_none():
    arms = extremes(preferences(4.0, math.nan, 2.0, 1.0, 3.0), 9)
    assert (arms.top, arms.bottom) == (("a", "e"), ("c", "d"))


def test_quarters_are_the_first_and_the_last_of_four():
    arms = quarters(preferences(8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 4.0))
    assert (set(arms.top), set(arms.bottom)) == ({"a", "c"}, {"b", "d"})


@pytest.mark.parametrize("arms_of", [quarters, lambda measure: extremes(measure, 2)])
def test_invalid_preferences_have_no_arms_and_say_why(arms_of):
    arms = arms_of(preferences(4.0, 3.0, 2.0, 1.0, reasons=("too few answers",)))
    assert (arms.top, arms.bottom) == ((), ())
    assert arms.reasons[0] == "preference: too few answers"
    assert arms.reasons[1].startswith("so there ")


def test_for_a_plan_any_arms_do():
    arms = any_arms("abcde", 9)
    assert (arms.top, arms.bottom) == (("a", "b"), ("d", "e"))


def test_a_user_names_arms_by_ids():
    arms = named_arms(f"{IDS[0]}, {IDS[1]},:{IDS[2]}", load_entities())
    assert (arms.top, arms.bottom, arms.reasons) == ((IDS[0], IDS[1]), (IDS[2],), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IDS[0], "name two arms"),
        (f"{IDS[0]}:", "name two arms"),
        (f"{IDS[0]}:{IDS[1]}:{IDS[2]}", "name two arms"),
        (f"{IDS[0]}:nobody", "no entity has the id nobody"),
        (f"{IDS[0]},{IDS[1]}:{IDS[0]}", "an entity is named twice"),
    ],
)
def test_arms_that_cannot_be_are_said(text, said):
    with pytest.raises(ArmsError, match=said):
        named_arms(text, load_entities())
