"""Where a call of litellm's leaves this process: caught before it is sent, or answered by what a batch brought.

litellm makes the body of each provider's call, and reads each provider's answer. So a question of a batch is asked
through litellm twice. The first time, what would be sent is caught, and nothing is sent: it becomes a request of the
batch. The second time, the answer of the batch comes back as if the call had brought it. Both are what an ordinary call
sends and reads.

litellm opens a client for each event loop, keeps it, and closes it when it likes. So no client of ours is handed to it:
we stand at the one method through which each of its clients sends.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import httpx
import msgspec

# Of the connection, the length, and what the client says of itself; all else goes with the requests about a batch too.
_OF_ONE_CALL = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
)
_CLIENTS = "x-stainless-"


class CaughtError(BaseException):
    """A call was caught before it was sent. Never leaves this package.

    No failure, and so no `Exception`: what litellm does with one takes twice as long as all else that it does.
    """


class Call(msgspec.Struct, frozen=True):
    """What an ordinary call would send.

    Attributes
    ----------
    url, headers
        Where to, and what goes with it: the key, for one.
    body
        JSON.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def credentials(self) -> dict[str, str]:
        """The headers that go with every request to this provider."""
        return {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _OF_ONE_CALL and not name.lower().startswith(_CLIENTS)
        }


class Answer(msgspec.Struct, frozen=True):
    """What a batch brought for one question.

    Attributes
    ----------
    status
        The HTTP status that an ordinary call would have had; 0 if the batch brought nothing.
    body
        The body that it would have had, or in words why there is none.
    """

    status: int
    body: bytes


class Carried:
    """One passing of a question through litellm.

    Attributes
    ----------
    answer
        What the first call is answered with; ``None`` to catch it.
    call
        The call that was caught.
    """

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.call: Call | None = None


_carried: ContextVar[Carried | None] = ContextVar("llmpref_carried", default=None)


@contextmanager
def carrying(answer: Answer | None) -> Iterator[Carried]:
    """Catch or answer what is sent inside; other tasks and threads send as ever.

    Parameters
    ----------
    answer
        What the first call is answered with; ``None`` to catch it.
    """
    _stand_at_the_exit()
    now = Carried(answer)
    token = _carried.set(now)
    try:
        yield now
    finally:
        _carried.reset(token)


@functools.cache
def _stand_at_the_exit() -> None:
    """Pass by us whatever an httpx client sends. It stays so: outside of `carrying` it changes nothing."""
    send = httpx.AsyncClient.send

    @functools.wraps(send)
    async def send_or_carry(self: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        now = _carried.get()
        return await (send(self, request, **options) if now is None else _caught_or_answered(now, request))

    httpx.AsyncClient.send = send_or_carry  # type: ignore[method-assign]


async def _caught_or_answered(now: Carried, request: httpx.Request) -> httpx.Response:
    if now.answer is None:
        now.call = Call(str(request.url), dict(request.headers), await request.aread())
        raise CaughtError("this call is carried by a batch")
    answer, now.answer = now.answer, None
    headers = {"content-type": "application/json"}
    response = httpx.Response(answer.status, headers=headers, content=answer.body, request=request)
    response.elapsed = timedelta()
    return response
