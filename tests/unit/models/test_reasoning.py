"""Which models reason before they answer."""

import pytest

from pytest_llmpref.models.reasoning import REASONING_ALLOWANCE, reasons, room_for


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic/claude-sonnet-5", "yes"),
        ("claude-opus-5-5", "yes"),
        ("bedrock/us.anthropic.claude-fable-5-1", "yes"),
        ("anthropic/claude-sonnet-4-5", "no"),
        ("claude-opus-4-6", "no"),
        ("anthropic/claude-3-5-haiku-20241022", "no"),
        ("openrouter/deepseek/deepseek-r1", "yes"),
        ("deepseek/deepseek-reasoner", "yes"),
        ("deepseek/deepseek-chat", "no"),
        ("groq/qwen/qwen3-32b", "yes"),
        ("ollama/qwen3:8b", "yes"),
        ("mistral/magistral-medium-latest", "yes"),
        ("moonshot/kimi-k2-thinking", "yes"),
        ("xai/grok-4", "yes"),
        ("xai/grok-4-fast-non-reasoning", "no"),
        ("openai/o3-mini", "yes"),
        ("gpt-5-mini", "yes"),
        ("gemini/gemini-2.5-flash", "yes"),
        ("gpt-4o", "no"),
        ("openai/gpt-4.1-nano", "no"),
        ("azure/eval-prod-01", "unknown"),
        ("hosted_vllm/ours", "unknown"),
        ("sim/thinking", "no"),
    ],
)
def test_which_models_reason_unasked(name, expected):
    assert reasons(name) == expected


def test_only_a_model_that_is_known_to_reason_has_room_from_the_start():
    assert room_for("openai/o3") == REASONING_ALLOWANCE
    assert room_for("openai/gpt-4.1-nano") == room_for("openai/deployment-7") == 0
