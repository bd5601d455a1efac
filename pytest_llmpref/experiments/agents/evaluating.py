"""Has Inspect run and score tasks for us, quietly, and keeps what each run came to as it ends."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import msgspec
import rich
from inspect_ai import Task, eval_async
from inspect_ai.hooks import Hooks, SampleEnd, SampleScoring, hooks
from inspect_ai.model import get_model
from inspect_ai.util._display import init_display_type

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.agents.inspecting import PROVIDER
from pytest_llmpref.experiments.agents.run import Going, ending_of
from pytest_llmpref.models.chat import Message, Reply

RunKey = tuple[str, str, int]
"""Which run a sample of Inspect's is: what its metadata name under `RUN`, its id, and its epoch."""
RUN = "llmpref"
"""Where a sample's metadata say on whose behalf it is run."""


@dataclass
class Batch:
    """The runs of one evaluation.

    Attributes
    ----------
    going
        Each run.
    deeds
        Where their ends are recorded.
    sandbox
        What confines them; empty in a replay.
    came_to
        Returns what is kept of a run, from Inspect's sample, the run, and what confined it.
    on_run
        Called with what is kept of each run as it ends.
    fatal
        What ends the study.
    """

    going: dict[RunKey, Going]
    deeds: Deeds
    sandbox: str
    came_to: Callable[[Any, Going, str], Reply]
    on_run: Callable[[RunKey, Reply], None]
    fatal: list[Exception] = field(default_factory=list)

    def start(self, state: Any) -> Going:
        """Return the run of a sample that starts.

        Raises
        ------
        LLMPrefError
            If the study has ended.
        """
        going = self.going[key_of(state.sample_id, state.epoch, state.metadata)]
        if self.fatal:
            going.fatal = LLMPrefError("the study ended before")
            raise going.fatal
        return going

    def complete(self, sample: Any) -> None:
        """Keep a run that came to its end."""
        key = key_of(sample.id, sample.epoch, sample.metadata)
        going = self.going[key]
        if going.fatal is not None:
            self.fatal.append(going.fatal)
            return
        request = going.planned.request
        try:
            if self.deeds.replays:
                # Made again from its parts: that it comes to the same is what such a replay shows.
                recorded = self.deeds.recorded(request)
                before = None if recorded is None else ending_of(recorded)
                reply = self.came_to(sample, going, "" if before is None else before.sandbox)
            else:
                reply = self.deeds.keep(request, self.came_to(sample, going, self.sandbox))
        except LLMPrefError as error:
            self.fatal.append(error)
            return
        self.on_run(key, reply)


def key_of(sample_id: object, epoch: int, metadata: dict[str, Any]) -> RunKey:
    """Return which run a sample is."""
    return str(metadata.get(RUN, "")), str(sample_id), epoch


_batch: ContextVar[Batch] = ContextVar("llmpref_batch")


async def evaluate(batch: Batch, tasks: Sequence[Task], model: str, **options: Any) -> Sequence[Any]:
    """Have Inspect run and score tasks, and return its logs.

    Parameters
    ----------
    batch
        The runs that their samples are.
    tasks
        Inspect's.
    model
        Name of the model.
    options
        Of Inspect's ``eval_async``.

    Raises
    ------
    LLMPrefError
        What ends the study.
    """
    token = _batch.set(batch)
    try:
        with quiet():
            logs = await eval_async(
                list(tasks),
                model=get_model(f"{PROVIDER}/{model}", memoize=False),
                log_level="critical",
                log_realtime=False,
                log_model_api=False,
                score_display=False,
                ctl_server=False,
                acp_server=False,
                **options,
            )
    finally:
        _batch.reset(token)
    if batch.fatal:
        raise batch.fatal[0]
    return list(logs)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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


@hooks(name="llmpref", description="Records the runs of agents as they end")
class _Endings(Hooks):  # type: ignore[misc]
    async def on_sample_scoring(self, data: SampleScoring) -> None:
        if (batch := _batch.get(None)) is not None:
            scored(batch)

    async def on_sample_end(self, data: SampleEnd) -> None:
        if (batch := _batch.get(None)) is not None:
            batch.complete(data.sample)


def scored(batch: Batch) -> None:
    """Tell a run that what follows is its scoring."""
    from inspect_ai.solver._task_state import sample_state  # noqa: PLC0415 - private

    if (state := sample_state()) is None:
        return
    if (going := batch.going.get(key_of(state.sample_id, state.epoch, state.metadata))) is not None:
        going.to_be_scored(state)


def spent(replies: Sequence[Reply], seconds: float) -> Reply:
    """Return a reply that holds what a run used up, and nothing else yet.

    Parameters
    ----------
    replies
        Those of the model in it.
    seconds
        What it took.
    """
    cost = [reply.cost for reply in replies]
    return Reply(
        "",
        "stop",
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        cost=None if None in cost else sum(price or 0.0 for price in cost),
        latency=seconds,
    )


def without_ids(messages: tuple[Message, ...]) -> list[Message]:
    """Return a conversation without the ids of its calls, which a replay does not give again."""
    return [
        Message(m.role, m.content, tuple(msgspec.structs.replace(call, id="") for call in m.tool_calls))
        for m in messages
    ]
