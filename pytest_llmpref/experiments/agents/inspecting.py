"""What Inspect is given: a provider that asks our ChatModel, tools whose results are recorded, and sandboxes."""

import asyncio
import contextlib
import functools
import json
import logging
import os
import shutil
import warnings
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar

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
    ExecResult,
    LimitExceededError,
    OutputLimitExceededError,
    SandboxEnvironment,
    sandboxenv,
)
from inspect_ai.util._sandbox.environment import SandboxUnavailableError, SandboxUserUnsupportedError
from inspect_ai.util._sandbox.registry import registry_find_sandboxenv

from pytest_llmpref.experiments.agents.bubblewrap import Confined, NoSandboxError, SandboxDiedError
from pytest_llmpref.experiments.agents.run import Going, TimeOver, Wished
from pytest_llmpref.models.chat import Message, Reply, Tool, ToolCall, whole_text

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


Kind = Literal["docker", "bubblewrap"]
NO_LIMIT = 600
"""Seconds that a command may take where nobody sets a limit."""
_HOME = PurePosixPath("/root")
_T = TypeVar("_T")


class SandboxWarning(UserWarning):
    """A sandbox confines agents less on this host than it can on others."""


async def find_sandbox(wanted: str) -> Kind:
    """Return what confines agents here: what is wanted, or for ``auto`` Docker, else bubblewrap.

    Raises
    ------
    NoSandboxError
        If there is none. Nothing runs unconfined then.
    """
    faults = []
    if wanted in {"auto", "docker"}:
        if (fault := await _docker_fault()) is None:
            return "docker"
        faults.append(f"Docker: {fault}")
    if wanted in {"auto", "bubblewrap"}:
        try:
            confined = await Confined.start()
            await confined.close()
            _say_once(confined.gaps)
        except NoSandboxError as error:
            faults.append(str(error))
        else:
            return "bubblewrap"
    raise NoSandboxError(f"agents run commands that a model wrote, and nothing here confines them: {'; '.join(faults)}")


async def check_sandbox(kind: str, shown: str) -> None:
    """Make sure that the sandbox which a task of Inspect's wants is there; the task's user chose it.

    Parameters
    ----------
    kind
        Of sandbox.
    shown
        The task's name, for messages.

    Raises
    ------
    NoSandboxError
        If it is not there.
    """
    fault = None
    if kind == "docker":
        fault = await _docker_fault()
    elif kind == "bubblewrap":
        await find_sandbox(kind)
    elif kind == "local":
        _say_unconfined(shown)
    else:
        try:
            registry_find_sandboxenv(kind)
        except ValueError as error:
            fault = str(error)
    if fault is not None:
        raise NoSandboxError(f"{shown} wants a sandbox of kind {kind}: {fault}")


@functools.cache
def _say_unconfined(shown: str) -> None:
    warnings.warn(
        f"{shown} runs commands that a model wrote on this machine, and nothing confines them: its sandbox is 'local'",
        SandboxWarning,
        stacklevel=3,
    )


@functools.cache
def _say_once(gaps: tuple[str, ...]) -> None:
    if gaps:
        warnings.warn(
            f"the bubblewrap sandbox enforces less on this host: {'; '.join(gaps)}", SandboxWarning, stacklevel=3
        )


async def _docker_fault() -> str | None:
    if shutil.which("docker") is None:
        return "not installed"
    asking = await asyncio.create_subprocess_exec(
        "docker",
        "info",
        "--format",
        "{{.ServerVersion}}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            await asking.communicate()
    except TimeoutError:
        asking.kill()
        return "its engine does not answer"
    return None if asking.returncode == 0 else "its engine does not run"


@sandboxenv(name="bubblewrap")
class BubblewrapSandbox(SandboxEnvironment):  # type: ignore[misc]
    """A sandbox of Inspect's around `Confined`.

    One that dies is replaced by a new one that holds the task's files, and the call that it died in fails.
    """

    def __init__(self, confined: Confined) -> None:
        super().__init__()
        self._confined = confined
        self._files: dict[str, bytes] = {}

    @classmethod
    async def sample_init(cls, task_name: str, config: Any, metadata: dict[str, str]) -> dict[str, SandboxEnvironment]:
        """Start a sandbox for one run."""
        return {"default": cls(await Confined.start())}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: Any,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        for environment in environments.values():
            await environment._confined.close()  # noqa: SLF001 - own class

    @classmethod
    def default_concurrency(cls) -> int | None:
        """As many as there are processors: what runs in them computes."""
        return os.cpu_count()

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> "ExecResult[str]":
        if user not in {None, "root", "0"}:
            raise SandboxUserUnsupportedError(f"there is no user {user!r} in a bubblewrap sandbox, only root")
        # What is no text at all is for the command to complain of.
        given = input.encode(errors="surrogatepass") if isinstance(input, str) else input or b""
        folder = str(_HOME / (cwd or ""))
        done = await self._or_replaced(
            self._confined.execute(cmd, timeout or NO_LIMIT, given=given, cwd=folder, env=env)
        )
        stdout, stderr = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        if done.ended == "time":
            raise TimeoutError
        if done.ended == "output":
            raise OutputLimitExceededError(limit_str="1 MiB", truncated_output=stdout or stderr)
        return ExecResult(done.returncode == 0, done.returncode, stdout, stderr)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        written = contents.encode() if isinstance(contents, str) else contents
        await self._or_replaced(self._confined.write(str(_HOME / file), written))
        self._files[str(_HOME / file)] = written

    async def read_file(self, file: str, text: bool = True) -> Any:
        contents, whole = await self._or_replaced(self._confined.read(str(_HOME / file)))
        if not whole:
            raise OutputLimitExceededError(limit_str="1 MiB", truncated_output=None)
        return contents.decode() if text else contents

    async def _or_replaced(self, call: Awaitable[_T]) -> _T:
        """Return what comes of a call to the sandbox.

        Raises
        ------
        SandboxUnavailableError
            If the sandbox died in it. The run goes on in a new one.
        """
        try:
            return await call
        except SandboxDiedError as error:
            await self._replace()
            raise SandboxUnavailableError(f"{error}; the new one holds nothing but the task's files") from None

    async def _replace(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            await self._confined.close()
        try:
            self._confined = await Confined.start()
            for file, contents in self._files.items():
                await self._confined.write(file, contents)
        except (NoSandboxError, SandboxDiedError, OSError) as error:
            logging.getLogger(__name__).warning("no new sandbox: %s", error)
