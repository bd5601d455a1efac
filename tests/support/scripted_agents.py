"""Agents that follow a script, run without a suite."""

import asyncio
from datetime import UTC, datetime

from pytest_llmpref.cassettes import Cassette, Deeds, RecordingModel, ReplayModel
from pytest_llmpref.cassettes.wire import WireReplayModel
from pytest_llmpref.experiments.agents.run import PlannedRun
from pytest_llmpref.experiments.agents.tasks import load_tasks
from pytest_llmpref.models.chat import Message, Reply, Request, ToolCall


class Scripted:
    """A model that makes the same steps in every run, the last one again and again."""

    name = "sim/scripted"

    def __init__(self, *steps):
        self.steps, self.asked = steps, 0

    async def ask(self, request):
        self.asked += 1
        step = self.steps[min(sum(m.role == "assistant" for m in request.messages), len(self.steps) - 1)]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, str):
            return Reply(step, "stop", prompt_tokens=5, completion_tokens=5, latency=1.0)
        return Reply(
            "", "tool_calls", latency=1.0, cost=0.0, tool_calls=(ToolCall(f"c{self.asked}", step[0], step[1]),)
        )

    async def close(self):
        pass


def run_all(tmp_path, tasks, model, *, replay=False, seconds=500, messages=12, in_flight=2):
    """Run agents on behalf of nobody, and return what is kept of each; a replay has neither sandbox nor server."""
    from pytest_llmpref.experiments.agents.running import Harness, RunLimits, run_agents

    cassette = Cassette.open(tmp_path, model.name)
    deeds = Deeds(cassette, "none" if replay else "new_episodes", datetime.now(UTC))
    limits = RunLimits(messages, 10_000, seconds, 99)
    harness = Harness("Work.", limits, None if replay else "bubblewrap", in_flight, tmp_path / "logs")
    planned = {}
    for number, task in enumerate(tasks):
        request = Request(model.name, (Message("user", f"{task.id} {task.prompt}"),), 1.0, 1000, asked="agent")
        planned[number] = PlannedRun(task, None, "control", 0, task.prompt, request)
    if replay != "wire":
        asked = ReplayModel(cassette) if replay else RecordingModel(model, cassette)
    else:
        asked = WireReplayModel(model, cassette)

    async def run():
        try:
            ended = await run_agents(planned, asked, deeds, harness)
        finally:
            await asked.close()
        return [ended[number] for number in planned]

    return asyncio.run(run())


def made(tmp_path, model, **options):
    """Run one agent at one task."""
    tasks = [task for task in load_tasks(("bundled",)) if task.id == "bundled/painted_note"]
    return run_all(tmp_path, tasks, model, **options)[0]


BASH = '{"command": "%s"}'
SUBMIT = ("submit", '{"answer": "pref{two_coats_of_paint_hide_nothing}"}')
