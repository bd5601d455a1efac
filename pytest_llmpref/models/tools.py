"""Tools and the calls of them, between our form and litellm's, which is OpenAI's."""

from typing import Any

from pytest_llmpref.models.chat import Message, Tool, ToolCall


def tools_to_send(tools: tuple[Tool, ...]) -> list[dict[str, object]]:
    """Return the tools that a model may call, in litellm's form."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in tools
    ]


def message_to_send(message: Message) -> dict[str, object]:
    """Return a message in litellm's form, with the calls in it or the call that it answers."""
    sent: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        sent["tool_call_id"] = message.tool_call_id
    return sent


def calls_in(message: Any) -> tuple[ToolCall, ...]:
    """Return the calls in litellm's message. Some providers give them no id; each gets one that is its own."""
    calls = getattr(message, "tool_calls", None) or ()
    return tuple(
        ToolCall(call.id or f"call_{number}", call.function.name or "", call.function.arguments or "")
        for number, call in enumerate(calls)
    )
