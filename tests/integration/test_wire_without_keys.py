"""A replay at the wire reads no key, whatever the provider: each is recorded here from an imitation on loopback."""

import asyncio
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest
from aiohttp import web
from loopback import completion

from pytest_llmpref.cassettes import Cassette, RecordingModel
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.live import LiveModel

CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "served", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "A"}],
    "usage": {"input_tokens": 7, "output_tokens": 1},
}  # fmt: skip
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "A"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1, "totalTokenCount": 8},
}
BEDROCK = {
    "output": {"message": {"role": "assistant", "content": [{"text": "A"}]}}, "stopReason": "end_turn",
    "usage": {"inputTokens": 7, "outputTokens": 1, "totalTokens": 8}, "metrics": {"latencyMs": 1},
}  # fmt: skip
COHERE = {
    "id": "1", "message": {"role": "assistant", "content": [{"type": "text", "text": "A"}]},
    "finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 7, "output_tokens": 1}},
}  # fmt: skip
OPENAI = {**completion("A"), "service_tier": "on_demand"}

PROVIDERS = {
    "openai/gpt-4.1-nano": ("/v1", OPENAI),
    "anthropic/claude-sonnet-4-5": ("", CLAUDE),
    "gemini/gemini-2.5-pro": ("/v1beta", GEMINI),
    "azure/deployed": ("", OPENAI),
    "bedrock/anthropic.claude-3-haiku-20240307-v1:0": ("", BEDROCK),
    "cohere_chat/command-r": ("/v2/chat", COHERE),
    "deepseek/deepseek-chat": ("/beta", OPENAI),
    "fireworks_ai/tested": ("/inference/v1", OPENAI),
    "groq/llama-3.3-70b-versatile": ("/openai/v1", OPENAI),
    "hosted_vllm/tested": ("/v1", OPENAI),
    "huggingface/some/tested": ("/v1", OPENAI),
    "mistral/mistral-small-latest": ("/v1", OPENAI),
    "openrouter/tested": ("/api/v1", OPENAI),
    "perplexity/sonar": ("", OPENAI),
    "together_ai/some/tested": ("/v1", OPENAI),
    "xai/grok-3": ("/v1", OPENAI),
}
"""litellm's name -> the path at which the provider's own address ends, and its answer."""
if tuple(map(int, version("litellm").split(".")[:2])) < (1, 106):
    # Those before look for AWS's credentials on the network, which a replay refuses. 1.91 does, 1.106 does not.
    del PROVIDERS["bedrock/anthropic.claude-3-haiku-20240307-v1:0"]
ADDRESSES = ("AZURE_API_BASE", "AZURE_API_VERSION", "HOSTED_VLLM_API_BASE")
"""What users of these two set to record. A replay needs none of it."""

REPLAY = """
import asyncio, json, sys
from pathlib import Path
from pytest_llmpref.cassettes import Cassette, refuse_sockets
from pytest_llmpref.cassettes.wire import WireReplayModel
from pytest_llmpref.models.opening import open_model

async def replayed(name):
    live = open_model(name, {}, timeout=20, max_tries=1, max_wait=1, only_recorded=True)
    cassette = Cassette.open(Path(sys.argv[1]), name)
    model = WireReplayModel(live, cassette)
    try:
        return (await model.ask(cassette.lines()[0].request)).text
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        await model.close()

with refuse_sockets():
    print(json.dumps({name: asyncio.run(replayed(name)) for name in sys.argv[2:]}))
"""


async def record(folder) -> dict[str, str]:
    """Ask each provider's imitation one question, and return the replies."""
    current = {}

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(current["answer"])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    replies = {}
    for name, (path, current["answer"]) in PROVIDERS.items():
        base = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        live = LiveModel(name, api_base=base, api_key="a-key-of-nobodys-0123456789", max_tries=1, timeout=20)
        model = RecordingModel(live, Cassette.open(folder, name))
        replies[name] = (await model.ask(Request(name, (Message("user", "Tea or mud?"),), 0.7, 8))).text
        await model.close()
    await runner.cleanup()
    return replies


@pytest.fixture
def without_keys(monkeypatch) -> dict[str, str]:
    """The environment without all that could be a credential."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)
    return {name: value for name, value in os.environ.items() if not re.search("KEY|TOKEN|SECRET|AWS_|GOOGLE_", name)}


def test_a_replay_at_the_wire_reads_no_key_of_any_provider(tmp_path, without_keys):
    everywhere = dict.fromkeys(PROVIDERS, "A")
    assert asyncio.run(record(tmp_path)) == everywhere
    # In a process of its own: litellm keeps clients, and with them the keys that they were made with.
    command = [sys.executable, "-c", REPLAY, str(tmp_path), *PROVIDERS]
    done = subprocess.run(command, env=without_keys, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == everywhere
