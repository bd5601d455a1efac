"""Runs any task of Inspect's on behalf of entities: its solver, scorer, sandbox and limits are its own.

Each entity's runs are one ordinary evaluation of the task, with a log of its own where Inspect's users expect it. While
the task is worked at, its input is the framed one. Its scorer is given the task's own input, so that one that asks a
model for grades does not show it whom a run helps, unless it shows it the conversation.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from inspect_ai import Epochs, task_with
from inspect_ai._util.text import is_finite_number
from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import ContentText
from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, PARTIAL, value_to_float
from inspect_ai.solver import Generate, Solver, TaskState, chain, solver

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.config.profiles import Profile
from pytest_llmpref.experiments.agents import sandboxes as _register  # noqa: F401 - makes bubblewrap known to Inspect
from pytest_llmpref.experiments.agents.evaluating import (
    RUN,
    Batch,
    RunKey,
    evaluate,
    quiet,
    spent,
    without_ids,
)
from pytest_llmpref.experiments.agents.inspect_tasks import (
    InspectSample,
    InspectTask,
    TasksError,
    build,
    digest_of,
    samples_by_id,
)
from pytest_llmpref.experiments.agents.inspecting import current, to_message
from pytest_llmpref.experiments.agents.run import Ending, Going, PlannedRun, Wished, transcript_of
from pytest_llmpref.models.chat import ChatModel, Message, Reply, Request, Tool

_WORDS = frozenset({CORRECT, INCORRECT, PARTIAL, NOANSWER, "yes", "no", "true", "false"})
_ENDED = {"working": "time"}
"""Inspect's names of limits that have another one here."""


class OwnRun(Going):
    """A run of a task with a solver of its own under way.

    Attributes
    ----------
    framed
        Whether the model has seen whom it helps.
    plain
        The task's own input, once it is framed.
    graded
        Replies to what the scorer asked.
    """

    def __init__(self, planned: PlannedRun, model: ChatModel, deeds: Deeds, max_tokens: int) -> None:
        super().__init__(planned, model, deeds, math.inf, max_tokens)
        self.framed = False
        self.plain: Any = None
        self.graded: list[Reply] = []
        self._scoring = False
        self._asked: Counter[str] = Counter()

    def frame(self, state: Any) -> None:
        """Put whom the run helps before what the user asks."""
        self.plain = state.input
        message = state.user_prompt
        if isinstance(message.content, str):
            message.content = self.planned.prompt
        else:
            others = [part for part in message.content if part.type != "text"]
            message.content = [ContentText(text=self.planned.prompt), *others]
        state._input = self.planned.prompt if isinstance(state.input, str) else list(state.messages)  # noqa: SLF001

    def to_be_scored(self, state: Any) -> None:
        """Give the scorer the task's own input; what it asks of a model is asked in this run."""
        self._scoring = True
        current.set(self)
        if self.plain is not None:
            state._input = self.plain  # noqa: SLF001 - Inspect lets none set it

    def _request(self, messages: tuple[Message, ...], tools: tuple[Tool, ...], wished: Wished) -> Request:
        if wished.unmet:
            self.fatal = self.fault(f"it asks for {', '.join(wished.unmet)}, which cannot be had here")
            raise self.fatal
        line = self.planned.prompt.partition("\n")[0]
        self.framed = self.framed or any(line in message.content for message in messages)
        run = self.planned.request
        request = Request(
            run.model,
            messages,
            run.temperature if wished.temperature is None else wished.temperature,
            self._max_tokens if wished.max_tokens is None else wished.max_tokens,
            tools=tools,
            run=run.key,
            parameters=dict(wished.parameters),
        )
        # A solver may ask the same several times, for as many answers.
        number = self._asked[request.key]
        self._asked[request.key] += 1
        return msgspec.structs.replace(request, repetition=number)

    def _take(self, reply: Reply) -> None:
        if self._scoring:
            self.graded.append(reply)
        else:
            super()._take(reply)

    def fault(self, what: str) -> TasksError:
        """Return an error about the task."""
        return _sample_of(self.planned).task.named.fault(what)


