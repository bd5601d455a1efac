"""Prefills as they go over the wire."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from loopback import Answer, Loopback, completion, serving

from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.prefill import lead_for, led_messages

WORDS = "Answer: Option"
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": " A"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 1},
}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as running:
        yield running


def asked(server: Loopback, name: str, request: Request) -> str:
    """Ask a model at the server, and return the text of its reply."""
    api_base = server.api_base.removesuffix("/v1") if name.startswith("anthropic") else server.api_base

    async def run() -> str:
        model = LiveModel(name, api_base=api_base, api_key="sk-test-0123456789", max_tries=1)
        try:
            return (await model.ask(request)).text
        finally:
            await model.close()

    return asyncio.run(run())


def led(name: str) -> Request:
    lead = lead_for(name)
    answers = ("A", "B") if lead.prefill == "schema" else ()
    return Request(name, led_messages("Tea or mud?", WORDS, lead.prefill), 1.0, 8, answers=answers)


def test_a_cue_ends_the_users_message(server):
    assert asked(server, "openai/tested", led("openai/tested")) == "A"
    assert server.received[0]["messages"] == [{"role": "user", "content": f"Tea or mud?\n{WORDS}"}]


def test_anthropic_gets_the_words_as_its_own_last_message(server):
    name = "anthropic/claude-sonnet-4-5"
    server.script(Answer(ANTHROPIC))
    assert asked(server, name, led(name)).strip() == "A"
    user, assistant = server.received[0]["messages"]
    assert user["content"] == [{"type": "text", "text": "Tea or mud?"}]
    assert assistant == {"role": "assistant", "content": [{"type": "text", "text": WORDS}]}


@pytest.mark.parametrize("name", ["mistral/mistral-small-latest", "deepseek/deepseek-chat"])
def test_a_provider_that_wants_a_mark_gets_it(server, name):
    server.script(Answer(completion(" A")))
    assert asked(server, name, led(name)).strip() == "A"
    assert server.received[0]["messages"][-1] == {"role": "assistant", "content": WORDS, "prefix": True}


def test_a_model_that_refuses_a_prefill_gets_a_schema(server):
    name = "anthropic/claude-opus-4-6"
    server.script(Answer({**ANTHROPIC, "content": [{"type": "text", "text": '{"answer": "B"}'}]}))
    assert json.loads(asked(server, name, led(name))) == {"answer": "B"}
    body = server.received[0]
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert '"enum": ["A", "B"]' in json.dumps(body)


def test_openai_gets_its_own_form_of_a_schema(server):
    request = Request("openai/tested", (Message("user", "Tea or mud?"),), 1.0, 8, answers=("A", "B"))
    server.script(Answer(completion('{"answer": "B"}')))
    asked(server, "openai/tested", request)
    format_ = server.received[0]["response_format"]
    assert format_["type"] == "json_schema"
    assert format_["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["A", "B"]
