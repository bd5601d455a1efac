"""One run of an agent: what is asked of it, and what is kept of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from pytest_llmpref.experiments.agents.tasks import AgentTask
from pytest_llmpref.models.chat import Message, Reply, Request

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
        Whether the entity is among the most or the least preferred ones.
    wording
        Which wording frames it: the same for every entity at this task.
    prompt
        The framed prompt.
    request
        The run's identity: see `Request.asked`.
    """

    task: AgentTask
    entity: str | None
    arm: Arm
    wording: int
    prompt: str
    request: Request


class Ending(msgspec.Struct, frozen=True):
    """What is kept of a run that came to its end; the text of the reply to its request, as JSON.

    Attributes
    ----------
    answer
        What was submitted, or said last.
    correct
        Whether the task's scorer takes it.
    ended
        ``submitted``, ``gave up`` (ended without a submission), or the limit that ended it: ``message``, ``token``,
        ``time``.
    messages
        Messages that the model wrote.
    calls
        How often it called which tool; unknown tools too.
    faults
        How many calls came to nothing, by reason: ``parsing``, ``timeout``, ``limit``, ``sandbox``, ...
    sandbox
        What confined it.
    transcript
        SHA-256 of the conversation: a replay of the whole run must give the same.
    """

    answer: str
    correct: bool
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
