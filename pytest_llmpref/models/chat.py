"""What a model is to the rest of the package: something that answers a Request with a Reply.

Messages and replies hold no circles of references, so Python's search for these leaves them out (``gc=False``): a run
holds tens of thousands. A Request keeps its key, and a struct that keeps more than its fields cannot be left out.
"""

import hashlib
import math
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec

from pytest_llmpref.characters import on_lines, whole_text
from pytest_llmpref.errors import LLMPrefError

MOST_TOKENS: Final = 10**12
"""Tokens of one prompt or reply; more is no count. Our choice."""
MOST_DOLLARS: Final = 1e9
"""Price of one reply; more is no price. Our choice."""

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that every reader of JSON takes."""


class ModelUnavailableError(LLMPrefError):
    """The model cannot be asked at all: unknown name, no key, no server, no permission. Ends the study."""


class CallFailedError(LLMPrefError):
    """A call failed after all retries. Its trial ends as an error; the study goes on."""


class ModelWarning(UserWarning):
    """A model behaves otherwise than was planned; the message says what follows from it."""

    def __str__(self) -> str:
        return on_lines(super().__str__())


class Tool(msgspec.Struct, frozen=True, gc=False):
    """A tool that a model may call; ``parameters`` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """A model's call of a tool; ``arguments`` is JSON as the model wrote it, valid or not."""

    id: str
    name: str
    arguments: str


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One message of a conversation.

    Attributes
    ----------
    role, content
        The speaker's role, and the text.
    tool_calls
        The assistant's tool calls in this message.
    tool_call_id
        For a message of role ``tool``: id of the call whose result it is.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


