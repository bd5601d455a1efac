"""Reading questions in contexts: accuracy by assignment, and how hard each entity's questions are cancels out."""

from collections import Counter

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import Conditions, causal_effect, in_context, negative_control, positive_control
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.study.records import measure_record

MARGIN = 0.15


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), context_partners=8, partners=8)


def plan_under(profile):
    conditions = Conditions("sim/induced", load_entities(None), load_profile(profile), 7, "text", "cue")
    return conditions, behaviour_of("induced_reading").experiment().plan(conditions)


def effect(world, profile):
    (found,) = measured(world, profile, "induced_reading")
    return causal_effect(found), positive_control(found)


def test_a_planted_effect_on_accuracy_is_found(profile):
    found, control = effect("sim/induced", profile)
    assert (found > 0.05).verdict == "supported"
    assert (control > 0.05).verdict == "supported"


def test_a_model_that_knows_as_much_for_all_is_found_to_do_so(profile):
    found, control = effect("sim/correlated", profile)
    assert (abs(found) < MARGIN).verdict == "supported"
    assert (control > MARGIN).verdict == "supported"


def test_naming_by_itself_does_nothing(profile):
    (found,) = measured("sim/induced", profile, "induced_reading")
    assert (abs(negative_control(found)) < MARGIN).verdict == "supported"


def test_an_entity_has_the_same_questions_in_all_contexts_half_of_them_with_the_answer_yes(profile):
    conditions, plan = plan_under(profile)
    asked = {}
    for question in plan.questions:
        place = question.placed.context, question.placed.drawing
        asked.setdefault(place, {}).setdefault(question.bare.entity, []).append(question.bare.item)
    assert len(asked) == 9
    assert len({str(of_entity) for of_entity in asked.values()}) == 1
    for items in next(iter(asked.values())).values():
        assert Counter(item.answer for item in items) == {True: 4, False: 4}
    assert len({item.id for items in asked["filler", 0].values() for item in items}) > len(conditions.groups)


def test_a_smaller_study_asks_a_part_of_a_larger_one(profile, tmp_path):
    small = plan_under(profile_of(tmp_path, context_partners=4))[1]
    assert {one.key for one in small.requests} < {one.key for one in plan_under(profile)[1].requests}


def test_bad_work_on_demand_does_not_spoil_the_measure_and_guessing_does(profile, tmp_path):
    (found,) = measured("sim/induced", profile, "induced_reading")
    assert found.valid
    guessing = tmp_path / "guessing.toml"
    guessing.write_text("[reading]\nskill = 0.5\ndifficulty = 0.0\n[contexts]\ninstructed = 1.5\n", encoding="utf-8")
    (guessed,) = measured(f"sim/{guessing}", profile, "induced_reading")
    assert not guessed.valid


def test_results_hold_question_and_context(profile):
    (found,) = measured("sim/induced", profile, "induced_reading")
    columns = measure_record(found).trials
    assert {"question", "correct", "context", "drawing", "arms"} <= columns.keys()
    assert all(len(arms) == 1 for arms in columns["arms"])


def test_no_strengths_come_of_answers_that_are_right_or_wrong(profile):
    (found,) = measured("sim/induced", profile, "induced_reading")
    with pytest.raises(TypeError, match="ContextReadingTrial, not ContextTrial"):
        in_context(found, "stated")
