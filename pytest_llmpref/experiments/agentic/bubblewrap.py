"""Confinement by bubblewrap: a process that sees nothing of the machine but its programs, and reaches nobody.

Own user, process, network (none), mount, IPC and host name namespaces; a read-only root with the system's programs and
Python's standard library; an empty environment; scratch folders in memory, of limited size; limits on memory,
processes, files, output and time. What it does not keep out is a fault of the kernel itself.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from pytest_llmpref.errors import LLMPrefError

NOBODY = 65534
"""Whom a sandbox runs as where we are root: the kernel does not limit root's processes."""
_MIB = 1024**2
_SLACK = 10.0
"""Seconds beyond a command's own time after which a sandbox that does not answer counts as dead."""
_WATCH = 0.25
"""Seconds between two looks at a sandbox's memory."""


class SandboxDiedError(LLMPrefError):
    """A sandbox ended, or no longer answers. The run in it goes on without it."""


class NoSandboxError(LLMPrefError):
    """There is nothing on this machine that confines an agent's commands, so that none may run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use. Our choice, beside each other so that all of it fits a small machine.

    Attributes
    ----------
    memory
        Bytes of all its processes together; each may also map no more than this.
    processes
        Processes and threads at once.
    output
        Bytes that one command may write to either of its streams.
    scratch
        Writable folder -> bytes that fit into it.
    """

    memory: int = 1024 * _MIB
    processes: int = 64
    output: int = _MIB
    scratch: dict[str, int] = field(
        default_factory=lambda: {"/root": 64 * _MIB, "/tmp": 64 * _MIB, "/shared_files": 64 * _MIB, "/dev/shm": _MIB}  # noqa: S108 - inside the sandbox
    )

    @property
    def of_processes(self) -> dict[str, int]:
        """The limits that the kernel holds each process to."""
        return {
            "AS": self.memory,
            "NPROC": self.processes,
            "FSIZE": max(self.scratch.values()),
            "NOFILE": 256,
            "CORE": 0,
            "MEMLOCK": 0,
        }


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of a command; ``ended`` is ``by itself``, ``time`` or ``output``."""

    returncode: int
    stdout: bytes
    stderr: bytes
    ended: str


class Confined:
    """A running sandbox. Use `start`, and `close` it.

    It ends with the thread that started it, however that ends.
    """

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._alone = asyncio.Lock()
        self._over_memory = False
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, limits: Limits | None = None) -> "Confined":
        """Start a sandbox.

        Raises
        ------
        NoSandboxError
            If bubblewrap is missing, or cannot confine anything here.
        """
        limits = limits or Limits()
        program = shutil.which("bwrap")
        if program is None:
            raise NoSandboxError("bubblewrap is not installed (apt-get install bubblewrap)")
        root = os.geteuid() == 0
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments(limits),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=8 * limits.output,
            # Not even what bubblewrap itself is started with can be read from inside.
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            user=NOBODY if root else None,
            group=NOBODY if root else None,
            extra_groups=[] if root else None,
        )
        started = cls(process, limits)
        try:
            async with asyncio.timeout(30):
                greeting = await process.stdout.readline()  # type: ignore[union-attr]
        except (TimeoutError, ValueError):
            greeting = b""
        if greeting.strip() != b"{}":
            await started.close()
            said = (await process.stderr.read(2000)).decode(errors="replace").strip()  # type: ignore[union-attr]
            raise NoSandboxError(f"bubblewrap cannot confine anything here: {said or 'it does not answer'}")
        started._watching = asyncio.create_task(started._watch())
        return started

    async def execute(
        self,
        cmd: list[str],
        seconds: float,
        *,
        given: bytes = b"",
        cwd: str = "/root",
        env: dict[str, str] | None = None,
    ) -> Executed:
        """Run a command to its end. Nothing that it started is left running after it.

        Raises
        ------
        SandboxDiedError
            If the sandbox ended, or does not answer in time.
        """
        asked = {"do": "execute", "cmd": cmd, "cwd": cwd, "env": env or {}, "timeout": seconds}
        asked |= {"input": base64.b64encode(given).decode(), "limit": self._limits.output}
        self._over_memory = False
        answer = await self._ask(asked, seconds + _SLACK)
        stderr = base64.b64decode(answer["stderr"])
        if self._over_memory:
            stderr += f"Killed: more than {self._limits.memory // _MIB} MiB of memory\n".encode()
        return Executed(answer["returncode"], base64.b64decode(answer["stdout"]), stderr, answer["ended"])

    async def write(self, file: str, contents: bytes) -> None:
        """Write a file.

        Raises
        ------
        OSError
            As inside the sandbox.
        SandboxDiedError
            If the sandbox ended.
        """
        _raise_errors(
            await self._ask({"do": "write", "file": file, "contents": base64.b64encode(contents).decode()}, 60)
        )

    async def read(self, file: str) -> tuple[bytes, bool]:
        """Return the beginning of a file, as much as a command may write, and whether that is all of it.

        Raises
        ------
        OSError
            As inside the sandbox.
        SandboxDiedError
            If the sandbox ended.
        """
        answer = _raise_errors(await self._ask({"do": "read", "file": file, "limit": self._limits.output}, 60))
        return base64.b64decode(answer["contents"]), answer["whole"]

    async def close(self) -> None:
        """End the sandbox and all that is in it."""
        if self._watching is not None:
            self._watching.cancel()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _ask(self, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
        async with self._alone:
            try:
                async with asyncio.timeout(seconds):
                    self._process.stdin.write(json.dumps(asked).encode() + b"\n")  # type: ignore[union-attr]
                    await self._process.stdin.drain()  # type: ignore[union-attr]
                    line = await self._process.stdout.readline()  # type: ignore[union-attr]
                answer: dict[str, Any] = msgspec.json.decode(line, type=dict)
            except (TimeoutError, OSError, ValueError) as error:
                await self.close()
                raise SandboxDiedError(f"the sandbox died ({type(error).__name__})") from None
            except asyncio.CancelledError:
                # Its answer would be taken for that of the next question.
                await self.close()
                raise
        return answer

    async def _watch(self) -> None:
        """Kill the command, and leave the sandbox, when its processes together use more than their memory."""
        while True:
            with contextlib.suppress(psutil.Error):
                used = [(process, process.memory_info().rss) for process in self._commands()]
                if sum(rss for _, rss in used) > self._limits.memory:
                    self._over_memory = True
                    for process, _ in used:
                        with contextlib.suppress(psutil.Error):
                            process.kill()
            await asyncio.sleep(_WATCH)

    def _commands(self) -> Iterator[psutil.Process]:
        """Yield the processes of the agent's commands: not bubblewrap, its first process, and the supervisor."""
        for first in psutil.Process(self._process.pid).children():
            supervisor, *left_behind = sorted(first.children(), key=psutil.Process.create_time)
            yield from supervisor.children(recursive=True)
            for process in left_behind:
                yield process
                yield from process.children(recursive=True)


