"""The agent's tools: Inspect's own, whose results are recorded."""

from collections.abc import Awaitable, Callable

from inspect_ai.tool import Tool, ToolDef, ToolError, bash, python
from inspect_ai.util import OutputLimitExceededError
from inspect_ai.util._sandbox.environment import SandboxUnavailableError

from pytest_llmpref.experiments.agents.provider import current
from pytest_llmpref.models.chat import Reply

TOOL_SECONDS = 60
"""Seconds that one command may take. Our choice."""


def recorded_tools() -> list[ToolDef]:
    """Return the tools that every agent has: a shell, and Python."""

    async def run_command(command: str) -> str:
        return await _recorded("bash", {"command": command}, lambda: bash(TOOL_SECONDS)(command))

    async def run_code(code: str) -> str:
        return await _recorded("python", {"code": code}, lambda: python(TOOL_SECONDS)(code))

    return [_like(bash(TOOL_SECONDS), run_command), _like(python(TOOL_SECONDS), run_code)]


def _like(tool: Tool, recorded: Callable[..., Awaitable[str]]) -> ToolDef:
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
