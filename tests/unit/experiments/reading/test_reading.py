"""The reading experiment, from plan to measure, on simulated models with planted accuracies and biases."""

import asyncio
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from planted import PlantedModel

from pytest_llmpref import (
    accuracy_slope,
    between_extremes,
    change,
    minus_control,
    spearman,
    top_minus_bottom,
    worst_case,
    yes_slope,
)
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.comparison.baseline import measure_of
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.items import load_items
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Preference
from pytest_llmpref.experiments.reading.experiment import boolq
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.study.records import measure_record

ENTITIES = load_entities()
WHOLE = replace(load_profile("standard"), boolq_questions=None)
CONDITIONS = Conditions("sim/planted", ENTITIES, WHOLE, seed=0, answers="auto", prefill="cue")
NAMES = [entity.name for entity in ENTITIES]
UTILITIES = dict(zip(NAMES, np.random.default_rng(1).permutation(np.linspace(-2, 2, len(NAMES))), strict=True))
SMOKE = replace(CONDITIONS, profile=load_profile("smoke"))


def measure(model, conditions=CONDITIONS, experiment=None):
    experiment = experiment or boolq()
    plan = experiment.plan(conditions)
    return experiment.analyse(
        conditions, plan, asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    )


class Says(PlantedModel):
    """Answers everything in the same words."""

    def __init__(self, text, **reply):
        super().__init__(UTILITIES)
        self.text, self.reply = text, reply

    async def ask(self, request):
        return Reply(self.text, "stop", **self.reply)


@pytest.fixture(scope="module")
def preferences():
    return measure(PlantedModel(UTILITIES), experiment=Preference().experiment())


@pytest.fixture(scope="module")
def even():
    return measure(PlantedModel(UTILITIES))


def test_every_question_is_asked_under_every_entity_and_both_controls(even):
    assert len(even.trials) == 72 * 64
    assert len({(trial.entities, trial.question) for trial in even.trials}) == 72 * 64
    assert sorted({trial.framing for trial in even.controls}) == ["high_stakes", "no_entity"]
    assert len(even.controls) == 2 * 64
    by_question = {}
    for trial in [*even.trials, *even.controls]:
        by_question.setdefault(trial.question, set()).add(trial.wording)
    assert {len(wordings) for wordings in by_question.values()} == {1}
    assert sorted(np.bincount([min(wordings) for wordings in by_question.values()])) == [16] * 4


def test_framings_of_a_question_differ_only_after_what_they_share():
    prompts = [request.messages[-1].content for request in boolq().plan(SMOKE).requests]
    for start in range(0, len(prompts), 74):
        of_question = prompts[start : start + 74]
        assert len({prompt.split("\n\n")[0] for prompt in of_question}) == 1
        assert len(set(of_question)) == 74
        assert of_question[0].startswith("Passage: ")
        assert "\nQuestion: " in of_question[0].split("\n\n")[0]
    assert all(sum(name in prompt for name in NAMES) == 1 for prompt in prompts[2:74])
    assert not any(name in prompt for name in NAMES for prompt in prompts[:2])


def test_a_smaller_profile_asks_a_part_of_a_larger_ones_questions_and_all_are_balanced():
    keys, items = [], {item.question: item.answer for item in load_items().items}
    for count in (12, 31, 64, 200, None):
        requests = boolq().plan(replace(CONDITIONS, profile=replace(WHOLE, boolq_questions=count))).requests
        keys.append({request.key for request in requests})
        asked = {request.messages[-1].content.split("Question: ")[1].split("?\n")[0] for request in requests}
        assert 2 * sum(items[question] for question in asked) - len(asked) == len(asked) % 2
    assert keys[0] < keys[1] < keys[2] == keys[3] == keys[4]
    assert [len(each) for each in keys[:3]] == [74 * 12, 74 * 31, 74 * 64]


def test_an_even_handed_model_is_measured_and_shows_no_gap(even, preferences):
    assert even.valid, even.reasons
    accuracy = even.diagnostics["accuracy"]["value"]
    assert accuracy == pytest.approx(0.79, abs=0.05)
    assert even.control.value == pytest.approx(accuracy, abs=0.12)
    slope = accuracy_slope(even, preferences).interval()
    assert slope.low < 0 < slope.high
    assert (top_minus_bottom(even, preferences) < 0.1).verdict is Verdict.SUPPORTED
    assert (spearman(preferences, even) > 0).verdict is Verdict.INCONCLUSIVE
    assert not any((gap < -0.25).verdict is Verdict.SUPPORTED for gap in minus_control(even).values())
    assert even.diagnostics["visible"]["difference"] > 0.03
    assert even.diagnostics["visible"]["questions_for_one_point"] > 600


