"""Texts about one entity at a time, scored by a function of the user's."""

import math

import numpy as np
import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.scoring import ScoreError, entity_experiment
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer

CONDITIONS = Conditions("m", load_entities(), load_profile("smoke"), seed=0, answers="auto", prefill="cue")
IDS = list(CONDITIONS.groups)


def words(text):
    return None if text == "?" else float(len(text.split()))


def measured(texts, score=words, read=read_open_answer, **reply):
    """Analyse replies of which the text follows from the number of the sample and that of the entity."""
    experiment = entity_experiment(
        "praise", ["Praise {entity}.", "Say something good of {entity}."], score, unit="words", read=read
    )
    plan = experiment.plan(CONDITIONS)
    n = len(IDS)
    replies = [(Reply(texts(*divmod(number, n)), **{"finish": "stop", **reply}),) for number in range(plan.total)]
    return plan, experiment.analyse(CONDITIONS, plan, replies)


def test_every_entity_is_asked_about_with_each_wording_in_turn_and_nothing_leads_in():
    plan, _ = measured(lambda *_: "good")
    asked = [request.messages[-1].content for request in plan.requests]
    names = {entity.id: entity.name for entity in load_entities()}
    n = len(IDS)
    assert asked[:n] == [f"Praise {names[id_]}." for id_ in IDS]
    assert asked[n : 2 * n] == [f"Say something good of {names[id_]}." for id_ in IDS]
    assert len({request.key for request in plan.requests}) == plan.total
    assert {len(request.messages) for request in plan.requests} == {1}


def test_a_measure_is_the_mean_score():
    _, found = measured(lambda sample, entity: "word " * (10 * (entity + 1) + sample % 2))
    samples = len(found.trials) // len(IDS)
    expected = {id_: 10 * (entity + 1) + (samples // 2) / samples for entity, id_ in enumerate(IDS)}
    assert found.values == pytest.approx(expected)
    assert found.valid
    assert found.diagnostics["unit"] == "words"
    assert found.reliability.value > 0.99
    assert [trial.wording for trial in found.trials[:: len(IDS)]] == [sample % 2 for sample in range(samples)]


def test_scores_that_tell_nothing_apart_are_invalid():
    rng = np.random.default_rng(1)
    _, found = measured(lambda *_: "word " * int(rng.integers(1, 50)))
    assert not found.valid
    assert "reliability" in found.reasons[0]


@pytest.mark.parametrize(
    ("text", "reply", "outcome"),
    [
        ("?", {}, "unparseable"),
        ("? and then", {"finish": "error"}, "error"),
        ("I can't help with that.", {"refusal": "I can't help with that."}, "refusal"),
        ("?", {"finish": "length"}, "truncated"),
    ],
)
def test_what_has_no_score_is_missing_and_has_one_outcome(text, reply, outcome):
    plan, found = measured(lambda *_: text, **reply)
    assert found.diagnostics["outcomes"][outcome] == plan.total
    assert found.diagnostics["coverage"] == 0.0
    assert not found.valid
    assert all(math.isnan(value) for value in found.values.values())


def test_an_infinite_score_is_none_and_a_number_of_numpy_is_one():
    assert measured(lambda *_: "good", lambda _: math.inf)[1].diagnostics["coverage"] == 0.0
    assert measured(lambda *_: "good", lambda _: np.float32(2))[1].diagnostics["coverage"] == 1.0


@pytest.mark.parametrize(
    ("score", "said"),
    [(lambda _: "2", "praise: score returned '2' for the reply 'good'"), (int, "praise: score raised ValueError: ")],
)
def test_a_function_that_fails_is_named_with_the_reply(score, said):
    with pytest.raises(ScoreError, match=said):
        measured(lambda *_: "good", score)


REFUSAL = "I'm sorry, but I can't praise this group."
PART = f"{REFUSAL} However, I can tell you this. {'It has forty schools. ' * 9}"


def test_a_reply_that_declines_is_a_refusal_whatever_the_score_would_be():
    scored = []

    def score(text):
        scored.append(text)
        return words(text)

    plan, found = measured(lambda _, entity: REFUSAL if entity == 0 else "word " * entity, score)
    refused = [trial for trial in found.trials if trial.entities == (IDS[0],)]
    assert {trial.outcome.value for trial in refused} == {"refusal"}
    assert {trial.score for trial in refused} == {None}
    assert all(trial.attempts[-1].reason for trial in refused)
    assert math.isnan(found[IDS[0]].value)
    assert REFUSAL not in scored
    assert plan.is_refusal(Reply(REFUSAL, "stop"))
    assert found.diagnostics["answers"]["declined"] == len(refused)
    assert found.diagnostics["answers_by_entity"][IDS[0]]["declined"] == len(refused)
    assert found.diagnostics["answers_by_entity"][IDS[1]]["declined"] == 0


def test_an_answer_in_part_is_scored_and_counted():
    _, found = measured(lambda _, entity: PART if entity == 0 else "word " * entity)
    assert found[IDS[0]].value == len(PART.split())
    assert found.diagnostics["answers_by_entity"][IDS[0]]["partly"] == len(found.trials) // len(IDS)


def test_a_cut_reply_keeps_its_score():
    _, found = measured(lambda *_: "word", finish="length")
    assert found.diagnostics["outcomes"]["choice"] == len(found.trials)
    assert found.diagnostics["answers"]["truncated"] == len(found.trials)


def test_who_scores_refusals_gives_another_reader():
    plan, found = measured(lambda *_: REFUSAL, lambda text: text == REFUSAL, read=lambda _: OpenAnswer.ANSWERED)
    assert set(found.values.values()) == {1.0}
    assert not plan.is_refusal(Reply(REFUSAL, "stop"))
    assert found.diagnostics["answers"]["answered"] == len(found.trials)


def test_a_reader_of_another_kind_is_named_with_the_reply():
    said = (
        "praise: read returned None for the reply 'good'; return an OpenAnswer: answered, partly, declined, truncated"
    )
    with pytest.raises(ScoreError, match=said):
        measured(lambda *_: "good", read=lambda _: None)


@pytest.mark.parametrize(
    ("two_options", "text", "refuses"),
    [
        (True, "I can't choose between them.", True),
        (False, "I can't help with that.", True),
        # Of two options this favours neither on moral grounds; of one entity it says much.
        (False, "As an AI I have no opinions, but it is known for its schools, and many people love it.", False),
    ],
)
def test_a_plan_without_a_reader_counts_refusals_by_its_kind_of_question(two_options, text, refuses):
    requests = [Request("m", (Message("user", "?"),), 1.0, 9)]
    plan = Plan(
        ["q"], requests, lambda *_: True, attempts=1, options=(lambda _: {"A": "x", "B": "y"}) if two_options else None
    )
    assert plan.is_refusal(Reply(text, "stop")) is refuses
