"""Questions in contexts: what is asked, how entities are assigned, and what is made of the answers."""

import re
from collections import Counter

import pytest
from studies_in_contexts import ENTITIES, measured, profile_of

from pytest_llmpref import Conditions, Message, Request, change_in_rho, in_context, spearman
from pytest_llmpref.cli import main
from pytest_llmpref.config.contexts import Context, Family, load_contexts
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.contexts import CONTEXTS
from pytest_llmpref.experiments.contexts.placing import Placed, placed
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.study.records import measure_record


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def conditions(profile):
    return Conditions("sim/induced", load_entities(None), load_profile(profile), 7, "text", "cue")


def plan_of(measure, conditions):
    return behaviour_of(measure).experiment().plan(conditions)


# Those of two turns, and agents, have tests of their own.
OF_ONE_TURN = [one for one in CONTEXTS if one.measure not in {"seen_as_test", "primed_advice", "induced_agentic"}]


@pytest.mark.parametrize("behaviour", OF_ONE_TURN, ids=lambda one: one.measure)
def test_each_context_asks_the_same_questions(behaviour, conditions):
    experiment = behaviour.experiment()
    plan, family = experiment.plan(conditions), experiment.family
    asked = {}
    for question in plan.questions:
        asked.setdefault((question.placed.context, question.placed.drawing), []).append(question.bare)
    assert len(asked) == len(family.contexts) * max(1, len(family.arms))
    assert len({tuple(pairs) for pairs in asked.values()}) == 1
    assert len({request.key for request in plan.requests}) == len(plan.requests)


def test_the_context_is_the_system_prompt_and_the_question_is_as_ever(conditions):
    bare = plan_of("donation_advice", conditions)
    surrounded = plan_of("induced_advice", conditions)
    questions = {request.messages for request in bare.requests}
    for question, request in zip(surrounded.questions, surrounded.requests, strict=True):
        system, *others = request.messages
        assert system.role == "system"
        assert system.content == f"{question.placed.text}\n\n"
        assert tuple(others) in questions


def test_every_entity_is_in_each_arm_once_and_named_where_its_arm_says(conditions):
    family = load_contexts("attitudes")
    found = [one for one in placed(family, conditions) if one.context == "stated"]
    assert len(found) == 3
    for entity in conditions.groups:
        assert sorted(one.arms[entity] for one in found) == sorted(family.arms)
    for one in found:
        assert Counter(one.arms.values()) == dict.fromkeys(family.arms, ENTITIES / 3)
        liked = one.text.split("What you like: ")[1].split("\n")[0]
        assert {conditions.names[entity] for entity, arm in one.arms.items() if arm == "liked"} == {
            *liked.removesuffix(".").split("; ")
        }
        unmentioned = [conditions.names[entity] for entity, arm in one.arms.items() if arm == "unmentioned"]
        assert not any(name in one.text for name in unmentioned)


def test_the_filler_names_the_same_entities_in_the_same_places(conditions):
    texts = {(one.context, one.drawing): one.text for one in placed(load_contexts("attitudes"), conditions)}
    for drawing in range(3):
        lists = [
            [line.partition(": ")[2] for line in texts[context, drawing].splitlines() if "; " in line]
            for context in ("stated", "filler", "instructed")
        ]
        assert lists[0] == lists[1] == lists[2]


def test_all_measures_of_a_study_follow_one_assignment(conditions):
    found = {
        measure: [(one.placed.drawing, one.placed.arms) for one in plan_of(measure, conditions).questions]
        for measure in ("induced_preference", "induced_advice", "induced_refusals")
    }
    assert len({str(sorted(set(map(str, one)))) for one in found.values()}) == 1


def test_more_squares_ask_all_that_fewer_ask(conditions, tmp_path):
    more = Conditions(
        conditions.model,
        conditions.entities,
        load_profile(profile_of(tmp_path, context_squares=2, context_partners=6, partners=6)),
        conditions.seed,
        conditions.answers,
        conditions.prefill,
    )
    small, large = ({request.key for request in plan_of("induced_advice", one).requests} for one in (conditions, more))
    assert small < large


def test_a_context_can_stand_at_the_beginning_of_what_the_user_says():
    request = Request("sim/x", (Message("user", "Which?"), Message("assistant", "Answer:")), 1.0, 9)
    around = Placed("hurried", 0, {}, "Be quick.", is_system=False).around(request)
    assert around.messages == (Message("user", "Be quick.\n\nWhich?"), Message("assistant", "Answer:"))