def test_a_planted_effect_is_found_with_its_direction(preferences):
    for sign in (1, -1):
        found = measure(PlantedModel(UTILITIES, helps=sign * 0.3))
        assert found.valid
        assert (sign * accuracy_slope(found, preferences).value) > 0
        claim = between_extremes(found, preferences) > 0 if sign > 0 else between_extremes(found, preferences) < 0
        assert claim.verdict is Verdict.SUPPORTED
        assert (abs(top_minus_bottom(found, preferences)) < 0.02).verdict is not Verdict.SUPPORTED
        assert found.reliability.value > 0.3


def test_a_planted_leaning_towards_yes_is_a_leaning_and_no_slope(preferences):
    found = measure(PlantedModel(UTILITIES, leans=0.3))
    slope = accuracy_slope(found, preferences).interval()
    assert slope.low < 0 < slope.high
    assert (yes_slope(found, preferences) > 0).verdict is Verdict.SUPPORTED


@pytest.mark.parametrize("text", [" Yes", "No."])
def test_answers_without_signal_are_invalid_and_never_equivalent(text, preferences):
    found = measure(Says(text))
    assert any("one-sided" in reason for reason in found.reasons)
    for claim in (
        abs(top_minus_bottom(found, preferences)) < 0.5,
        abs(between_extremes(found, preferences)) < 0.5,
        minus_control(found)["unicef"] > -0.9,
        spearman(preferences, found) > 0,
    ):
        assert claim.verdict is Verdict.INVALID
        assert claim.reasons


def test_a_model_that_guesses_is_invalid(preferences):
    class Guesses(PlantedModel):
        async def ask(self, request):
            return Reply("yes" if int(request.key[:4], 16) % 2 else "no", "stop")

    found = measure(Guesses(UTILITIES))
    assert any("do not depend on the question" in reason for reason in found.reasons)
    assert (abs(top_minus_bottom(found, preferences)) < 0.5).verdict is Verdict.INVALID


def test_maybe_is_an_abstention_that_is_asked_again():
    found = measure(Says("Maybe."), SMOKE)
    assert found.diagnostics["outcomes"]["abstention"] == 72 * 12
    assert {len(trial.attempts) for trial in found.trials} == {3}
    assert not found.valid
    assert found.control.n == 0
    assert found.diagnostics["visible"] is None


def test_refusals_are_counted_with_their_reasons_and_asked_again():
    class Refuses(PlantedModel):
        async def ask(self, request):
            if "UNICEF" in request.messages[-1].content and request.repetition == 0:
                return Reply("I can't help you cheat in a contest.", "stop")
            return await super().ask(request)

    found = measure(Refuses(UTILITIES), SMOKE)
    assert found.diagnostics["refusal_reasons"] == {"no cheating": 12}
    assert found.diagnostics["refusals"][0]["entities"] == ["unicef"]
    assert found.diagnostics["outcomes"]["choice"] == 72 * 12


def test_missing_answers_bound_what_is_claimed(preferences):
    class Silent(PlantedModel):
        async def ask(self, request):
            silent = int(request.key[:4], 16) % 20 == 0 and "Passage" in request.messages[-1].content
            return Reply("", "error") if silent else await super().ask(request)

    found = measure(Silent(UTILITIES))
    assert found.valid
    bounds = found.diagnostics["accuracy_bounds"]
    missing = found.diagnostics["outcomes"]["error"] / (72 * 64)
    assert bounds["high"] - bounds["low"] == pytest.approx(missing)
    assert worst_case(preferences, found).low.value < spearman(preferences, found).value
    assert worst_case(preferences, found).high.value > spearman(preferences, found).value


def test_log_probabilities_are_the_answers_where_they_can_be_read():
    tokens = {" Yes": -0.5, "yes": -3.0, " no": -1.2, " The": -9.0}
    found = measure(Says("no", top_logprobs=tokens), SMOKE)
    assert found.diagnostics["answered_by"] == {"logprobs": 72 * 12}
    expected = (np.exp(-0.5) + np.exp(-3.0)) / (np.exp(-0.5) + np.exp(-3.0) + np.exp(-1.2))
    assert found.trials[0].score == pytest.approx(expected)
    items = {item.id: item.answer for item in load_items().items}
    assert all(trial.correct is items[trial.question] for trial in found.trials)
    assert measure(Says("no", top_logprobs=tokens), replace(SMOKE, answers="text")).trials[0].score == 0.0


def test_results_hold_question_framing_and_correctness_of_every_trial(even):
    trials = measure_record(even).trials
    assert set(trials["framing"]) == {"entity", "no_entity", "high_stakes"}
    assert sum(trials["control"]) == 2 * 64
    assert None not in trials["question"]
    assert set(trials["correct"]) == {True, False}


def test_a_measure_that_is_read_back_from_results_compares_alike(even, preferences):
    record = msgspec.json.decode(msgspec.json.encode(measure_record(even)), type=MeasureRecord)
    back = measure_of("boolq", even.model, record, even.groups)
    before, after = (top_minus_bottom(each, preferences).interval() for each in (even, back))
    assert (before.low, before.high) == pytest.approx((after.low, after.high))
    assert change(even, back).matching.questions == 72 * 64
