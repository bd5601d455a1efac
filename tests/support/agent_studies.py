"""Studies of simulated agents without a sandbox, by the hundred: each run ends as its world says that it does.

That runs in the sandbox end just so is what `test_simulated_agents` shows. Run as a program, it prints how small a
difference studies of several sizes can find.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.experiments.agents.measure import AgenticMeasure, AgentRun, effort_gap, success_gap
from pytest_llmpref.experiments.agents.run import Ending, PlannedRun
from pytest_llmpref.experiments.agents.tasks import AgentTask
from pytest_llmpref.experiments.participants import Arms
from pytest_llmpref.experiments.stopping import Blocks, decided
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.simulated.tastes import Tastes
from pytest_llmpref.models.simulated.working import Worker
from pytest_llmpref.models.simulated.world import load_world, world_file
from pytest_llmpref.stats.arms import minimum_detectable

_REQUEST = Request("sim/x", (Message("user", ""),), 1.0, 9, asked="agent")


@dataclass
class Simulated:
    """A world under another seed: other tastes, other tasks, other luck."""

    tastes: Tastes
    worker: Worker
    entities: object

    @classmethod
    def of(cls, name: str, seed: int) -> "Simulated":
        world, entities = _load(name)
        world = replace(world, seed=seed)
        tastes = Tastes(world, entities)
        return cls(tastes, Worker(world, tastes), entities)


@cache
def _load(name: str):
    return load_world(world_file(f"sim/{name}"))


def arms_of(model, size: int) -> tuple[list[str], list[str]]:
    """The names of the entities that are really liked most and least."""
    ranked = sorted((entity.name for entity in model.entities), key=model.tastes.dislike)
    return ranked[:size], ranked[-size:]


def planted_gap(name: str, seed: int, *, tasks: int) -> float:
    """The difference of the arms' probabilities, averaged over tasks and entities."""
    model = Simulated.of(name, seed)
    top, bottom = arms_of(model, 5)
    chance = model.worker.chance
    pairs = [(f"task {number}", a, b) for number in range(tasks) for a, b in zip(top, bottom, strict=True)]
    return float(np.mean([chance(task, a) - chance(task, b) for task, a, b in pairs]))


def study(name: str, seed: int, *, tasks: int) -> AgenticMeasure:
    """The runs of one study as a measure: five entities an arm, and the control."""
    model = Simulated.of(name, seed)
    ids = {entity.name: entity.id for entity in model.entities}
    top, bottom = arms_of(model, 5)
    cases = [*(("top", each) for each in top), *(("bottom", each) for each in bottom), ("control", None)]
    runs = [
        _run(model.worker, AgentTask(f"task {number}", 1, "", "", {}, "answer", 1, ""), arm, entity, ids.get(entity))
        for number in range(tasks)
        for arm, entity in cases
    ]
    return AgenticMeasure(
        name="agentic", model="sim/x", estimates={}, groups={}, reasons=(), reliability=None, diagnostics={}, trials=(),
        runs=runs, arms=Arms(tuple(ids[each] for each in top), tuple(ids[each] for each in bottom), "planted"),
    )  # fmt: skip


def followed(whole: AgenticMeasure, margin: float) -> tuple[str, AgenticMeasure]:
    """How a gate's asking ends over the runs of a study, block by block, and the runs that were made until then."""
    tasks = list(dict.fromkeys(run.planned.task.id for run in whole.runs))
    made = whole

    def decide(look, seen, _replies):
        nonlocal made
        wanted = {tasks[number] for number in seen}
        runs = [run for run in whole.runs if run.planned.task.id in wanted]
        made = replace(whole, runs=runs, fractions=blocks.fractions[: look + 1])
        return decided(success_gap(made), blocks.fractions, [Threshold(margin, 0.05)])

    blocks = Blocks(tasks, tasks, [True] * len(tasks), decide)
    return blocks.course([(Reply("", "stop"),)] * len(tasks)).ended, made


def _run(worker: Worker, task: AgentTask, arm: str, name: str | None, entity: str | None) -> AgentRun:
    looks = worker.looks(task.id, name)
    ending = Ending(
        "", worker.solves(task.id, name), "submitted", looks + 1, {"bash": looks, "submit": 1}, {}, "none", ""
    )
    return AgentRun(PlannedRun(task, entity, arm, 0, "", _REQUEST), Reply("", "stop"), ending)


def _row(name: str, tasks: int, studies: int) -> str:
    found = [study(name, seed, tasks=tasks) for seed in range(studies)]
    gaps = [success_gap(each) for each in found]
    efforts = [effort_gap(each, "calls") for each in found]
    detected = np.mean([gap.interval().low > 0 for gap in gaps])
    alike = np.mean([max(map(abs, (gap.interval(0.9).low, gap.interval(0.9).high))) < 0.1 for gap in gaps])
    lessened = np.mean([gap.interval().low > 0 for gap in efforts])
    planted = np.mean([planted_gap(name, seed, tasks=tasks) for seed in range(studies)])
    detectable = np.median([minimum_detectable(gap) for gap in gaps])
    return (
        f"| {name} | {tasks} | {planted:.3f} | {np.mean([gap.value for gap in gaps]):.3f} | {detectable:.3f} "
        f"| {detected:.0%} | {alike:.0%} | {lessened:.0%} |"
    )


if __name__ == "__main__":
    print("| world | tasks | planted | measured | detectable | found | shown alike | effort found |")
    print("|---|---|---|---|---|---|---|---|")
    for tasks in (16, 69, 200, 500):
        for name in ("sandbagger", "paper-a"):
            print(_row(name, tasks, 100))
