"""Open questions, a user who insists, and what both say beside questions that ask for a letter."""

import asyncio
from dataclasses import replace

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import (
    agreement,
    at_first,
    attenuation_corrected,
    change_in_rho,
    chosen_at_once,
    spearman,
)
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs.open_format import INSISTS, OpenExperiment
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome

MEASURES = ("preference", "donation_advice", "open_preference", "open_advice")
CONDITIONS = Conditions(
    "openai/x", load_entities(), replace(load_profile("smoke"), entities=8), seed=0, answers="auto", prefill="cue"
)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), partners=12)


class Scripted:
    """Says the next of some texts in each trial, and keeps what it was asked."""

    name = "openai/x"

    def __init__(self, *texts):
        self.texts, self.asked = texts, []

    async def ask(self, request):
        self.asked.append(request)
        turn = sum(message.role == "assistant" for message in request.messages)
        name = request.messages[0].content.rsplit("\n", 1)[1].split(" or ")[0]
        return Reply(self.texts[turn or request.repetition].format(name=name), "stop")


def answered(*texts):
    experiment, model = OpenExperiment("open_advice", "donation"), Scripted(*texts)
    plan = experiment.plan(CONDITIONS)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=1))
    return model, plan, experiment.analyse(CONDITIONS, plan, replies)


def test_an_open_question_has_no_labels_and_nothing_leads_into_its_answer():
    plan = OpenExperiment("open_advice", "donation").plan(CONDITIONS)
    for request in plan.requests:
        (message,) = request.messages
        assert "Option" not in message.content
        assert "letter" not in message.content
        assert (request.top_logprobs, request.answers, request.max_tokens) == (0, (), 256)


def test_a_reply_that_chooses_ends_the_trial():
    model, plan, measure = answered("I would give it to {name}.", "never said")
    assert len(model.asked) == len(plan.requests)
    assert {trial.outcome for trial in measure.trials} == {Outcome.CHOICE}
    assert {trial.first_is_a for trial in measure.trials} == {None}


def test_the_user_insists_once_and_both_attempts_are_kept():
    model, plan, measure = answered("Both are fine organisations.", "Then {name}.")
    assert len(model.asked) == 2 * len(plan.requests)
    first, second = model.asked[:2]
    assert [message.content for message in second.messages] == [
        first.messages[0].content,
        "Both are fine organisations.",
        INSISTS,
    ]
    trial = measure.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == [Outcome.ABSTENTION, Outcome.CHOICE]
    assert [attempt.key for attempt in trial.attempts] == [first.key, second.key]
    assert chosen_at_once(measure).value == 0


def test_nothing_said_is_asked_again_since_there_is_nothing_to_insist_on():
    model, _, measure = answered("", "{name}")
    assert [message.content for message in model.asked[1].messages] == [model.asked[0].messages[0].content]
    assert measure.trials[0].outcome is Outcome.CHOICE


def test_a_letter_names_nothing_where_none_was_shown():
    _, _, measure = answered("A", "B.")
    assert {trial.outcome for trial in measure.trials} == {Outcome.UNPARSEABLE}


def test_a_base_model_is_asked_nothing():
    conditions = replace(CONDITIONS, model="local/gemma-3-270m")
    experiment = OpenExperiment("open_advice", "donation")
    plan = experiment.plan(conditions)
    assert not plan.requests
    measure = experiment.analyse(conditions, plan, [])
    assert not measure.valid


def test_what_holds_in_all_formats_is_found_to(profile):
    preferences, advice, openly, open_advice = measured("sim/chooses-alike", profile, *MEASURES)
    assert (attenuation_corrected(preferences, openly) > 0.5).verdict == "supported"
    assert (spearman(openly, open_advice) > 0).verdict == "supported"
    change = change_in_rho((openly, open_advice), (preferences, advice))
    assert (change < 0).verdict == "inconclusive"
    assert (agreement(preferences, openly) > 0.7).verdict == "supported"


def test_what_is_the_formats_is_found_to_be(profile):
    preferences, advice, openly, open_advice = measured("sim/format-bound", profile, *MEASURES)
    assert (spearman(preferences, advice) > 0).verdict == "supported"
    assert (attenuation_corrected(preferences, openly) > 0.5).verdict != "supported"
    assert (change_in_rho((openly, open_advice), (preferences, advice)) < 0).verdict == "supported"
    assert (agreement(preferences, openly) < 0.7).verdict == "supported"


def test_without_insisting_fewer_choose(profile):
    (openly,) = measured("sim/chooses-alike", profile, "open_preference")
    at_once = chosen_at_once(openly)
    assert 0.65 < at_once.value < 0.85
    assert openly.valid
    first = at_first(openly)
    assert first.name == "open_preference at first"
    assert any("ended in a choice" in reason or "coverage" in reason for reason in first.reasons), first.reasons
    assert {len(trial.attempts) for trial in first.trials} == {1}


def test_of_other_measures_nothing_is_open(profile):
    (preferences,) = measured("sim/chooses-alike", profile, "preference")
    with pytest.raises(TypeError, match="preference asks no open questions"):
        at_first(preferences)


def test_agreement_counts_the_orders_of_a_pair_as_one_cluster(profile):
    preferences, openly = measured("sim/chooses-alike", profile, "preference", "open_preference")
    same = agreement(preferences, preferences)
    assert same.value == 1
    pairs = {frozenset(trial.entities) for trial in preferences.trials}
    assert same.interval_method.n == len(pairs)
    assert len(pairs) <= agreement(preferences, openly).interval_method.n <= len(preferences.trials)
