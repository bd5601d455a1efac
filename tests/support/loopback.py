"""An OpenAI-compatible server on loopback, in a thread of its own, that answers as a test scripts it."""

import asyncio
import contextlib
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any]
# Of OpenAI and Azure, the Responses API, Anthropic, Gemini and Ollama.
PATHS = ("chat/completions", "v1/responses", "v1/messages", ":generateContent", "api/(show|generate|chat)")


@dataclass(frozen=True)
class Answer:
    """One scripted answer.

    Attributes
    ----------
    body
        JSON where it is no string, sent as it is where it is one.
    cut
        Announce the whole body, send half of it, and hang up.
    hang
        Never answer.
    held
        Answer once this is set.
    drip
        Seconds between any two of the four pieces in which the body is sent.
    kind
        Content type; found from the body unless given.
    """

    body: Body | list[Any] | str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False
    held: threading.Event | None = None
    drip: float = 0.0
    kind: str = ""

    @property
    def content(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()

    @property
    def content_type(self) -> str:
        if self.kind:
            return self.kind
        html = isinstance(self.body, str) and self.body.lstrip().startswith("<")
        return "text/html" if html else "application/json"


def completion(
    content: str | None = "A",
    *,
    finish: str = "stop",
    refusal: str | None = None,
    top_logprobs: Mapping[str, float] | None = None,
    usage: Body | None = None,
) -> Body:
    """Return the body of a chat completion."""
    message: Body = {"role": "assistant", "content": content}
    if refusal is not None:
        message["refusal"] = refusal
    choice: Body = {"index": 0, "message": message, "finish_reason": finish}
    if top_logprobs is not None:
        likeliest = [{"token": token, "logprob": value, "bytes": None} for token, value in top_logprobs.items()]
        choice["logprobs"] = {"content": [{**likeliest[0], "top_logprobs": likeliest}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "served",
        "choices": [choice],
        "usage": usage or {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
    }


def failure(status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error as OpenAI words it."""
    return Answer({"error": {"message": message, "type": "error", "param": None, "code": code}}, status, headers or {})


class Loopback:
    """The server: answers what was scripted, in that order, and after that ``default``, for ever.

    Attributes
    ----------
    received
        The JSON bodies of the requests.
    headers
        Their headers.
    """

    def __init__(self) -> None:
        self.default = Answer(completion())
        self.received: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0
        self._script: deque[Answer] = deque()
        self._loop = asyncio.new_event_loop()
        self._done = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._runner.server.connections)

    def script(self, *answers: Answer) -> None:
        """Answer the next requests with these."""
        self._script.extend(answers)

    def start(self) -> None:
        self._thread.start()
        if not self._up.wait(30):
            raise RuntimeError("the loopback server did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*(" + "|".join(PATHS) + ")}", self._answer)
        self._runner = runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._up.set()
        await self._done.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.received.append(await request.json())
        self.headers.append(dict(request.headers))
        answer = self._script.popleft() if self._script else self.default
        if answer.hang:
            await self._done.wait()
            raise asyncio.CancelledError
        if answer.held is not None:
            await asyncio.to_thread(answer.held.wait)
        response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
        response.content_type = answer.content_type
        response.content_length = len(answer.content)
        await response.prepare(request)
        if answer.cut:
            await response.write(answer.content[: len(answer.content) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        pieces = 4 if answer.drip else 1
        length = max(1, -(-len(answer.content) // pieces))
        for start in range(0, len(answer.content), length):
            await asyncio.sleep(answer.drip if start else 0)
            await response.write(answer.content[start : start + length])
        return response


@contextlib.contextmanager
def serving() -> Iterator[Loopback]:
    """Run a server while inside."""
    server = Loopback()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def closed_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
