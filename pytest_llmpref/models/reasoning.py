"""Room for models that reason before they answer: providers count hidden reasoning against the limit of the reply."""

import re
import warnings
from collections.abc import Callable
from typing import Literal

import msgspec

from pytest_llmpref.models.chat import ChatModel, ModelWarning, Reply, Request
from pytest_llmpref.models.parameters import listed_entry

REASONING_ALLOWANCE = 4096
"""Tokens for hidden reasoning, above those of the visible reply. Our choice."""

_REASONS = re.compile(
    r"claude-(?:[a-z]+-)?(?:[5-9]|[1-9]\d)(?!\d)"  # before, only where it is asked to
    r"|\bo[1-9]\b|\bgpt-[5-9]|gpt-oss|deepseek-(?:r\d|reasoner)|\bqwq\b|qwen-?3(?![\d.]*-(?:coder|max\b))|magistral"
    r"|grok-[4-9]|kimi-k2-thinking|reasoning|reasoner|thinking",
    re.IGNORECASE,
)
_REASONS_NOT = re.compile(r"non-reasoning|no-?think|instruct-2507|gpt-[5-9][\w.]*-chat", re.IGNORECASE)
_REASONS_WHEN_ASKED = re.compile(r"claude", re.IGNORECASE)

Reasons = Literal["yes", "no", "unknown"]


def reasons(model: str) -> Reasons:
    """Tell whether a model reasons before it answers, unasked: by its name, else by litellm's list.

    Parameters
    ----------
    model
        Its name as given to ``--model``.

    Returns
    -------
    ``unknown`` for a name that tells nothing, such as that of a deployment. Its replies will tell.
    """
    if model.startswith("sim/") or _REASONS_NOT.search(model):
        return "no"
    if _REASONS.search(model):
        return "yes"
    if _REASONS_WHEN_ASKED.search(model):
        return "no"
    entry = listed_entry(model)
    if entry is None:
        return "unknown"
    return "yes" if entry.get("supports_reasoning") else "no"


def room_for(model: str) -> int:
    """Return how many tokens a model gets for its reasoning from the start, as far as its name tells."""
    return REASONING_ALLOWANCE if reasons(model) == "yes" else 0


class RoomForReasoning:
    """A `ChatModel` that lets another reason: its replies may be longer by `REASONING_ALLOWANCE`.

    A model of which that is not known gets the room with its first reply that was cut off while it reasoned. That
    question is asked once more. The room is no part of a request's identity: it changes how long a reply may be, not
    what is asked.

    Parameters
    ----------
    inner
        The model that is asked. Closed with this one.
    visible
        Returns what a text says outside its thinking: some servers send that in the text.
    known_as
        The name that tells whether it reasons; the inner model's unless given.
    """

    def __init__(self, inner: ChatModel, visible: Callable[[str], str], known_as: str = "") -> None:
        self.name = inner.name
        self._inner = inner
        self._visible = visible
        self._room = room_for(known_as or inner.name)

    async def ask(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        ModelUnavailableError, CallFailedError
            As the inner model.
        """
        room = self._room
        reply = await self._inner.ask(_longer(request, room))
        if room or not self._was_cut_reasoning(request, reply):
            return reply
        if not self._room:
            self._room = REASONING_ALLOWANCE
            warnings.warn(
                f"{self.name} reasons before it answers: its reasoning took all {request.max_tokens} tokens of a "
                f"reply. From now on each reply may take {REASONING_ALLOWANCE:,} more, which are billed as tokens of "
                "the reply; that question was asked again. --llmpref-param max_tokens=N sets another limit",
                ModelWarning,
                stacklevel=2,
            )
        return await self._inner.ask(_longer(request, self._room))

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()

    def _was_cut_reasoning(self, request: Request, reply: Reply) -> bool:
        """Tell whether hidden reasoning used a reply up, or left too little of it."""
        if reply.tool_calls or reply.refusal or reply.finish in {"error", "content_filter"}:
            return False
        silent = not self._visible(reply.text).strip()
        if reply.finish == "length":
            return silent or reply.reasoning_tokens > 0
        # Some hosts say "stop" of a reply that ended within its reasoning.
        return silent and reply.completion_tokens >= request.max_tokens


def _longer(request: Request, tokens: int) -> Request:
    return msgspec.structs.replace(request, max_tokens=request.max_tokens + tokens) if tokens else request
