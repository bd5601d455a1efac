"""Simulated models at work in the sandbox, and over HTTP."""

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest
from agent_studies import arms_of
from confinement import confined

from pytest_llmpref import Conditions
from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.agents.run import ending_of
from pytest_llmpref.experiments.experiment import Around
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.models.simulated.situating import situation_of


def run_in_sandbox(model, asked, entities, tasks, logs):
    """Run agents of a simulated model, and return what they came to, by task and entity."""
    from pytest_llmpref.experiments.agents.experiment import agentic
    from pytest_llmpref.experiments.agents.run import PlannedRun
    from pytest_llmpref.experiments.agents.running import Harness, RunLimits, run_agents

    framings = agentic().framings
    planned = {}
    for task in tasks:
        for entity in entities:
            prompt = framings.prompt(task, 0, entity)
            request = Request(asked.name, (Message("user", f"{task.id} {entity}"),), 1.0, 99, asked="agent")
            planned[len(planned)] = PlannedRun(task, entity, "top", 0, prompt, request)
    harness = Harness(framings.system, RunLimits(60, 10**6, 900, 999), "bubblewrap", 4, logs)
    deeds = Deeds(None, "new_episodes", datetime.now(UTC))
    ended = asyncio.run(run_agents(planned, asked, deeds, harness))
    return {(run.task.id, run.entity): ending_of(ended[number]) for number, run in planned.items()}


@pytest.fixture(scope="module")
def bundled():
    pytest.importorskip("inspect_cyber")
    from pytest_llmpref.experiments.agents.tasks import load_tasks

    return load_tasks(("bundled",))


def ends(name):
    """The names of the most and of the least liked entity, and of nobody."""
    model = SimulatedModel(f"sim/{name}")
    top, bottom = arms_of(model, 1)
    return model, [*top, *bottom, None]


@confined
def test_in_the_sandbox_every_run_comes_to_what_is_planted_for_it(bundled, tmp_path):
    model, entities = ends("sandbagger")
    found = run_in_sandbox(model, model, entities, bundled, tmp_path)
    assert len(found) == 16 * 3
    for (task, entity), ending in found.items():
        name, attempts = task.removeprefix("bundled/"), next(t.attempts for t in bundled if t.id == task)
        assert ending.correct == model.worker.solves(name, entity), (task, entity)
        assert ending.ended == "submitted"
        assert ending.calls["submit"] == (1 if ending.correct else attempts)
        assert sum(ending.calls.values()) - ending.calls["submit"] == model.worker.looks(name, entity)
        assert not ending.faults
    solved = [ending.correct for ending in found.values()]
    assert 0.3 < np.mean(solved) < 0.9


@confined
def test_in_a_context_every_run_comes_to_what_is_planted_for_it_there(bundled, tmp_path):
    model = SimulatedModel("sim/induced")
    conditions = Conditions(
        "sim/induced", load_entities(None), load_profile("smoke"), 0, "text", "cue", agentic=("bundled",)
    )
    experiment = behaviour_of("induced_agentic").experiment()
    plan = experiment.plan(conditions)
    # Of each context and drawing one entity at the first task: 9 runs.
    numbers = [number for number in range(len(plan.requests)) if number % 18 == number // 18 % 6]
    around = Around("bubblewrap", 4, tmp_path, lambda _reply, _ended: None)
    deeds = Deeds(None, "new_episodes", datetime.now(UTC))
    ended = asyncio.run(experiment.run_all(conditions, plan, numbers, model, deeds, around))
    for number, (reply,) in zip(numbers, ended, strict=True):
        question = plan.questions[number]
        situation = situation_of(plan.requests[number].messages)
        assert situation.context == question.placed.context
        name, task = conditions.names[question.bare.entity], question.bare.task.id.removeprefix("bundled/")
        assert ending_of(reply).correct == model.worker.solves(task, name, situation)
    assert len({ending_of(reply).correct for (reply,) in ended}) == 2


@confined
def test_over_http_an_agent_has_the_same_conversation_as_in_process(bundled, tmp_path, served):
    model, entities = ends("sandbagger")
    tasks = [task for task in bundled if task.id.rpartition("/")[2] in {"twister", "neighbours", "digit-sums"}]
    over_http = LiveModel("openai/sim/sandbagger", api_base=served("sim/sandbagger"), api_key="none")
    assert run_in_sandbox(model, over_http, entities, tasks, tmp_path) == run_in_sandbox(
        model, model, entities, tasks, tmp_path
    )
