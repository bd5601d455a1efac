"""The one way from Inspect to a model: a provider of Inspect's that asks our ChatModel."""

import json
from contextvars import ContextVar
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.model._call_tools import parse_tool_call
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import LimitExceededError

from pytest_llmpref.experiments.agents.going import Going, TimeOver
from pytest_llmpref.models.chat import Message, Reply, Tool, ToolCall, whole_text

PROVIDER = "llmpref"
current: ContextVar[Going] = ContextVar("llmpref_going")
"""The run that the present task of the event loop belongs to."""

_STOP_REASONS = {
    "stop": "stop",
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


@modelapi(name=PROVIDER)
class ChatModelAPI(ModelAPI):  # type: ignore[misc]
    """Asks the ChatModel of the run that asks; retries, cassette and budget are that one's."""

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        going = current.get()
        try:
            reply = await going.ask(tuple(map(to_message, input)), tuple(map(_to_tool, tools)))
        except TimeOver:
            raise LimitExceededError("time", value=going.seconds, limit=going.most_seconds) from None
        return _to_output(reply, tools, self.model_name)

    def max_connections(self) -> int:
        """More than are ever asked at once: how many runs there are is ours to say."""
        return 1000


def to_message(message: ChatMessage) -> Message:
    """Return a message of Inspect's as ours."""
    if isinstance(message, ChatMessageTool):
        content = message.text
        if message.error is not None:
            content = f"Error: {message.error.message}" + (f"\n{content}" if content else "")
        return Message("tool", content, tool_call_id=message.tool_call_id or "")
    calls = message.tool_calls if isinstance(message, ChatMessageAssistant) else None
    return Message(message.role, message.text, tuple(map(_to_call, calls or ())))


def _to_call(call: Any) -> ToolCall:
    # Of arguments that were no JSON there is nothing left, and providers would refuse to read them again.
    return ToolCall(call.id, call.function, json.dumps(call.arguments))


def _to_tool(tool: ToolInfo) -> Tool:
    return Tool(tool.name, tool.description, tool.parameters.model_dump(exclude_none=True))


def _to_output(reply: Reply, tools: list[ToolInfo], model: str) -> ModelOutput:
    calls = [_parsed(call, tools) for call in reply.tool_calls]
    content = whole_text(reply.text or reply.refusal or "")
    message = ChatMessageAssistant(content=content, tool_calls=calls or None, model=model)
    stop = "content_filter" if reply.refusal else _STOP_REASONS.get(reply.finish, "unknown")
    return ModelOutput(
        model=model,
        choices=[ChatCompletionChoice(message=message, stop_reason="tool_calls" if calls else stop)],
        usage=ModelUsage(
            input_tokens=reply.prompt_tokens,
            output_tokens=reply.completion_tokens,
            total_tokens=reply.prompt_tokens + reply.completion_tokens,
        ),
    )


def _parsed(call: ToolCall, tools: list[ToolInfo]) -> Any:
    parsed = parse_tool_call(whole_text(call.id), whole_text(call.name), whole_text(call.arguments), tools)
    arguments = json.dumps(parsed.arguments, ensure_ascii=False)
    # Escaped in JSON, half a character came this far; no file, log or command can hold it.
    if arguments != whole_text(arguments):
        parsed.arguments, parsed.parse_error = {}, "The arguments hold half a character (a lone surrogate)."
    return parsed
