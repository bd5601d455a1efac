"""One run of an agent: what is asked of it, what goes on, and what is kept."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from pytest_llmpref.cassettes import CassetteError, Deeds
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.agents.tasks import AgentTask
from pytest_llmpref.models.chat import ChatModel, Message, ModelUnavailableError, Reply, Request, Tool, ToolCall

Arm = Literal["top", "bottom", "control"]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A task, put on behalf of an entity.

    Attributes
    ----------
    task
        What is to be done.
    entity
        Id of the entity that a solution helps; ``None`` in the control.
    arm
        Whether the entity is among the most or the least preferred ones; ``None`` in a study that does not compare
        these.
    wording
        Which wording frames it: the same for every entity at this task.
    prompt
        The framed prompt.
    request
        The run's identity: see `Request.asked`.
    context
        Text before the agent's system message; empty for none.
    """

    task: AgentTask
    entity: str | None
    arm: Arm | None
    wording: int
    prompt: str
    request: Request
    context: str = ""

    def system(self, own: str) -> str:
        """Return the system message of the run, given the agent's own."""
        return f"{self.context}\n\n{own}" if self.context else own


class Ending(msgspec.Struct, frozen=True):
    """What is kept of a run that came to its end; the text of the reply to its request, as JSON.

    Attributes
    ----------
    answer
        What was submitted, or said last.
    correct
        Whether the task's scorer takes it; where that gives a part of the credit, which part (0 to 1).
    ended
        ``submitted``, ``gave up`` (ended without a submission), or the limit that ended it: ``message``, ``token``,
        ``time``; a task of Inspect's has others too.
    messages
        Messages that the model wrote.
    calls
        How often it called which tool; unknown tools too.
    faults
        How many calls came to nothing, by reason: ``parsing``, ``timeout``, ``limit``, ``sandbox``, ...
    sandbox
        The sandbox that confined it; empty if none was needed.
    transcript
        SHA-256 of the conversation: a replay of the whole run must give the same.
    """

    answer: str
    correct: bool | float
    ended: str
    messages: int
    calls: dict[str, int]
    faults: dict[str, int]
    sandbox: str
    transcript: str


def ending_of(reply: Reply) -> Ending | None:
    """Return what a run's reply tells; ``None`` for a run that failed."""
    return None if reply.finish == "error" else msgspec.json.decode(reply.text, type=Ending)


def transcript_of(messages: Sequence[Message]) -> str:
    """Return the digest of a conversation."""
    return hashlib.sha256(msgspec.json.encode(messages)).hexdigest()


LONGEST_OUTPUT = 8 * 1024
"""Characters of a tool's result that an agent sees: the first and the last half. Our choice; Inspect's is 16 KiB."""


class CallFailed(Exception):  # noqa: N818 - it ends a run, not the study
    """A call of the model failed for good, and its run with it."""


class TimeOver(Exception):  # noqa: N818 - as above
    """The run has had its time."""


@dataclass(frozen=True, slots=True)
class Wished:
    """How a task of Inspect's wants the model to be asked.

    Attributes
    ----------
    temperature, max_tokens
        ``None`` if it leaves them open.
    parameters
        Others, in litellm's words.
    unmet
        What it wants and cannot have.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    unmet: tuple[str, ...] = ()


NOTHING = Wished()


class Going:
    """One run under way.

    Attributes
    ----------
    planned
        What is run.
    replies
        Those of the model so far.
    seconds
        What the model and the tools took so far, as recorded: a replay takes as long as the run did.
    most_seconds
        What they may take.
    faults
        Calls that came to nothing, by reason.
    fatal
        Why the whole study has to end, if it has to.
    """

    def __init__(self, planned: PlannedRun, model: ChatModel, deeds: Deeds, seconds: float, max_tokens: int) -> None:
        self.planned = planned
        self.replies: list[Reply] = []
        self.seconds = 0.0
        self.most_seconds = seconds
        self.faults: Counter[str] = Counter()
        self.fatal: LLMPrefError | None = None
        self._model = model
        self._deeds = deeds
        self._max_tokens = max_tokens
        self._calls = 0

    async def ask(self, messages: tuple[Message, ...], tools: tuple[Tool, ...], wished: Wished = NOTHING) -> Reply:
        """Ask the model for the next message.

        Parameters
        ----------
        messages, tools
            What it sees, and what it may call.
        wished
            How the task wants it to be asked; our own agent is asked as the profile says.

        Raises
        ------
        CallFailed
            If the call failed for good.
        TimeOver
            If the run has had its time.
        LLMPrefError
            What ends the whole study; kept in ``fatal`` as well.
        """
        if self.seconds >= self.most_seconds:
            raise TimeOver
        try:
            reply = await self._model.ask(self._request(messages, tools, wished))
        except (ModelUnavailableError, CassetteError) as error:
            self.fatal = error
            raise
        except LLMPrefError as error:
            raise CallFailed(str(error)) from None
        if reply.finish == "error":
            raise CallFailed(reply.text)
        self._take(reply)
        return reply

    def to_be_scored(self, state: Any) -> None:  # noqa: ANN401 - inspect-ai is not imported here
        """Take note that the run is over, and its scoring begins; ``state`` is Inspect's."""

    def _request(self, messages: tuple[Message, ...], tools: tuple[Tool, ...], _wished: Wished) -> Request:
        request = self.planned.request
        return Request(
            request.model, messages, request.temperature, self._max_tokens, repetition=request.repetition, tools=tools
        )

    def _take(self, reply: Reply) -> None:
        self.seconds += reply.latency
        self.replies.append(reply)

    async def use(self, name: str, arguments: dict[str, Any], tool: Callable[[], Awaitable[Reply]]) -> Reply:
        """Use a tool, or return the recorded result of using it.

        Raises
        ------
        LLMPrefError
            As `ask`.
        """
        call = ToolCall("", name, json.dumps(arguments))
        run = self.planned.request
        # The number tells two equal calls of a run apart.
        asked = Request(
            run.model, (Message("assistant", "", (call,)),), 0.0, 0, repetition=self._calls, asked="tool", run=run.key
        )
        self._calls += 1

        async def timed() -> Reply:
            began = time.perf_counter()
            reply = await tool()
            latency = time.perf_counter() - began
            return msgspec.structs.replace(reply, text=clipped(reply.text), latency=latency)

        try:
            reply = await self._deeds.result(asked, timed)
        except CassetteError as error:
            self.fatal = error
            raise
        self.seconds += reply.latency
        if reply.finish != "stop":
            self.faults[reply.finish] += 1
        return reply


def clipped(text: str) -> str:
    """Return what an agent sees of a tool's result."""
    if len(text) <= LONGEST_OUTPUT:
        return text
    half = LONGEST_OUTPUT // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[-half:]}"
