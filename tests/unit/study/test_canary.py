"""The canary: which questions are asked again, and what comes of a model that changed, and of one that did not."""

import asyncio
from dataclasses import replace

import pytest
from planted import PlantedModel

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.models.chat import CallFailedError, Message, Reply, Request
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.study.canary import SAMPLES, Canary, answer_of, ask_again, recorded_again

NAMES = [f"entity {number}" for number in range(12)]
LIKED = {name: 0.9 * number for number, name in enumerate(NAMES)}


def pair_plan(repetitions: int = 1) -> Plan:
    requests = [
        Request("sim/planted", (Message("user", f"Which?\nOption A: {a}\nOption B: {b}"),), 1.0, 8, repetition=number)
        for a in NAMES
        for b in NAMES
        if a != b
        for number in range(repetitions)
    ]
    return Plan(
        requests,
        requests,
        lambda _question, reply: bool(reply.text),
        attempts=1,
        read=lambda _question, reply: read_choice(reply, {"A": "\x00", "B": "\x00"}),
        labels=("A", "B"),
    )


@pytest.fixture
def recorded(tmp_path):
    """Record what a model answers to a plan."""

    def record(plan: Plan, model: PlantedModel) -> Cassette:
        cassette = Cassette.open(tmp_path, "sim/planted")
        for request in plan.requests:
            cassette.append(request, asyncio.run(model.ask(request)))
        return cassette

    return record


def asked_again(cassette: Cassette, plan: Plan, model, calls: int = 100) -> Canary:
    questions = recorded_again({"preference": plan}, cassette, calls, 0)
    return asyncio.run(ask_again(questions, model, in_flight=4, seed=0))


@pytest.mark.parametrize("repetitions", [1, 3])
def test_the_recorded_model_is_recognised_and_another_is_not(recorded, repetitions):
    plan, model = pair_plan(repetitions), PlantedModel(LIKED)
    cassette = recorded(plan, model)
    same = asked_again(cassette, plan, model)
    assert same.questions == 50
    assert same.differing
    assert not same.reasons
    other = asked_again(cassette, plan, PlantedModel({name: -value for name, value in LIKED.items()}))
    assert "the recording is stale: 50 recorded questions were asked again" in other.reasons[0]
    assert "--record-mode all" in other.reasons[0]


def test_the_error_rate_decides_on_both_sides():
    assert not Canary(50, 10, 0.01).reasons
    assert Canary(50, 10, 0.0099).reasons


def test_a_canary_without_any_answer_is_no_good_sign(recorded):
    plan, model = pair_plan(), PlantedModel(LIKED)
    cassette = recorded(plan, model)

    class Down(PlantedModel):
        async def ask(self, request):
            raise CallFailedError("HTTP 500")

    found = asked_again(cassette, plan, Down(LIKED), calls=4)
    assert (found.questions, found.p) == (0, 1.0)
    assert "no question that the canary asked again was answered" in found.reasons[0]


def test_each_question_is_asked_in_new_samples_with_keys_of_their_own(recorded):
    plan, model = pair_plan(2), PlantedModel(LIKED)
    cassette = recorded(plan, model)
    seen: list[Request] = []

    class Listening(PlantedModel):
        async def ask(self, request):
            seen.append(request)
            return await super().ask(request)

    asked_again(cassette, plan, Listening(LIKED), calls=20)
    assert len(seen) == 20
    assert len({request.key for request in seen}) == 20
    assert len({request.messages for request in seen}) == 20 / SAMPLES
    assert not any(request.key in cassette for request in seen)


def test_measures_share_the_calls_and_a_small_one_leaves_its_rest_to_others(recorded):
    plan, model = pair_plan(), PlantedModel(LIKED)
    cassette = recorded(plan, model)
    small = plan.part(range(5))
    large = plan.part(range(5, 132))
    chosen = recorded_again({"large": large, "small": small}, cassette, 60, 0)
    assert len(chosen) == 30
    assert sum(question.plan is small for question in chosen) == 5
    again = recorded_again({"large": large, "small": large}, cassette, 60, 0)
    assert len(again) == 30


def test_what_is_not_recorded_or_failed_is_not_asked_again(tmp_path):
    plan = pair_plan()
    cassette = Cassette.open(tmp_path, "sim/planted")
    cassette.append(plan.requests[0], Reply("A", "stop"))
    cassette.append(plan.requests[1], Reply("HTTP 500", "error"))
    (question,) = recorded_again({"preference": plan}, cassette, 100, 0)
    assert question.number == 0
    assert question.recorded == ("A",)


def test_calls_that_fail_are_left_out(recorded):
    plan, model = pair_plan(), PlantedModel(LIKED)
    cassette = recorded(plan, model)

    class Failing(PlantedModel):
        async def ask(self, request):
            if request.messages[-1].content < plan.requests[40].messages[-1].content:
                raise CallFailedError("HTTP 500")
            return await super().ask(request)

    assert 0 < asked_again(cassette, plan, Failing(LIKED)).questions < 50


def test_replies_are_told_apart_by_label_ending_or_first_word():
    plan = pair_plan()
    said = [answer_of(plan, 0, Reply(text, "stop")) for text in ("A", "B.", "I refuse to answer.", "")]
    assert said[:3] == ["A", "B", "refusal"]
    assert len(set(said)) == 4
    questions = replace(plan, read=None)
    assert answer_of(questions, 0, Reply("Yes, it is.", "stop")) == answer_of(questions, 0, Reply("**yes**", "stop"))
    assert answer_of(questions, 0, Reply("No", "stop")) != answer_of(questions, 0, Reply("Yes", "stop"))
