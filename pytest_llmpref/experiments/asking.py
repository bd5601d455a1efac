"""The asking loop: many trials in flight, each asked until its answer is valid, every one accounted for.

A second model judges the replies that rules do not read as a choice; it is asked, recorded and replayed like any.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from pytest_llmpref.config.profiles import MOST_ATTEMPTS
from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.experiments.trials import Replies, load_prompts
from pytest_llmpref.models.chat import CallFailedError, ChatModel, Message, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.judgements import JUDGEMENTS, read_judgement
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.thinking import LONGEST, without_thinking

TOKENS = 16
"""Most tokens of a judge's answer: one word."""
MOST_CUT = 5
"""Replies without an answer that were cut off, none being whole before, after which a study ends. Our choice."""
_NAMELESS = {"A": "\x00", "B": "\x00"}


def question_to_judge(judge: str, request: Request, reply: Reply) -> Request | None:
    """Return what the judge is asked about a reply; ``None`` where there is nothing to judge.

    Nothing is to judge where a call failed, the provider itself refused, nothing was said, or a label was chosen in so
    many words.

    Parameters
    ----------
    judge
        Name of the judge.
    request, reply
        What was asked, and what was said.

    Examples
    --------
    >>> from pytest_llmpref import Message, Reply, Request
    >>> asked = Request("sim/x", (Message("user", "A: tea. B: mud. Which?"),), 1.0, 9)
    >>> question_to_judge("sim/judge", asked, Reply("A", "stop")) is None
    True
    >>> question_to_judge("sim/judge", asked, Reply("Whatever warms you.", "stop")).max_tokens
    16
    """
    if reply.finish in {"error", "content_filter"} or reply.refusal or not without_thinking(reply.text).strip():
        return None
    if read_choice(reply, _NAMELESS)[0] is Outcome.CHOICE:
        return None
    said = without_thinking(reply.text)
    said = said if len(said) <= 2 * LONGEST else f"{said[:LONGEST]}\n[...]\n{said[-LONGEST:]}"
    asked = "\n".join(message.content for message in request.messages if message.role != "assistant")
    prompt = load_prompts("judge").render(0, question=asked, reply=said)
    answers = tuple(JUDGEMENTS) if lead_for(judge).prefill == "schema" else ()
    return Request(judge, (Message("user", prompt),), temperature=0.0, max_tokens=TOKENS, answers=answers)


def judged(reply: Reply, answer: Reply) -> Reply:
    """Return a reply with the judge's word on it, and with what the judge cost; as it was where that is no word.

    Parameters
    ----------
    reply, answer
        What was said, and what the judge answered about it.
    """
    word = read_judgement(answer.text) if answer.finish != "error" else None
    unpriced = reply.cost is None or answer.cost is None
    return msgspec.structs.replace(
        reply,
        judgement=word,
        prompt_tokens=reply.prompt_tokens + answer.prompt_tokens,
        completion_tokens=reply.completion_tokens + answer.completion_tokens,
        cost=None if unpriced else (reply.cost or 0.0) + (answer.cost or 0.0),
    )


class JudgedModel:
    """A `ChatModel` whose replies another one judges, where `question_to_judge` has something to ask.

    Parameters
    ----------
    inner
        The model that is measured.
    judge
        The judge. Neither is closed with this model, which only borrows them.
    """

    def __init__(self, inner: ChatModel, judge: ChatModel) -> None:
        self.name = inner.name
        self._inner = inner
        self._judge = judge

    async def ask(self, request: Request) -> Reply:
        """Answer one request, and have the answer judged.

        Raises
        ------
        ModelUnavailableError
            If either model cannot be asked at all.
        CallFailedError
            If this request failed for good; a failed call of the judge leaves the reply to the rules.
        """
        reply = await self._inner.ask(request)
        question = question_to_judge(self._judge.name, request, reply)
        return reply if question is None else judged(reply, await self._judge.ask(question))

    async def close(self) -> None:
        """Nothing is open that is not others'."""


def first_attempt(request: Request, repetition: int) -> Request:
    """Return the first attempt at a repetition of a question; each attempt has an index of its own.

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
    >>> attempts = {first_attempt(asked, 0).key, next_attempt(first_attempt(asked, 0)).key, first_attempt(asked, 1).key}
    >>> len(attempts)
    3
    """
    return msgspec.structs.replace(request, repetition=repetition * MOST_ATTEMPTS)


def next_attempt(request: Request) -> Request:
    """Return the attempt that follows."""
    return msgspec.structs.replace(request, repetition=request.repetition + 1)


def attempt_key(request: Request, number: int) -> str:
    """Return the key of an attempt, given the first one and the number of those before it.

    Parameters
    ----------
    request
        The first attempt.
    number
        Of the attempt, 0 for the first.

    Examples
    --------
    >>> from pytest_llmpref import Message, Request
    >>> asked = Request("sim/x", (Message("user", "Which?"),), 1.0, 9)
    >>> attempt_key(asked, 1) == next_attempt(asked).key
    True
    """
    return msgspec.structs.replace(request, repetition=request.repetition + number).key if number else request.key


class FirstReplies:
    """Ends a live study of which the first `MOST_CUT` replies were all cut off before they answered.

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


async def ask_all(
    model: ChatModel,
    plan: Plan[Any],
    numbers: Sequence[int],
    *,
    in_flight: int,
    on_reply: Callable[[Reply, bool], None] = lambda _reply, _ended: None,
    first: FirstReplies | None = None,
) -> list[Replies]:
    """Ask trials until their answers are valid, and return the replies to each, in the order of ``numbers``.

    The first trial is asked alone: a model that is unavailable says so before any other question is sent.
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
        Most trials under way at once.
    on_reply
        Called with each reply as it arrives, and with whether it ends its trial.
    first
        What ends a study of which no reply is whole; ``None`` for a replay, which asks nobody.

    Raises
    ------
    ModelUnavailableError
        If no request to this model can succeed, or none is answered. What was answered until then is in the cassette.
    """
    found: dict[int, Replies] = {}
    queue = iter(numbers)

    async def worker() -> None:
        for number in queue:
            found[number] = await _ask_trial(model, plan, number, on_reply, first)

    for number in queue:
        found[number] = await _ask_trial(model, plan, number, on_reply, first)
        break
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, len(numbers))):
                group.create_task(worker())
    except ExceptionGroup as failures:
        # The workers stopped each other: the first failure is the cause.
        raise failures.exceptions[0] from None
    return [found[number] for number in numbers]


async def _ask_trial(
    model: ChatModel, plan: Plan[Any], number: int, on_reply: Callable[[Reply, bool], None], first: FirstReplies | None
) -> Replies:
    """Ask one trial until its answer is valid."""
    request, replies = plan.requests[number], list[Reply]()
    while True:
        try:
            replies.append(await model.ask(request))
        except CallFailedError as error:
            replies.append(Reply(text=str(error), finish="error"))
        goes_on = plan.goes_on(number, replies)
        on_reply(replies[-1], not goes_on)
        if first is not None:
            first.see(replies[-1], partial(plan.is_valid, plan.questions[number], replies[-1]))
        if not goes_on:
            return tuple(replies)
        request = next_attempt(request)
