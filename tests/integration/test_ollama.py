"""A local Ollama, imitated on loopback: conversations go to it as such, and errors say what to do."""

import asyncio

import pytest
from aiohttp import web
from loopback import Loopback

from pytest_llmpref.models.chat import Message, ModelUnavailableError, Request
from pytest_llmpref.models.live import LiveModel


class Ollama(Loopback):
    """Knows one model, and answers chats about it alone."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.received.append({**body, "path": request.path})
        if request.path == "/api/show":
            return web.json_response({"template": "", "model_info": {}, "capabilities": ["completion"]})
        if request.path != "/api/chat" or body["model"] != "qwen3:8b":
            return web.json_response({"error": f"model '{body['model']}' not found"}, status=404)
        said = {"role": "assistant", "content": "A"}
        return web.json_response({"model": "qwen3:8b", "message": said, "done": True, "done_reason": "stop"})


@pytest.fixture
def ollama(monkeypatch):
    server = Ollama()
    server.start()
    monkeypatch.setenv("OLLAMA_API_BASE", server.api_base.removesuffix("/v1"))
    yield server
    server.stop()


def ask(name: str):
    async def run():
        model = LiveModel(name, max_tries=1)
        try:
            return await model.ask(Request(name, (Message("user", "Tea or mud?"),), 1.0, 8))
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.mark.parametrize("provider", ["ollama", "ollama_chat"])
def test_turns_are_left_to_the_server(ollama, provider):
    assert ask(f"{provider}/qwen3:8b").text == "A"
    (chat,) = [body for body in ollama.received if body["path"] == "/api/chat"]
    assert [(turn["role"], turn["content"]) for turn in chat["messages"]] == [("user", "Tea or mud?")]
    assert not [body for body in ollama.received if body["path"] == "/api/generate"]


def test_a_model_that_is_not_there_yet_is_to_be_pulled(ollama):
    with pytest.raises(ModelUnavailableError, match=r"ollama/gemma3:1b: .*get the model: ollama pull gemma3:1b"):
        ask("ollama/gemma3:1b")


def test_a_server_that_does_not_run_is_to_be_started(monkeypatch, unused_tcp_port):
    monkeypatch.setenv("OLLAMA_API_BASE", f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ModelUnavailableError, match=rf"1:{unused_tcp_port} cannot be reached .*ollama serve"):
        ask("ollama/qwen3:8b")
