"""Leading into an answer: which models get what, and what goes over the wire in each provider's dialect."""

import asyncio
import json
from collections.abc import Iterator
from importlib.resources import files

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


@pytest.mark.parametrize(
    ("name", "prefill"),
    [
        ("local/gemma-3-270m", "cue"),
        ("local/smollm2-135m", "assistant"),
        ("local//models/some.gguf", "assistant"),
        ("anthropic/claude-3-haiku-20240307", "assistant"),
        ("claude-sonnet-4-20250514", "assistant"),
        ("claude-opus-4-1-20250805", "assistant"),
        ("anthropic/claude-haiku-4-5", "assistant"),
        ("vertex_ai/claude-sonnet-4-5@20250929", "assistant"),
        ("bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", "assistant"),
        ("anthropic/claude-opus-4-6", "schema"),
        ("anthropic/claude-opus-4-6-20260205", "schema"),
        ("bedrock/anthropic.claude-opus-4-6-v1", "schema"),
        ("claude-sonnet-5", "schema"),
        ("mistral/mistral-large-latest", "assistant"),
        ("deepseek/deepseek-chat", "assistant"),
        ("openai/gpt-4.1-nano", "cue"),
        ("gpt-4o", "cue"),
        ("gemini/gemini-2.5-pro", "cue"),
        ("sim/paper-a", "cue"),
    ],
)
def test_the_table(name, prefill):
    assert lead_for(name).prefill == prefill


def test_the_table_agrees_with_litellms_list_on_claude_at_anthropics_own_api():
    """litellm's list has no entry for some old models; where it says that one continues a prefill, ours does too."""
    listed = json.loads((files("litellm") / "model_prices_and_context_window_backup.json").read_text(encoding="utf-8"))
    said = {
        name: bool(entry.get("supports_assistant_prefill"))
        for name, entry in listed.items()
        if entry.get("litellm_provider") == "anthropic" and entry.get("mode") == "chat"
    }
    assert len(said) > 10
    assert {name: lead_for(name).prefill == "assistant" for name in said} == said


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


def test_what_leads_into_the_answer_is_part_of_a_requests_identity():
    keys = {Request("m", led_messages("Tea?", WORDS, prefill), 1.0, 8).key for prefill in ("assistant", "cue", "off")}
    assert len(keys | {Request("m", led_messages("Tea?", WORDS, "off"), 1.0, 8, answers=("A", "B")).key}) == 4