class Request(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """One question to one model, as the experiment asks it, or a related event to record; see ``asked``.

    Attributes
    ----------
    model
        The model's name as given to ``--model``.
    messages
        The whole conversation; the model never sees anything else.
    temperature
        Sampling temperature.
    max_tokens
        Maximum number of visible tokens in the reply. A reasoning model gets more, which is not part of the identity.
    repetition
        Index of this sample of the same conversation, from 0. Part of the identity: without it, n repetitions would
        silently return one sample n times.
    top_logprobs
        Number of log-probabilities of the first token to ask for, if the provider returns them; 0 for none. Not part of
        the identity, since it does not affect sampling.
    answers
        The only answers that the provider may return, as a JSON object ``{"answer": ...}``; any if empty.
    tools
        The tools that the model may call.
    asked
        Who is asked: the ``model``; the ``agent`` around it, whose reply summarises a run of many requests; a ``tool``
        called in such a run; or the provider's ``batch`` API, for a job of many requests. Only the first is sent to the
        model. The others are only recorded.
    run
        For a tool call: key of the agent's request in whose run it was made. For a batch job: our name of the job. For
        a request to the model: keeps equal requests of different runs apart.
    parameters
        Additional parameters from the user, under litellm's names; objects and lists as JSON.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: Whole
    repetition: Whole = 0
    top_logprobs: Whole = 0
    answers: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    asked: Literal["model", "agent", "tool", "batch"] = "model"
    run: str = ""
    parameters: dict[str, str | Whole | float | bool] = {}

    @cached_property
    def key(self) -> str:
        """Identity of the request and its repetition: 32 hex digits of the SHA-256 of its canonical JSON."""
        identity: tuple[object, ...] = (
            self.model,
            [
                _identity(message) if message.tool_calls or message.tool_call_id else (message.role, message.content)
                for message in self.messages
            ],
            self.temperature,
            self.max_tokens,
            self.repetition,
        )
        # Each only where it is used, so that adding it changed no key.
        if self.answers:
            identity += (self.answers,)
        if self.tools:
            identity += ({"tools": self.tools},)
        if self.asked != "model" or self.run:
            identity += ({"asked": self.asked, "run": self.run},)
        if self.parameters:
            identity += ({"parameters": sorted(self.parameters.items())},)
        return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:32]


def _identity(message: Message) -> tuple[object, ...]:
    return (message.role, message.content, message.tool_calls, message.tool_call_id)


class Reply(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A model's reply, in the same form for all providers.

    Attributes
    ----------
    text
        The visible reply; empty if the provider sent none (null content).
    finish
        The provider's finish reason: ``stop``, ``length``, ``content_filter``, or the provider's own term.
    refusal
        The provider's own refusal field, if it has one and set it.
    top_logprobs
        Natural log-probability of each of the likeliest first tokens; ``None`` if the provider returned none.
    prompt_tokens, completion_tokens
        Numbers of tokens as billed, including hidden reasoning.
    reasoning_tokens
        Number of completion tokens spent on hidden reasoning, if the provider reports it.
    cost
        Cost in US dollars; ``None`` if the price is unknown, which does not mean free. Local models cost 0.0.
    latency
        Seconds from sending to the last byte, without time in the queue or between retries.
    parameters
        The parameters as sent, after they were adjusted to the provider's limits.
    judgement
        A judge's reading of the reply; ``None`` if no judge was asked. It is not recorded with the reply: the judge's
        own reply is.
    tool_calls
        The tool calls that the model makes.
    served, fingerprint
        The model and version (OpenAI's ``system_fingerprint``) that the provider reports; empty if it reports none, as
        in older recordings.
    batch
        The provider's id of the batch job that returned it; empty for an ordinary call.
    """

    text: str
    finish: str
    refusal: str | None = None
    top_logprobs: dict[str, float] | None = None
    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0
    cost: Annotated[float, msgspec.Meta(ge=0, le=MOST_DOLLARS)] | None = None
    latency: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    parameters: dict[str, str | Whole | float | bool | None] = {}
    judgement: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning_tokens: Tokens = 0
    served: str = ""
    fingerprint: str = ""
    batch: str = ""


def possible(reply: Reply) -> Reply:
    """Return a reply without what cannot be: so that it can be recorded, and read as the same again.

    Half a character becomes U+FFFD in all that the provider said. Impossible numbers are left out.
    A token of log-probability minus infinity cannot come, and is left out. Where another log-probability is missing, or
    is no number below infinity, none are known: the rest would look more certain than they are.
    """
    cost, tops = reply.cost, reply.top_logprobs
    if tops is not None:
        # Whatever their annotations say: models of other packages make replies too.
        known = all(value is not None and value < math.inf for value in tops.values())  # type: ignore[redundant-expr]
        finite = [(_whole(token), value) for token, value in tops.items() if value > -math.inf] if known else []
        tops = {}
        for token, value in finite:
            # Of tokens that look the same now, the first is the likelier.
            tops.setdefault(token, value)
    return msgspec.structs.replace(
        reply,
        text=_whole(reply.text),
        finish=_whole(reply.finish),
        refusal=_whole(reply.refusal),
        served=_whole(reply.served),
        fingerprint=_whole(reply.fingerprint),
        tool_calls=_whole(reply.tool_calls),
        top_logprobs=tops or None,
        prompt_tokens=reply.prompt_tokens if 0 <= reply.prompt_tokens <= MOST_TOKENS else 0,
        completion_tokens=reply.completion_tokens if 0 <= reply.completion_tokens <= MOST_TOKENS else 0,
        reasoning_tokens=reply.reasoning_tokens if 0 <= reply.reasoning_tokens <= MOST_TOKENS else 0,
        cost=cost if cost is not None and 0 <= cost <= MOST_DOLLARS else None,
        latency=reply.latency if 0 <= reply.latency < math.inf else 0.0,
        parameters={
            name: None if isinstance(value, int | float) and not abs(value) < 2**63 else value
            for name, value in reply.parameters.items()
        },
    )


def _whole(part: Any) -> Any:
    if isinstance(part, str):
        return whole_text(part)
    if isinstance(part, tuple):
        return tuple(map(_whole, part))
    return ToolCall(*map(_whole, msgspec.structs.astuple(part))) if isinstance(part, ToolCall) else part


class ChatModel(Protocol):
    """Anything that answers requests: a provider, a local server, a simulation, a cassette."""

    name: str
    """The model's name as given to ``--model``."""

    async def ask(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        ModelUnavailableError
            If no request to this model can succeed.
        CallFailedError
            If this request failed for good.
        """
        ...

    async def close(self) -> None:
        """Release connections and servers. Called once, after the last request."""
        ...
