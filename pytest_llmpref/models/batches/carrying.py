"""Where a call of litellm's leaves this process: caught before it is sent, or answered by what a batch brought.

litellm makes the body of each provider's call, and reads each provider's answer. So a question of a batch is asked
through litellm twice. The first time, what would be sent is caught, and nothing is sent: it becomes a request of the
batch. The second time, the answer of the batch comes back as if the call had brought it. Both are what an ordinary call
sends and reads.
"""

from collections.abc import Mapping
from contextvars import ContextVar

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
        The HTTP status that an ordinary call would have had; 0 where the batch brought nothing.
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


carried: ContextVar[Carried | None] = ContextVar("llmpref_carried", default=None)
"""The passing under way; ``None`` in an ordinary call."""


class CarryingTransport(httpx.AsyncHTTPTransport):
    """Sends ordinary calls, and catches or answers those of questions that a batch carries."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, catch or answer one call.

        Raises
        ------
        CaughtError
            If it was caught.
        """
        now = carried.get()
        if now is None:
            return await super().handle_async_request(request)
        if now.answer is None:
            now.call = Call(str(request.url), dict(request.headers), await request.aread())
            raise CaughtError("this call is carried by a batch")
        answer, now.answer = now.answer, None
        headers = {"content-type": "application/json"}
        return httpx.Response(answer.status, headers=headers, content=answer.body, request=request)
