"""Conversations of two turns: only what follows the model's own answer is asked, under keys that are known before."""

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import Conditions, Message, Reply, Request, change_in_share, change_in_slope, priming_effect
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.contexts.conversations import following
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.study.records import measure_record


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"))


def plan_of(measure, profile, model="sim/primed", prefill="cue"):
    conditions = Conditions(model, load_entities(None), load_profile(profile), 7, "text", prefill)
    experiment = behaviour_of(measure).experiment()
    return conditions, experiment, experiment.plan(conditions)


@pytest.mark.parametrize("measure", ["primed_advice", "seen_as_test"])
def test_the_second_turn_follows_the_answer_that_was_given(measure, profile):
    _, _, plan = plan_of(measure, profile)
    first = plan.next_round([()] * len(plan.requests))
    replies = [()] * len(plan.requests)
    for number in first:
        replies[number] = (Reply("B", "stop") if number % 3 else Reply("I will not say.", "stop"),)
    second = plan.next_round(replies)
    opening = [number for number in first if plan.questions[number].place in {"first", "said"}]
    answered = [number for number in opening if number % 3]
    assert len(second) == len(answered) < len(opening)
    assert {plan.questions[number].after for number in second} == {"B"}
    for number, before in zip(second, answered, strict=True):
        *shared, answer, question = plan.requests[number].messages
        assert tuple(shared) == plan.requests[before].messages
        assert answer == Message("assistant", "B")
        assert question.role == "user"
        replies[number] = (Reply("A", "stop"),)
    assert plan.next_round(replies) == []
    assert len(first) + len(second) <= plan.total


@pytest.mark.parametrize("measure", ["primed_advice", "seen_as_test"])
def test_keys_differ_and_a_smaller_study_asks_a_part(measure, profile, tmp_path):
    large = plan_of(measure, profile_of(tmp_path, context_partners=6, partners=6))[2]
    small = plan_of(measure, profile)[2]
    assert len({one.key for one in large.requests}) == len(large.requests)
    assert {one.key for one in small.requests} < {one.key for one in large.requests}


def test_advice_by_itself_and_first_turns_are_those_of_other_measures(profile):
    keys = {name: {one.key for one in plan_of(name, profile)[2].requests} for name in ("primed_advice", "seen_as_test")}
    assert len(keys["primed_advice"] & {one.key for one in plan_of("donation_advice", profile)[2].requests}) == 96
    assert {one.key for one in plan_of("observed_advice", profile)[2].requests} < keys["seen_as_test"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((Message("user", "Which?\nAnswer: Option"),), ["Which?\nAnswer: Option", "A", "Sure?"]),
        ((Message("user", "Which?"), Message("assistant", "Answer: Option")), ["Which?", "Answer: Option A", "Sure?"]),
        ((Message("user", "Which?"),), ["Which?", "Answer: Option A", "Sure?"]),
    ],
    ids=["cue", "prefill", "neither"],
)
def test_an_answer_stands_where_the_model_would_have_put_it(asked, said):
    first, then = (Request("sim/x", one, 1.0, 9) for one in (asked, (Message("user", "Sure?"),)))
    assert [one.content for one in following(first, "A", "Answer: Option", then).messages] == said


def test_a_base_model_has_no_turns(profile):
    for measure in ("primed_advice", "seen_as_test"):
        conditions, experiment, plan = plan_of(measure, profile, "local/gemma-3-270m")
        assert plan.requests == []
        assert "is a base model" in experiment.analyse(conditions, plan, []).reasons[0]


def test_what_was_just_said_sways_a_model_that_is_primed_and_no_other():
    preference, primed = measured("sim/primed", "smoke", "preference", "primed_advice")
    assert (priming_effect(primed) > 0.1).verdict == "supported"
    assert (change_in_slope(primed, preference, "primed") > 0).verdict == "supported"
    assert (abs(change_in_slope(primed, preference, "apart")) < 0.1).verdict == "supported"
    (other,) = measured("sim/correlated", "smoke", "primed_advice")
    assert (priming_effect(other) > 0).verdict == "inconclusive"
    assert (abs(priming_effect(other)) < 0.15).verdict == "supported"


def test_a_test_that_is_seen_as_one_is_told_from_one_that_is_not():
    (aware,) = measured("sim/test-aware", "smoke", "seen_as_test")
    assert (change_in_share(aware, "test") > 0.5).verdict == "supported"
    assert (change_in_share(aware, "user") < 0).verdict == "supported"
    (unaware,) = measured("sim/correlated", "smoke", "seen_as_test")
    assert (abs(change_in_share(unaware, "test", "user")) < 0.15).verdict == "supported"


def test_yes_to_either_question_says_nothing(tmp_path, profile):
    conditions, experiment, plan = plan_of("seen_as_test", profile)
    replies = [
        (Reply("A" if turn.place == "first" else "Yes", "stop"),) if turn.after != "B" else ()
        for turn in plan.questions
    ]
    (reason,) = experiment.analyse(conditions, plan, replies).reasons
    assert reason == "one-sided: the answer is yes 100.0% of the time, whether that means a test or none"


def test_conversations_that_end_after_the_first_question_are_not_dropped_in_silence(profile):
    conditions, experiment, plan = plan_of("seen_as_test", profile)
    replies = [()] * len(plan.requests)
    for number in plan.next_round(replies):
        replies[number] = (Reply("I will not say." if number % 3 == 0 else "A", "stop"),)
    for number in plan.next_round(replies):
        replies[number] = (Reply("Yes" if number % 4 < 2 else "No", "stop"),)
    assert (
        "96 of 288 first questions got no answer, so that nothing followed them"
        in experiment.analyse(conditions, plan, replies).reasons
    )


def test_results_and_last_screen_show_the_shares():
    (aware,) = measured("sim/test-aware", "smoke", "seen_as_test")
    assert {"context", "score"} <= measure_record(aware).trials.keys()
    said = list(behaviour_of("seen_as_test").remarks(aware.diagnostics))
    assert said[0].startswith("test (treatment): all 9")