def _raise_errors(answer: dict[str, Any]) -> dict[str, Any]:
    if "errno" in answer:
        raise OSError(answer["errno"], answer["error"], answer["file"])
    return answer


def arguments(limits: Limits) -> list[str]:
    """Return bubblewrap's arguments.

    Raises
    ------
    NoSandboxError
        If there is no Python that a sandbox could show.
    """
    python, prefix = _python()
    shown = ["--ro-bind", "/usr", "/usr", "--tmpfs", "/usr/local", "--tmpfs", "/usr/src"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        folder = Path("/") / name
        if folder.is_symlink():
            shown += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            shown += ["--ro-bind", str(folder), str(folder)]
    for path in ("/etc/alternatives", "/etc/ld.so.cache"):
        shown += ["--ro-bind-try", path, path]
    if prefix != Path("/usr"):
        shown += ["--ro-bind", str(prefix), str(prefix)]
    # Installed packages may hold the solutions of the tasks, ours and inspect-evals' among them.
    for packages in sorted({*_packages(Path("/usr")), *_packages(prefix)}):
        shown += ["--tmpfs", str(packages), "--remount-ro", str(packages)]
    writable = [part for folder, size in limits.scratch.items() for part in ("--size", str(size), "--tmpfs", folder)]
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--uid", "0", "--gid", "0", "--hostname", "sandbox", "--cap-drop", "ALL", "--clearenv"),
        *shown,
        *("--remount-ro", "/usr/local", "--remount-ro", "/usr/src", "--proc", "/proc", "--dev", "/dev"),
        *writable,
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--setenv", "PATH", f"{prefix}/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
        *("--setenv", "HOME", "/root", "--setenv", "LANG", "C.UTF-8", "--chdir", "/root"),
        *("--", str(python), "-I", "-S", "-c", _supervisor(), json.dumps(limits.of_processes)),
    ]


def _supervisor() -> str:
    return Path(__file__).with_name("supervisor.py").read_text(encoding="utf-8")


def _python() -> tuple[Path, Path]:
    """Return a Python interpreter, and the folder that has to be seen for it to run."""
    for prefix in (Path("/usr"), Path(sys.base_prefix)):
        if (python := prefix / "bin" / "python3").exists():
            return python, prefix
    raise NoSandboxError("no python3 in /usr/bin, which a sandbox needs; install the system's Python")


def _packages(prefix: Path) -> Iterator[Path]:
    for name in ("site-packages", "dist-packages"):
        yield from prefix.glob(f"lib*/python3*/{name}")
