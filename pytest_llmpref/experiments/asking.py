"""The asking loop: many requests in flight, every one accounted for."""

import asyncio
from collections.abc import Callable, Sequence

from pytest_llmpref.models.chat import CallFailedError, ChatModel, Reply, Request


async def ask_all(
    model: ChatModel, requests: Sequence[Request], *, in_flight: int, on_reply: Callable[[Reply], None]
) -> list[Reply]:
    """Ask all requests and return their replies in the same order.

    The first request is asked alone: a model that is unavailable says so before any other question is sent.
    A call that failed for good becomes a reply whose finish is ``error``.

    Parameters
    ----------
    model
        Whom to ask.
    requests
        What to ask, n requests.
    in_flight
        Most requests under way at once.
    on_reply
        Called with each reply as it arrives.

    Raises
    ------
    ModelUnavailableError
        If no request to this model can succeed. What was answered until then is in the cassette.
    """
    replies: list[Reply | None] = [None] * len(requests)

    async def ask(index: int) -> None:
        try:
            reply = await model.ask(requests[index])
        except CallFailedError as error:
            reply = Reply(text=str(error), finish="error")
        replies[index] = reply
        on_reply(reply)

    queue = iter(range(len(requests)))

    async def worker() -> None:
        for index in queue:
            await ask(index)

    for index in queue:
        await ask(index)
        break
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, len(requests))):
                group.create_task(worker())
    except ExceptionGroup as failures:
        # The workers stopped each other: the first failure is the cause.
        raise failures.exceptions[0] from None
    return [reply for reply in replies if reply is not None]