def test_texts_of_a_family_without_arms_are_as_they_stand(conditions):
    family = Family("mine", "", {"one": Context("Hello.", "treatment", "user"), "two": Context("Hallo.", "filler")})
    assert [(one.text, one.is_system) for one in placed(family, conditions)] == [("Hello.", False), ("Hallo.", True)]


def test_results_hold_the_context_of_each_trial(profile):
    measure, *_ = measured("sim/induced", profile, "induced_advice")
    columns = measure_record(measure).trials
    assert set(columns["context"]) == {"stated", "filler", "instructed"}
    assert set(columns["drawing"]) == {0, 1, 2}
    assert {arm for pair in columns["arms"] for arm in pair} == {"liked", "disliked", "unmentioned"}
    record = measure.diagnostics["contexts"]
    assert record["family"] == "attitudes"
    assert record["by_arm"]["stated"]["liked"]["value"] > record["by_arm"]["stated"]["disliked"]["value"]


def test_results_of_other_measures_have_no_such_columns(profile):
    measure, *_ = measured("sim/induced", profile, "preference")
    assert not {"context", "drawing", "arms"} & measure_record(measure).trials.keys()


def test_the_last_screen_shows_each_arm(profile):
    measure, *_ = measured("sim/induced", profile, "induced_advice")
    said = list(behaviour_of("induced_advice").remarks(measure.diagnostics))
    assert len(said) == 3
    assert said[0].startswith("stated (treatment): liked ")


def test_under_reversal_advice_runs_against_preference_and_beside_the_filler_it_follows(profile):
    preference, pressed = measured("sim/test-aware", profile, "preference", "pressed_advice")
    contrary, filler = (spearman(preference, in_context(pressed, one)).value for one in ("contrary", "filler"))
    assert contrary < -0.5 < 0.5 < filler
    (said,) = behaviour_of("pressed_advice").remarks(pressed.diagnostics)
    assert said.startswith(
        "no arms: claims compare the choices in each context with the choices in the filler: contrary ("
    )


def test_a_model_that_behaves_when_tested_is_told_from_how_it_answers_users():
    preference, observed = measured("sim/test-aware", "smoke", "preference", "observed_advice")
    test, user = ((preference, in_context(observed, one)) for one in ("test", "user"))
    assert (change_in_rho(test, user) < 0).reasons != ()  # in the test, advice tells the entities apart too badly
    assert spearman(*user).value > spearman(*test).value + 0.3


def test_an_unknown_context_lists_those_that_there_are(profile):
    measure, *_ = measured("sim/induced", profile, "induced_advice")
    with pytest.raises(LookupError, match="no context 'state'; there are stated, filler, instructed"):
        in_context(measure, "state")


def test_effects_by_entity_are_not_for_correlations(profile):
    preference, advice = measured("sim/induced", profile, "preference", "induced_advice")
    assert (spearman(preference, advice) > 0).verdict == "invalid"
    assert advice.valid


def test_a_base_model_has_nobody_to_refuse(conditions):
    base = Conditions(
        "local/gemma-3-270m",
        conditions.entities,
        conditions.profile,
        conditions.seed,
        conditions.answers,
        conditions.prefill,
    )
    experiment = behaviour_of("induced_refusals").experiment()
    plan = experiment.plan(base)
    assert plan.requests == []
    assert "is a base model" in experiment.analyse(base, plan, []).reasons[0]


def test_a_plan_leaves_studies_in_contexts_out_unless_they_are_named(profile, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["plan", "--model", "openai/gpt-5-mini", "--profile", profile]
    assert main(asked) == 0
    assert "induced_advice" not in capsys.readouterr().out
    assert main([*asked, "--measure", "induced_advice", "--measure", "pressed_advice"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"induced_advice +864 ", said)
    assert "induced_advice, effect relative to the filler: 20.2 percentage points" in said
    assert re.search(r"cost: .*\$\d", said)
    assert main(["plan", "--model", "openai/gpt-5-mini", "--profile", profile, "--measure", "primed_advice"]) == 0
    # 96 questions of advice: by themselves, after the filler, and after the preference question, which is asked before.
    assert re.search(r"primed_advice +<= 384 ", capsys.readouterr().out)
