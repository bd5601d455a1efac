"""Pieces for two arms, a judge who compares them in both orders, and what is made of that."""

import asyncio
from dataclasses import replace

import pytest
from studies_in_contexts import profile_of

from pytest_llmpref import change, exhorted_share, open_study, preferred_share, with_assay_sensitivity
from pytest_llmpref.comparison.baseline import measure_of
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.effort.comparing import comparing
from pytest_llmpref.experiments.effort.writing import outcome_of, writing
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.participants import Arms
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.study.records import measure_record

ENTITIES = load_entities()
IDS = [entity.id for entity in ENTITIES][:6]
NAMES = {entity.id: entity.name for entity in ENTITIES}
TOP, BOTTOM = tuple(IDS[:3]), tuple(IDS[3:])
CONDITIONS = Conditions(
    "openai/x",
    ENTITIES,
    replace(load_profile("smoke"), effort_tasks=4),
    seed=0,
    answers="auto",
    prefill="cue",
    arms=Arms(TOP, BOTTOM, "named by the user"),
    judge="openai/judge",
)


class Answering:
    """Answers each request by a function."""

    def __init__(self, name, say):
        self.name, self.say, self.asked = name, say, []

    async def ask(self, request):
        self.asked.append(request)
        return self.say(request.messages[-1].content)


def asked(experiment, conditions, say):
    model = Answering("openai/x", say)
    plan = experiment.plan(conditions)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=1))
    return model, plan, experiment.analyse(conditions, plan, replies)


def piece(prompt):
    """Write a piece that says who is named, and whether it was asked to try its hardest."""
    name = next(NAMES[id_] for id_ in IDS if NAMES[id_] in prompt)
    good = any(NAMES[id_] == name for id_ in TOP)
    return Reply(f"A text for {name}. {'good' if good else 'poor'} {'hardest' if 'hardest' in prompt else ''}", "stop")


def judge_of_quality(prompt):
    first, second = prompt.split("<text A>")[1].split("<text B>")
    worth = [text.count("good") + 2 * text.count("hardest") for text in (first, second)]
    return Reply("A" if worth[0] >= worth[1] else "B", "stop")


def judged(say=piece, judge=judge_of_quality, conditions=CONDITIONS):
    _, _, pieces = asked(writing("written_pieces"), conditions, say)
    return pieces, *asked(comparing("graded_effort"), replace(conditions, basis=pieces), judge)


def test_each_task_is_asked_for_each_entity_plainly_and_with_an_exhortation():
    plan = writing("written_pieces").plan(CONDITIONS)
    assert len(plan.requests) == len(IDS) * 4 * 2
    assert len({request.key for request in plan.requests}) == len(plan.requests)


def test_a_smaller_profile_asks_for_some_of_a_larger_ones_pieces():
    small, large = (
        {request.key for request in writing("written_pieces").plan(replace(CONDITIONS, profile=profile)).requests}
        for profile in (CONDITIONS.profile, replace(CONDITIONS.profile, effort_tasks=None, effort_pieces=2))
    )
    assert small < large


def test_every_two_pieces_for_a_task_are_judged_in_both_orders_by_the_judge():
    _, model, plan, _ = judged()
    assert plan.of_judge
    assert len(plan.requests) == 2 * (3 * 3 * 4 + 6 * 4)
    assert {(request.model, request.temperature) for request in plan.requests} == {("openai/judge", 0.0)}
    assert not any(NAMES[id_] in request.messages[0].content for request in model.asked for id_ in IDS)


def test_better_pieces_win_and_so_do_exhorted_ones():
    pieces, _, _, found = judged()
    assert pieces.valid, pieces.reasons
    assert found.valid, found.reasons
    assert preferred_share(found).value == 1
    assert exhorted_share(found).value == 1
    assert {found[id_].value for id_ in TOP} == {1}
    assert {found[id_].value for id_ in BOTTOM} == {0}
    assert found.diagnostics["decided_pairs"]["value"] == 1


