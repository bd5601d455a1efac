"""A simulated model over HTTP: OpenAI's chat completions on loopback, so that litellm and the wire are in the test.

A request on the wire does not say which repetition of a conversation it is; the server counts how often each
conversation was put. Apart from this count it has no state: answers do not depend on the order of the questions.
"""

import hashlib
from collections import Counter
from typing import Any, Literal

import msgspec
from aiohttp import web

from pytest_llmpref.models.chat import Message, Reply, Request, Tool, ToolCall
from pytest_llmpref.models.simulated.model import SimulatedModel

HEADER = "x-llmpref-simulated"
"""Response header that names the simulated model, on every reply."""
HOST = "127.0.0.1"
MOST_TOKENS = 4096
"""Tokens of a reply to a request that sets no limit."""


class _Format(msgspec.Struct):
    json_schema: dict[str, Any] | None = None


class _Function(msgspec.Struct):
    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function
    id: str = ""


class _Said(msgspec.Struct):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str = ""

    def message(self) -> Message:
        calls = [ToolCall(call.id, call.function.name, call.function.arguments) for call in self.tool_calls or ()]
        return Message(self.role, self.content or "", tuple(calls), self.tool_call_id)


class _Body(msgspec.Struct):
    """What is read of a request's body; everything else is let be, as servers do."""

    messages: list[_Said]
    tools: list[_Call] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: _Format | None = None
    stream: bool | None = None


class Server:
    """Serves one simulated model.

    Parameters
    ----------
    model
        Whom the answers come from.
    """

    def __init__(self, model: SimulatedModel) -> None:
        self._model = model
        self._asked: Counter[bytes] = Counter()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> str:
        """Listen on a port of loopback, 0 for any free one, and return the address, like ``http://127.0.0.1:80/v1``.

        Raises
        ------
        OSError
            If the port cannot be had.
        """
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        app.on_response_prepare.append(self._mark)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        return f"http://{HOST}:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _mark(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers[HEADER] = self._model.name

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self._model.name, "object": "model"}]})

    async def _complete(self, asked: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await asked.read(), type=_Body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _failure(str(error))
        if not body.messages:
            return _failure("messages is empty; it must hold at least one message")
        if body.stream:
            return _failure("stream is not supported by simulated models; leave it out")
        conversation = hashlib.sha256(msgspec.json.encode(body.messages)).digest()
        request = Request(
            model=self._model.name,
            messages=tuple(said.message() for said in body.messages),
            temperature=1.0 if body.temperature is None else body.temperature,
            max_tokens=body.max_completion_tokens or body.max_tokens or MOST_TOKENS,
            repetition=self._asked[conversation],
            top_logprobs=(body.top_logprobs or 1) if body.logprobs else 0,
            answers=_answers(body.response_format),
            tools=tuple(
                Tool(tool.function.name, tool.function.description, tool.function.parameters)
                for tool in body.tools or ()
            ),
        )
        self._asked[conversation] += 1
        reply = self._model.reply(request)
        return _failure(reply.text) if reply.finish == "error" else web.json_response(_completion(request, reply))


def _answers(response_format: _Format | None) -> tuple[str, ...]:
    """Return the answers that a schema like `models.prefill.answer_schema` lets through."""
    schema = ((response_format and response_format.json_schema) or {}).get("schema") or {}
    allowed = schema.get("properties", {}).get("answer", {}).get("enum", ())
    return tuple(map(str, allowed))


def _completion(request: Request, reply: Reply) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": reply.text, "refusal": None} | _calls(reply),
        "finish_reason": reply.finish,
        "logprobs": None,
    }
    if reply.top_logprobs:
        said = next((token for token in reply.top_logprobs if reply.text.startswith(token)), "")
        likeliest = {
            token: {"token": token, "logprob": value, "bytes": None} for token, value in reply.top_logprobs.items()
        }
        first = likeliest.get(said) or next(iter(likeliest.values()))
        choice["logprobs"] = {"content": [first | {"top_logprobs": list(likeliest.values())}]}
    total = reply.prompt_tokens + reply.completion_tokens
    return {
        "id": f"chatcmpl-{request.key}",
        "object": "chat.completion",
        # Not the time: the same question is to have the same answer, to the last byte.
        "created": 0,
        "model": request.model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": total,
        },
    }


def _calls(reply: Reply) -> dict[str, Any]:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.tool_calls
    ]
    return {"tool_calls": calls} if calls else {}


def _failure(message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=400)
