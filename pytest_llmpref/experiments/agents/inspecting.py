"""What Inspect is given: a provider that asks our ChatModel, and tools whose results are recorded."""

import json
from collections.abc import Awaitable, Callable
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
from inspect_ai.tool import Tool as InspectTool
from inspect_ai.tool import ToolChoice, ToolDef, ToolError, ToolFunction, ToolInfo, bash, python
from inspect_ai.util import (
    LimitExceededError,
    OutputLimitExceededError,
)
from inspect_ai.util._sandbox.environment import SandboxUnavailableError

from pytest_llmpref.characters import whole_text
from pytest_llmpref.experiments.agents.run import Going, TimeOver, Wished
from pytest_llmpref.models.chat import Message, Reply, Tool, ToolCall

TOOL_SECONDS = 60
"""Seconds that one command may take. Our choice."""


def recorded_tools() -> list[ToolDef]:
    """Return the tools that every agent has: a shell, and Python."""

    async def run_command(command: str) -> str:
        return await _recorded("bash", {"command": command}, lambda: bash(TOOL_SECONDS)(command))

    async def run_code(code: str) -> str:
        return await _recorded("python", {"code": code}, lambda: python(TOOL_SECONDS)(code))

    return [_like(bash(TOOL_SECONDS), run_command), _like(python(TOOL_SECONDS), run_code)]


def _like(tool: InspectTool, recorded: Callable[..., Awaitable[str]]) -> ToolDef:
    """Return a tool that is to the model what another one is. One call runs after the other, as they are recorded."""
    shown = ToolDef(tool)
    return ToolDef(recorded, shown.name, shown.description, shown.parameters, parallel=False, viewer=shown.viewer)


async def _recorded(name: str, arguments: dict[str, str], use: Callable[[], Awaitable[object]]) -> str:
    async def perform() -> Reply:
        try:
            return Reply(str(await use()), "stop")
        except TimeoutError:
            return Reply(f"The command was stopped after {TOOL_SECONDS} seconds.", "timeout")
        except OutputLimitExceededError as error:
            shown = f"The command was stopped: it wrote more than {error.limit_str}. It began with:\n"
            return Reply(shown + (error.truncated_output or ""), "limit")
        except SandboxUnavailableError as error:
            return Reply(str(error), "sandbox")
        except (UnicodeDecodeError, OSError) as error:
            return Reply(str(error), "failed")

    reply = await current.get().use(name, arguments, perform)
    if reply.finish == "stop":
        return reply.text
    # The same words, live or replayed.
    raise ToolError(reply.text)


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
            wished = _wished(input, tool_choice if tools else "auto", config)
            reply = await going.ask(tuple(map(to_message, input)), tuple(map(_to_tool, tools)), wished)
        except TimeOver:
            raise LimitExceededError("time", value=going.seconds, limit=going.most_seconds) from None
        return _to_output(reply, tools, self.model_name)

    def max_connections(self) -> int:
        """More than are ever asked at once: how many runs there are is ours to say."""
        return 1000


_PARAMETERS = frozenset(
    {"top_p", "seed", "frequency_penalty", "presence_penalty", "parallel_tool_calls", "reasoning_effort"}
)
"""What litellm calls as Inspect does."""
_OURS = frozenset(
    {
        "max_retries", "timeout", "attempt_timeout", "stream_idle_timeout", "max_connections", "adaptive_connections",
        "system_message", "internal_tools", "max_tool_output", "cache", "cache_prompt", "batch", "reasoning_summary",
        "reasoning_history",
    }
)  # fmt: skip
"""What changes nothing of what is asked, or Inspect has done already."""


def _wished(messages: list[ChatMessage], tool_choice: ToolChoice, config: GenerateConfig) -> Wished:
    """Return how a task wants the model to be asked."""
    parameters: dict[str, Any] = {}
    unmet = [
        f"{name}={value}" for name in ("num_choices", "best_of") if (value := getattr(config, name)) not in {None, 1}
    ]
    for name, value in config.model_dump(exclude_none=True).items():
        if name in _PARAMETERS:
            parameters[name] = value
        elif name == "stop_seqs":
            parameters["stop"] = json.dumps(value)
        elif value is not False and name not in {"temperature", "max_tokens", "num_choices", "best_of", *_OURS}:
            unmet.append(f"{name}={str(value)[:40]}")
    if tool_choice != "auto":
        parameters["tool_choice"] = (
            json.dumps({"type": "function", "function": {"name": tool_choice.name}})
            if isinstance(tool_choice, ToolFunction)
            else {"any": "required"}.get(tool_choice, tool_choice)
        )
    parts = {part.type for message in messages if not isinstance(message.content, str) for part in message.content}
    unmet += [f"messages with {kind} in them" for kind in sorted(parts - {"text", "reasoning"})]
    return Wished(config.temperature, config.max_tokens, parameters, tuple(unmet))


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