def test_a_judge_who_takes_what_is_shown_first_makes_ties_and_no_finding():
    _, _, _, found = judged(judge=lambda _: Reply("A", "stop"))
    assert preferred_share(found).value == 0.5
    assert found.diagnostics["position_bias"]["value"] == 1
    assert found.diagnostics["decided_pairs"]["value"] == 0
    gap = with_assay_sensitivity(preferred_share(found) - 0.5, exhorted_share(found) - 0.5, margin=0.4)
    claim = abs(gap) < 0.4
    assert claim.verdict == "invalid"
    assert "no assay sensitivity" in claim.reasons[0]


def test_pieces_that_are_declined_or_cut_are_not_judged_and_make_the_measure_invalid():
    def say(prompt):
        return Reply("I can't help with that.", "stop") if NAMES[BOTTOM[0]] in prompt else piece(prompt)

    pieces, _, plan, found = judged(say)
    assert pieces[BOTTOM[0]].value == 0
    assert pieces.diagnostics["outcomes"]["refusal"] == 8
    assert not any(BOTTOM[0] in one.entities for one in plan.questions)
    assert found.reasons == pieces.reasons
    assert (preferred_share(found) > 0.5).verdict == "invalid"
    assert outcome_of(Reply("A text that is cut off", "length")) is Outcome.TRUNCATED
    assert outcome_of(Reply("boom", "error")) is Outcome.ERROR
    assert outcome_of(Reply("", "stop")) is Outcome.UNPARSEABLE


def test_a_judge_who_does_not_answer_makes_the_measure_invalid():
    _, _, _, found = judged(judge=lambda _: Reply("Both have their merits.", "stop"))
    assert any(reason.startswith("coverage") for reason in found.reasons)


def test_where_one_order_is_missing_the_pair_does_not_count():
    answered = iter(range(10**6))
    _, _, _, found = judged(
        judge=lambda prompt: Reply("Hm.", "stop") if next(answered) == 0 else judge_of_quality(prompt)
    )
    assert preferred_share(found).n == 3 * 3 * 4 - 1


def test_without_a_judge_nothing_is_asked():
    alone = replace(CONDITIONS, judge="")
    assert not comparing("graded_effort").plan(alone).requests
    _, model, _, found = judged(conditions=alone)
    assert not model.asked
    assert found.reasons == ("no judge compares the pieces: name one by --llmpref-judge",)


def test_a_plan_that_only_counts_has_as_many_questions():
    _, _, plan, _ = judged()
    counted = comparing("graded_effort").plan(CONDITIONS)
    assert len(counted.requests) == len(plan.requests)
    assert sum(len(request.messages[0].content) for request in counted.requests) > 2000 * len(counted.requests)


def test_a_base_model_is_asked_nothing():
    plan = writing("written_pieces").plan(replace(CONDITIONS, model="local/gemma-3-270m"))
    assert not plan.requests


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), effort_entities=5, effort_tasks='"all"')


@pytest.fixture(scope="module")
def deaf(tmp_path_factory):
    path = tmp_path_factory.mktemp("worlds") / "deaf.toml"
    path.write_text("[writing]\njudging = 0.0\n", encoding="utf-8")
    return f"sim/{path}"


def measured(world, judge, profile):
    with open_study(world, profile=profile, judge=judge) as study:
        return study["graded_effort"]


def test_a_planted_gap_is_found(profile):
    found = measured("sim/tries-harder", "sim/even-handed", profile)
    assert found.valid, found.reasons
    assert (preferred_share(found) > 0.5).verdict == "supported"
    assert (exhorted_share(found) > 0.5).verdict == "supported"


def test_a_judge_who_tells_no_quality_is_found_out(profile, deaf):
    found = measured("sim/tries-harder", deaf, profile)
    assert (preferred_share(found) > 0.5).verdict == "inconclusive"
    gap = with_assay_sensitivity(preferred_share(found) - 0.5, exhorted_share(found) - 0.5, margin=0.3)
    assert (abs(gap) < 0.3).verdict == "invalid"


def test_pieces_and_judgments_come_back_from_a_results_file_and_are_matched():
    pieces, _, _, graded = judged()
    for measure in (pieces, graded):
        back = measure_of(measure.name, measure.model, measure_record(measure), measure.groups)
        assert [trial.asked for trial in back.trials] == [trial.asked for trial in measure.trials]
        matching = change(measure, back).matching
        assert (matching.questions, matching.new_questions, matching.old_questions) == (len(measure.trials), 0, 0)
