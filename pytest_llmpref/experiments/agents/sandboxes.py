"""The sandboxes that agents work in: which there are here, and bubblewrap as one of Inspect's."""

import asyncio
import contextlib
import functools
import logging
import os
import shutil
import warnings
from collections.abc import Awaitable
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar

from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    sandboxenv,
)
from inspect_ai.util._sandbox.environment import SandboxUnavailableError, SandboxUserUnsupportedError
from inspect_ai.util._sandbox.registry import registry_find_sandboxenv

from pytest_llmpref.experiments.agents.bubblewrap import Confined, NoSandboxError, SandboxDiedError

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
