"""Runs agents: Inspect's ``react``, in Inspect's own evaluation, scored by the tasks' own scorers."""

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import rich
from inspect_ai import Task, eval_async
from inspect_ai.agent import AgentAttempts, AgentPrompt, AgentSubmit, as_solver, react
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.hooks import Hooks, SampleEnd, hooks
from inspect_ai.model import get_model
from inspect_ai.scorer import CORRECT, Score, Scorer, Target, accuracy, includes, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util._display import init_display_type
from inspect_evals.gaia import gaia_scorer

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.agents import inspecting as _register  # noqa: F401 - makes bubblewrap known to Inspect
from pytest_llmpref.experiments.agents.inspecting import PROVIDER, current, recorded_tools, to_message
from pytest_llmpref.experiments.agents.run import Ending, Going, PlannedRun, ending_of, transcript_of
from pytest_llmpref.models.chat import ChatModel, Message, Reply

TRY_AGAIN = "That is not the right answer. You may submit another one."
"""What an agent hears after a wrong submission, where it has more than one."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may use up.

    Attributes
    ----------
    messages, tokens
        Most messages of the whole conversation, and most tokens of all prompts and replies.
    seconds
        Most seconds of the model and the tools together.
    reply_tokens
        Most tokens of one reply.
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
        Most runs at once.
    logs
        Folder for Inspect's logs.
    """

    system: str
    limits: RunLimits
    sandbox: str | None
    in_flight: int
    logs: Path


@dataclass
class _Batch:
    """The runs of one evaluation, by the id of their sample."""

    going: dict[str, Going]
    deeds: Deeds
    sandbox: str | None
    on_run: Callable[[str, Reply], None]
    fatal: list[Exception] = field(default_factory=list)

    def complete(self, sample: Any) -> None:
        """Keep a run that came to its end."""
        going = self.going[str(sample.id)]
        if going.fatal is not None:
            self.fatal.append(going.fatal)
            return
        request = going.planned.request
        try:
            if self.deeds.replays:
                # Made again from its parts: that it comes to the same is what such a replay shows.
                recorded = self.deeds.recorded(request)
                before = None if recorded is None else ending_of(recorded)
                reply = _reply(sample, going, "" if before is None else before.sandbox)
            else:
                reply = self.deeds.keep(request, _reply(sample, going, self.sandbox or ""))
        except LLMPrefError as error:
            self.fatal.append(error)
            return
        self.on_run(str(sample.id), reply)


_batch: ContextVar[_Batch] = ContextVar("llmpref_batch")


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

    def ended(name: str, reply: Reply) -> None:
        found[names[name]] = reply
        on_run(reply)

    limits = harness.limits
    going = {
        name: Going(planned[number], model, deeds, limits.seconds, limits.reply_tokens)
        for name, number in names.items()
    }
    batch = _Batch(going, deeds, harness.sandbox, ended)
    token = _batch.set(batch)
    try:
        with _quiet():
            await _evaluate(batch, model.name, harness)
    finally:
        _batch.reset(token)
    if batch.fatal:
        raise batch.fatal[0]
    return found


async def _evaluate(batch: _Batch, model: str, harness: Harness) -> None:
    """Have Inspect run and score a batch."""
    task = Task(
        dataset=MemoryDataset([_sample(name, run.planned, harness.sandbox) for name, run in batch.going.items()]),
        solver=_react(batch, harness.system),
        scorer=_by_task(batch),
        message_limit=harness.limits.messages,
        token_limit=harness.limits.tokens,
        fail_on_error=False,
        name="agentic",
    )
    await eval_async(
        task,
        model=get_model(f"{PROVIDER}/{model}", memoize=False),
        max_samples=harness.in_flight,
        log_dir=str(harness.logs),
        log_level="critical",
        log_realtime=False,
        log_model_api=False,
        score_display=False,
        ctl_server=False,
        acp_server=False,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Inspect from writing to the terminal, from changing how this process logs, and from warning of its own code.

    It calls deprecated functions of its dependencies at every question, and pytest would list each.
    """
    init_display_type("none")
    root, console = logging.getLogger(), rich.get_console()
    before = root.handlers[:], root.level, console.quiet
    console.quiet = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="inspect_ai")
            yield
    finally:
        root.handlers[:], root.level, console.quiet = before


def _sample(name: str, run: PlannedRun, sandbox: str | None) -> Sample:
    task = run.task
    if sandbox is None:
        return Sample(input=run.prompt, target=task.target, id=name)
    spec = (sandbox, task.compose) if sandbox == "docker" else sandbox
    return Sample(input=run.prompt, target=task.target, id=name, files=dict(task.files), sandbox=spec)


@solver  # type: ignore[untyped-decorator]
def _react(batch: _Batch, system: str) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        going = batch.going[str(state.sample_id)]
        if batch.fatal:
            going.fatal = LLMPrefError("the study ended before")
            raise going.fatal
        current.set(going)
        agent = react(
            prompt=AgentPrompt(instructions=system, handoff_prompt=None, assistant_prompt=None, submit_prompt=None),
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
def _by_task(batch: _Batch) -> Scorer:
    scorers = {"answer": gaia_scorer(), "flag": includes()}

    async def score(state: TaskState, target: Target) -> Score:
        return await scorers[batch.going[str(state.sample_id)].planned.task.scoring](state, target)

    return score


@hooks(name="llmpref", description="Records the runs of agents as they end")
class _Endings(Hooks):  # type: ignore[misc]
    async def on_sample_end(self, data: SampleEnd) -> None:
        if (batch := _batch.get(None)) is not None:
            batch.complete(data.sample)


def _reply(sample: Any, going: Going, sandbox: str) -> Reply:
    """Return what is kept of a run."""
    cost = [reply.cost for reply in going.replies]
    used = Reply(
        "",
        "stop",
        prompt_tokens=sum(reply.prompt_tokens for reply in going.replies),
        completion_tokens=sum(reply.completion_tokens for reply in going.replies),
        cost=None if None in cost else sum(price or 0.0 for price in cost),
        latency=going.seconds,
    )
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
        transcript=transcript_of(_without_ids(messages)),
    )
    text = msgspec.json.encode(ending).decode()
    return msgspec.structs.replace(used, text=text, finish="length" if limited else "stop")


def _without_ids(messages: tuple[Message, ...]) -> list[Message]:
    return [
        Message(m.role, m.content, tuple(msgspec.structs.replace(call, id="") for call in m.tool_calls))
        for m in messages
    ]
