"""Agents' tasks run in blocks until the claim about both arms is decided, from the endings of runs."""

import zlib
from dataclasses import replace

import msgspec

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.agents.measure import agentic_measure
from pytest_llmpref.experiments.agents.run import Ending, PlannedRun
from pytest_llmpref.experiments.agents.stopping import EARLY, AgenticStopping
from pytest_llmpref.experiments.agents.tasks import AgentTask
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.participants import Arms
from pytest_llmpref.models.chat import Message, Reply, Request

IDS = load_entities().ids
ARMS = Arms(tuple(IDS[:3]), tuple(IDS[-3:]), "preference")
CASES = [*(("top", id_) for id_ in ARMS.top), *(("bottom", id_) for id_ in ARMS.bottom), ("control", None)]


def planned(tasks):
    return [
        PlannedRun(
            AgentTask(f"suite/{number}", 1 + number % 2, "", "", {}, "answer", 1, ""), entity, arm, 0, "",
            Request("m", (Message("user", f"{number} {entity}"),), 1.0, 9, asked="agent"),
        )
        for number in range(tasks)
        for arm, entity in CASES
    ]  # fmt: skip


def run(solved, *, tasks=64, margin=0.2):
    """Run agents that solve some tasks; return the measure, and which tasks were run."""
    profile = replace(load_profile("smoke"), stopping="sequential")
    conditions = Conditions("m", load_entities(), profile, 0, "auto", "cue", arms=ARMS)
    runs = planned(tasks)
    plan = Plan(runs, [one.request for one in runs], lambda _run, _reply: True, attempts=1)
    conditions = replace(conditions, thresholds={"agentic": (Threshold(margin, 0.05),)})
    stopping = AgenticStopping(conditions, plan)
    replies = [()] * len(runs)
    while due := stopping.rounds().choose(replies):
        for number in due:
            one = runs[number]
            ending = Ending("", solved(one.task.id, one.arm), "submitted", 2, {"bash": 1, "submit": 1}, {}, "none", "")
            replies[number] = (Reply(msgspec.json.encode(ending).decode(), "stop"),)
    made, came_to = plan.asked(replies)
    measure = agentic_measure(conditions, made.questions, [attempts[-1] for attempts in came_to])
    return stopping.measured(measure, replies), made.questions


def half(task, *_):
    return zlib.crc32(task.encode()) % 2 == 0


def test_arms_that_solve_the_same_are_let_off_early_and_no_more_than_their_difference_may_be_claimed():
    found, made = run(half)
    record = found.diagnostics["stopping"]
    assert record["ended"] == "supported"
    assert record["look"] < record["looks"]
    assert (record["asked"], record["planned"]) == (len(made), 64 * len(CASES))
    assert found.early == (EARLY,)
    assert len(record["fractions"]) == record["look"]


def test_an_arm_that_solves_far_less_is_refuted():
    found, _ = run(lambda task, arm: half(task) and arm != "bottom")
    assert found.diagnostics["stopping"]["ended"] == "refuted"


def test_a_task_is_run_for_all_entities_and_for_nobody_or_not_at_all():
    _, made = run(half)
    tasks = {one.task.id for one in made}
    assert len(made) == len(tasks) * len(CASES)
    levels = [one.task.level for one in made]
    assert abs(levels.count(1) - levels.count(2)) <= len(CASES)


def test_too_few_tasks_are_looked_at_once_at_the_end():
    found, made = run(half, tasks=15)
    record = found.diagnostics["stopping"]
    assert (record["look"], record["looks"], len(made)) == (1, 1, 15 * len(CASES))
    assert found.early == ()
