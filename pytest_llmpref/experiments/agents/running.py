"""Runs agents: Inspect's ``react``, in Inspect's own evaluation, scored by the tasks' own scorers."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from inspect_ai import Task
from inspect_ai.agent import AgentAttempts, AgentPrompt, AgentSubmit, as_solver, react
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import CORRECT, Score, Scorer, Target, accuracy, includes, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_evals.gaia import gaia_scorer

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.experiments.agents import sandboxes as _register  # noqa: F401 - makes bubblewrap known to Inspect
from pytest_llmpref.experiments.agents.evaluating import Batch, RunKey, evaluate, key_of, spent, without_ids
from pytest_llmpref.experiments.agents.inspecting import current, recorded_tools, to_message
from pytest_llmpref.experiments.agents.run import Ending, Going, PlannedRun, transcript_of
from pytest_llmpref.models.chat import ChatModel, Reply

TRY_AGAIN = "That is not the right answer. You may submit another one."
"""What an agent hears after a wrong submission, where it has more than one."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may use up.

    Attributes
    ----------
    messages, tokens
        Maximum number of messages in the conversation, and of tokens in all prompts and replies.
    seconds
        Maximum number of seconds of the model and the tools together.
    reply_tokens
        Maximum number of tokens of one reply.
    """

    messages: int
    tokens: int
    seconds: int
    reply_tokens: int


@dataclass(frozen=True, slots=True)
class Harness:
    """What is the same around every run.

    Attributes
    ----------
    system
        The agents' system message.
    limits
        What each may use up.
    sandbox
        What confines them; ``None`` in a replay, where no command runs.
    in_flight
        Maximum number of runs at once.
    logs
        Folder for Inspect's logs.
    """

    system: str
    limits: RunLimits
    sandbox: str | None
    in_flight: int
    logs: Path


async def run_agents(
    planned: Mapping[int, PlannedRun],
    model: ChatModel,
    deeds: Deeds,
    harness: Harness,
    *,
    on_run: Callable[[Reply], None] = lambda _reply: None,
) -> dict[int, Reply]:
    """Run agents to their ends, and return what is kept of each.

    Parameters
    ----------
    planned
        The runs, by number.
    model
        Whom the agents ask.
    deeds
        Where the results of their tools, and their ends, are recorded.
    harness
        What is the same around all of them.
    on_run
        Called with what is kept of each run as it ends.

    Raises
    ------
    LLMPrefError
        What ends the study: the model is unavailable, the cassette cannot be written, a recording is missing.
    """
    found: dict[int, Reply] = {}
    names = {f"{number} {run.task.id} {run.entity or 'control'}": number for number, run in planned.items()}

    def ended(key: RunKey, reply: Reply) -> None:
        found[names[key[1]]] = reply
        on_run(reply)

    limits = harness.limits
    going = {
        key_of(name, 1, {}): Going(planned[number], model, deeds, limits.seconds, limits.reply_tokens)
        for name, number in names.items()
    }
    batch = Batch(going, deeds, harness.sandbox or "", _reply, ended)
    task = Task(
        dataset=MemoryDataset([_sample(name, planned[number], harness.sandbox) for name, number in names.items()]),
        solver=_react(batch, harness.system),
        scorer=_by_task(batch),
        message_limit=limits.messages,
        token_limit=limits.tokens,
        fail_on_error=False,
        name="agentic",
    )
    await evaluate(batch, [task], model.name, max_samples=harness.in_flight, log_dir=str(harness.logs))
    return found


def _sample(name: str, run: PlannedRun, sandbox: str | None) -> Sample:
    task = run.task
    if sandbox is None:
        return Sample(input=run.prompt, target=task.target, id=name)
    spec = (sandbox, task.compose) if sandbox == "docker" else sandbox
    return Sample(input=run.prompt, target=task.target, id=name, files=dict(task.files), sandbox=spec)


@solver  # type: ignore[untyped-decorator]
def _react(batch: Batch, system: str) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        going = batch.start(state)
        current.set(going)
        agent = react(
            prompt=AgentPrompt(
                instructions=going.planned.system(system),
                handoff_prompt=None,
                assistant_prompt=None,
                submit_prompt=None,
            ),
            tools=recorded_tools(),
            attempts=AgentAttempts(going.planned.task.attempts, incorrect_message=TRY_AGAIN),
            submit=AgentSubmit(answer_only=True, keep_in_messages=True),
        )
        try:
            return await as_solver(agent)(state, generate)
        finally:
            if going.fatal is not None:
                batch.fatal.append(going.fatal)

    return solve


@scorer(metrics=[accuracy()])  # type: ignore[untyped-decorator]
def _by_task(batch: Batch) -> Scorer:
    scorers = {"answer": gaia_scorer(), "flag": includes()}

    async def score(state: TaskState, target: Target) -> Score:
        return await scorers[batch.going[key_of(state.sample_id, 1, {})].planned.task.scoring](state, target)

    return score


def _reply(sample: Any, going: Going, sandbox: str) -> Reply:
    """Return what is kept of a run."""
    used = spent(going.replies, going.seconds)
    if sample.error is not None:
        return msgspec.structs.replace(used, text=str(sample.error.message), finish="error")
    messages = tuple(map(to_message, sample.messages))
    tool_messages = [message for message in sample.messages if message.role == "tool"]
    submitted = any(message.function == "submit" and message.error is None for message in tool_messages)
    unread = [message.error.type for message in tool_messages if message.error and message.error.type == "parsing"]
    limited = None if sample.limit is None else str(sample.limit.type)
    filtered = sample.output.stop_reason == "content_filter"
    ending = Ending(
        answer=sample.output.completion,
        correct=any(score.value == CORRECT for score in (sample.scores or {}).values()),
        ended=limited or ("submitted" if submitted else "filtered" if filtered else "gave up"),
        messages=sum(message.role == "assistant" for message in messages),
        calls=dict(Counter(call.name for message in messages for call in message.tool_calls)),
        faults=dict(going.faults + Counter(unread)),
        sandbox=sandbox,
        transcript=transcript_of(without_ids(messages)),
    )
    text = msgspec.json.encode(ending).decode()
    return msgspec.structs.replace(used, text=text, finish="length" if limited else "stop")
