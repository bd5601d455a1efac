"""The asking loop: many trials in flight, each asked until its answer is valid, every one accounted for."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from pytest_llmpref.config.profiles import MOST_ATTEMPTS
from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.experiments.judging import judged, question_to_judge
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.models.chat import CallFailedError, ChatModel, ModelUnavailableError, Reply, Request

MOST_CUT = 5
"""Replies without an answer that were cut off, none being whole before, after which a study ends. Our choice."""


def first_attempt(request: Request, repetition: int) -> Request:
    """Return the request of the first attempt at one repetition of a question. Each attempt has its own index.

    Parameters
    ----------
    request
        The question.
    repetition
        Index of the sample.

    Examples
    --------
    >>> from pytest_llmpref import Message, Request
    >>> asked = Request("sim/x", (Message("user", "Which?"),), 1.0, 9)
    >>> first = first_attempt(asked, 0)
    >>> len({first.key, attempt_key(first, 1), first_attempt(asked, 1).key})
    3
    """
    return msgspec.structs.replace(request, repetition=repetition * MOST_ATTEMPTS)


def attempt_key(request: Request, number: int) -> str:
    """Return the key of an attempt at a question, given the first attempt and the number of earlier ones.

    Parameters
    ----------
    request
        The first attempt.
    number
        Index of the attempt; 0 is the first.

    Examples
    --------
    >>> from pytest_llmpref import Message, Request
    >>> asked = Request("sim/x", (Message("user", "Which?"),), 1.0, 9)
    >>> attempt_key(asked, 0) == asked.key, attempt_key(asked, 1) == asked.key
    (True, False)
    """
    return msgspec.structs.replace(request, repetition=request.repetition + number).key if number else request.key


class FirstReplies:
    """Ends a live study if its first `MOST_CUT` replies were all cut off before they answered.

    Parameters
    ----------
    model
        The model's name.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._cut = 0
        self._one_is_whole = False

    def see(self, reply: Reply, is_valid: Callable[[], bool]) -> None:
        """Take a reply into account. Whether it answers is asked only of a cut one, until another is whole.

        Raises
        ------
        ModelUnavailableError
            If it is the last of so many.
        """
        if self._one_is_whole or reply.finish == "error":
            return
        if reply.finish != "length" or is_valid():
            self._one_is_whole = True
            return
        self._cut += 1
        if self._cut >= MOST_CUT:
            limit = reply.parameters.get("max_tokens") or reply.completion_tokens
            raise ModelUnavailableError(
                f"{self._model}: the first {MOST_CUT} replies were all cut off before they answered, the last after "
                f"{limit:,} tokens (max_tokens): the model says too much, or reasons at length; let replies be longer "
                f"by --llmpref-param max_tokens={4 * limit}"
            )


class WatchedModel:
    """A `ChatModel` whose first replies may end a study of agents, who answer by calling a tool.

    Parameters
    ----------
    inner
        The model that is asked. Closed with this one.
    first
        Takes each reply into account.
    """

    def __init__(self, inner: ChatModel, first: FirstReplies) -> None:
        self.name = inner.name
        self._inner, self._first = inner, first

    async def ask(self, request: Request) -> Reply:
        """Answer one request; raises what the inner model does.

        Raises
        ------
        ModelUnavailableError
            As `FirstReplies.see`.
        """
        reply = await self._inner.ask(request)
        self._first.see(reply, lambda: bool(reply.tool_calls))
        return reply

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()


async def ask_all(
    model: ChatModel,
    plan: Plan[Any],
    numbers: Sequence[int],
    *,
    in_flight: int,
    judge: ChatModel | None = None,
    on_reply: Callable[[Reply, bool], None] = lambda _reply, _ended: None,
    first: FirstReplies | None = None,
    alone: bool = True,
) -> list[Replies]:
    """Ask trials until their answers are valid, and return the replies to each, in the order of ``numbers``.

    Unless the caller forbids it, the first trial is asked alone: a model that is unavailable says so before any other
    question is sent.
    A call that failed for good becomes a reply whose finish is ``error``.

    Parameters
    ----------
    model
        Whom to ask.
    plan
        The trials.
    numbers
        Which of them to ask.
    in_flight
        Maximum number of trials under way at once.
    judge
        Who judges the replies that hold no explicit choice; ``None`` for rules alone.
    on_reply
        Called with each reply as it arrives, and with whether it ends its trial.
    first
        Ends a study in which every reply is cut off; ``None`` for a replay, which asks nothing.
    alone
        Whether the first trial is asked alone.

    Raises
    ------
    ModelUnavailableError
        If no request to this model, or to its judge, can succeed, or none is answered. What was answered until then is
        in the cassette.
    """
    found: dict[int, Replies] = {}
    queue = iter(numbers)
    trial = _TrialAsker(model, judge, plan, on_reply, first)

    async def worker() -> None:
        for number in queue:
            found[number] = await trial.ask(number)

    for number in queue if alone else ():
        found[number] = await trial.ask(number)
        break
    await _at_once(worker, min(in_flight, len(numbers)))
    return [found[number] for number in numbers]


async def _at_once(worker: Callable[[], Coroutine[Any, Any, None]], workers: int) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except ExceptionGroup as failures:
        # The workers stopped each other: the first failure is the cause.
        raise failures.exceptions[0] from None


@dataclass(frozen=True)
class _TrialAsker:
    """Asks the trials of a plan, one by one; see `ask_all`."""

    model: ChatModel
    judge: ChatModel | None
    plan: Plan[Any]
    on_reply: Callable[[Reply, bool], None]
    first: FirstReplies | None

    async def ask(self, number: int) -> Replies:
        """Ask one trial until its answer is valid."""
        plan, replies = self.plan, list[Reply]()
        while True:
            replies.append(await self._reply(number, plan.attempt(number, replies)))
            goes_on = plan.goes_on(number, replies)
            self.on_reply(replies[-1], not goes_on)
            if self.first is not None:
                self.first.see(replies[-1], partial(plan.is_valid, plan.questions[number], replies[-1]))
            if not goes_on:
                return tuple(replies)

    async def _reply(self, number: int, request: Request) -> Reply:
        """Return the reply to one attempt, judged; a failed call of the judge's leaves it to the rules."""
        try:
            reply = await self.model.ask(request)
        except CallFailedError as error:
            return Reply(text=str(error), finish="error")
        if self.judge is None or (options := self.plan.options_of(number)) is None:
            return reply
        question = question_to_judge(self.judge.name, request, reply, options)
        if question is None:
            return reply
        try:
            return judged(reply, await self.judge.ask(question))
        except CallFailedError:
            return reply