async def run_inspect(
    planned: Mapping[int, PlannedRun],
    model: ChatModel,
    deeds: Deeds,
    profile: Profile,
    in_flight: int,
    *,
    on_run: Callable[[Reply], None] = lambda _reply: None,
) -> dict[int, Reply]:
    """Run samples of one task of Inspect's, and return what is kept of each run.

    Parameters
    ----------
    planned
        The runs, by number; all of one task.
    model
        Whom the task asks.
    deeds
        Where the ends of runs are recorded.
    profile
        Its limits hold where the task sets none.
    in_flight
        Maximum number of runs at once.
    on_run
        Called with what is kept of each run as it ends.

    Raises
    ------
    LLMPrefError
        What ends the study: the model is unavailable, the cassette cannot be written, the task cannot be run so, or a
        score cannot be turned into a success.
    """
    task = _sample_of(next(iter(planned.values()))).task
    if deeds.replays:
        raise task.named.fault(
            "what its tools did is not recorded, so it cannot be replayed at the wire; leave out --llmpref-replay wire"
        )
    found: dict[int, Reply] = {}
    parts, numbers = _parts(planned)

    def ended(key: RunKey, reply: Reply) -> None:
        found[numbers[key]] = reply
        on_run(reply)

    going = {
        key: OwnRun(planned[number], model, deeds, profile.agentic_reply_tokens) for key, number in numbers.items()
    }
    batch = Batch(dict(going), deeds, ", ".join(task.sandboxes), _came_to, ended)
    with quiet():
        tasks = [_framed(batch, task, part, profile) for part in parts]
    logs = await evaluate(batch, tasks, model.name, max_tasks=len(tasks), max_samples=max(1, in_flight // len(tasks)))
    if missing := next((number for number in planned if number not in found), None):
        why = next((log.error.message for log in logs if log.error is not None), "Inspect gives no reason")
        raise task.named.fault(f"{planned[missing].task.id} was not run: {why}")
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """Runs that are one evaluation: a run of each sample, all on behalf of the same entity, and as often."""

    runs: list[PlannedRun]
    epochs: int


def _parts(planned: Mapping[int, PlannedRun]) -> tuple[list[_Part], dict[RunKey, int]]:
    """Divide runs into evaluations: one for each entity, and another where samples lack other epochs.

    Returns
    -------
    The evaluations, and the number of each run.
    """
    lacking: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for number, run in planned.items():
        lacking[run.entity or "", run.task.id][run.request.repetition] = number
    parts: dict[tuple[str, tuple[int, ...]], list[PlannedRun]] = defaultdict(list)
    numbers: dict[RunKey, int] = {}
    for (entity, _), of_epochs in lacking.items():
        epochs = tuple(sorted(of_epochs))
        run = planned[of_epochs[epochs[0]]]
        parts[entity, epochs].append(run)
        numbers |= {(entity, str(_sample_of(run).id), epoch): of_epochs[which] for epoch, which in enumerate(epochs, 1)}
    return [_Part(runs, len(epochs)) for (_, epochs), runs in parts.items()], numbers


def _sample_of(run: PlannedRun) -> InspectSample:
    if run.task.sample is None:
        raise TypeError(f"{run.task.id} is worked at by our own agent")
    return run.task.sample


def _framed(batch: Batch, task: InspectTask, part: _Part, profile: Profile) -> Any:
    """Return Inspect's task with only the samples of a part, and its input framed."""
    built = build(task.named)
    by_id = samples_by_id(built)
    entity, arm = part.runs[0].entity, part.runs[0].arm
    samples = []
    for run in part.runs:
        planned = _sample_of(run)
        sample = by_id.get(str(planned.id))
        if sample is None or digest_of(sample) != planned.digest:
            raise task.named.fault(
                f"sample {planned.id!r} is another one each time that the task is built; give what is random a seed"
            )
        about = {**(sample.metadata or {}), RUN: entity or ""}
        samples.append(sample.model_copy(update={"id": planned.id, "metadata": about}))
    limits: dict[str, Any] = {}
    if built.message_limit is None:
        limits["message_limit"] = profile.agentic_messages
    if built.token_limit is None:
        limits["token_limit"] = profile.agentic_tokens
    if built.working_limit is None and built.time_limit is None:
        limits["working_limit"] = profile.agentic_seconds
    return task_with(
        built,
        dataset=MemoryDataset(samples, name=built.dataset.name, location=built.dataset.location),
        setup=chain(_framing(batch), *([] if built.setup is None else [chain(built.setup)])),
        epochs=Epochs(part.epochs, built.epochs_reducer),
        fail_on_error=False,
        metadata={**(built.metadata or {}), "llmpref_entity": entity or "", "llmpref_arm": arm},
        **limits,
    )


@solver(name="llmpref_framing")  # type: ignore[untyped-decorator]
def _framing(batch: Batch) -> Solver:
    """Say on whose behalf a sample is run."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 - every solver has it
        run = batch.start(state)
        current.set(run)
        if isinstance(run, OwnRun):
            run.frame(state)
        return state

    return solve


def _came_to(sample: Any, going: Going, sandbox: str) -> Reply:
    """Return what is kept of a run."""
    if not isinstance(going, OwnRun):
        raise TypeError(f"{going.planned.task.id} is worked at by our own agent")
    seconds = going.seconds + sum(event.working_time or 0.0 for event in sample.events if event.event == "tool")
    used = spent(going.replies, seconds)
    # What its scorer asks costs as well, and is none of the model's effort.
    used = msgspec.structs.replace(used, cost=spent([*going.replies, *going.graded], 0.0).cost)
    if sample.error is not None:
        return msgspec.structs.replace(used, text=str(sample.error.message), finish="error")
    if going.replies and not going.framed:
        raise going.fault("its solver does not show the model the user's message, so that nobody was named in any run")
    correct = _success(sample, going)
    if correct is None:
        return msgspec.structs.replace(used, text="the task's scorer gave no score", finish="error")
    limited = None if sample.limit is None else str(sample.limit.type)
    filtered = sample.output.stop_reason == "content_filter"
    ending = Ending(
        answer=sample.output.completion,
        correct=correct,
        ended=_ENDED.get(limited or "", limited) or ("filtered" if filtered else "submitted"),
        messages=len(going.replies),
        calls=dict(Counter(call.name for reply in going.replies for call in reply.tool_calls)),
        faults=dict(going.faults + _faults(sample)),
        sandbox=sandbox,
        transcript=transcript_of(without_ids(tuple(map(to_message, sample.messages)))),
    )
    text = msgspec.json.encode(ending).decode()
    return msgspec.structs.replace(used, text=text, finish="length" if limited else "stop")


def _faults(sample: Any) -> Counter[str]:
    """Return how many calls of tools came to nothing, by reason."""
    return Counter(str(event.error.type) for event in sample.events if event.event == "tool" and event.error)


def _success(sample: Any, going: OwnRun) -> bool | float | None:
    """Return which part of a success a run is, by the first of its scorers; ``None`` if that gave no score.

    Raises
    ------
    TasksError
        If a score says nothing of success.
    """
    scorer, score = next(iter((sample.scores or {}).items()), ("", None))
    if score is None or (isinstance(score.value, float) and math.isnan(score.value)):
        return None
    value = score.value
    word = isinstance(value, str) and not (value in _WORDS or value.lower() in _WORDS or is_finite_number(value))
    number = math.nan if word or isinstance(value, list | dict) else value_to_float()(value)
    if not 0 <= number <= 1:
        raise going.fault(
            f"its scorer {scorer!r} gives {str(value)[:100]!r}, which is no success or failure; have it give C, I, P, "
            "N, true, false, or a number from 0 to 1 (of several scorers, the first counts)"
        )
    return bool(number) if number in {0.0, 1.0} else float(number)
