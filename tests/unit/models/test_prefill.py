"""Leading into an answer: which models get what, and what goes over the wire in each provider's dialect."""

import json
from importlib.resources import files

import pytest

from pytest_llmpref.models.chat import Request
from pytest_llmpref.models.prefill import lead_for, led_messages

WORDS = "Answer: Option"


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


def test_what_leads_into_the_answer_is_part_of_a_requests_identity():
    keys = {Request("m", led_messages("Tea?", WORDS, prefill), 1.0, 8).key for prefill in ("assistant", "cue", "off")}
    assert len(keys | {Request("m", led_messages("Tea?", WORDS, "off"), 1.0, 8, answers=("A", "B")).key}) == 4
