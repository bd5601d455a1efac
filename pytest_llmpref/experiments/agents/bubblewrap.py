"""Confinement by bubblewrap: a process that sees nothing of the machine but its programs, and reaches nobody.

Own user, process, network (none), mount, IPC and host name namespaces; a read-only root with the system's programs and
Python's standard library; an empty environment; scratch folders in memory, of limited size and number of files; limits
on memory, processes, files, output and time; a filter of system calls.

What it promises, and what it does not
--------------------------------------
It promises on every host, or does not start:

- No file, process, environment variable or network of the machine is in reach. Neither are the kernel's keys, virtual
  machine sockets (VSOCK), or the files that another process holds open. No new namespace can be made.
- Only programs of the machine's own kind run: 64-bit x86 or ARM.
- Nothing that a command started, and no memory that it took, is left when the command is over, but for what it wrote
  to the scratch folders. Those end with the run. There are no memfds, and no System V or POSIX shared memory but files.
- An answer that this process takes is the supervisor's own. Whatever does not fit what was asked ends the sandbox,
  a new one takes its place, and the agent reads that its call failed: its own failure, never a missing run.

It promises where the host allows it, and `Confined.gaps` lists what the host does not allow:

- A hard limit of all memory, that of the kernel for sockets, pipes and page tables included, needs a control group,
  which `systemd-run` makes: in a user's session, or as root. Without one (in most containers) each process is limited
  by the kernel, and their sum is looked at four times a second: for so long it can be exceeded. Not counted then is
  memory of the kernel, nor shared memory of a process whose maps the user may not read.
- The number of files is not limited where a security module forbids capabilities inside a user namespace.

It does not promise:

- To withstand a fault of the kernel. Agents run on the machine's own kernel; a virtual machine of their own is safer.
- A share of the processor, or of the disk's bandwidth: an agent may keep as many processors busy as there are.
- To hide the kernel's version, the processors, the load, or which programs the machine has.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.agents.confinement import (
    NOBODY,
    Contents,
    Executed,
    Fault,
    Ready,
    Written,
    filter_program,
    group_command,
    keyctl_number,
)

_MIB = 1024**2
_SLACK = 10.0
"""Seconds beyond a command's own time after which a sandbox that does not answer counts as dead."""
_WATCH = 0.25
"""Seconds between two looks at a sandbox's memory."""
_KEYS = ("/proc/keys", "/proc/key-users")
"""What the kernel tells of its keys to everybody."""


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
    files
        Files, folders and links that fit into each of them.
    """

    memory: int = 1024 * _MIB
    processes: int = 64
    output: int = _MIB
    scratch: dict[str, int] = field(
        default_factory=lambda: {"/root": 64 * _MIB, "/tmp": 64 * _MIB, "/shared_files": 64 * _MIB, "/dev/shm": _MIB}  # noqa: S108 - inside the sandbox
    )
    files: int = 16_384

    @property
    def of_all(self) -> int:
        """Bytes that a control group holds all of a sandbox to: its supervisor and what the kernel needs included."""
        return self.memory + sum(self.scratch.values()) + 64 * _MIB

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
            "MSGQUEUE": 0,
        }


_A = TypeVar("_A", Executed, Written, Contents)


class Confined:
    """A running sandbox. Use `start`, and `close` it.

    It ends with the thread that started it, however that ends.

    Attributes
    ----------
    gaps
        What this host does not allow to enforce, each in words. See the module.
    """

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self.gaps: tuple[str, ...] = ()
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
        group = await group_command(limits.of_all, limits.processes)
        as_nobody = os.geteuid() == 0 and not group.command
        process = await asyncio.create_subprocess_exec(
            *group.command,
            program,
            *arguments(limits),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=8 * limits.output,
            # Not even what bubblewrap itself is started with can be read from inside.
            env={"PATH": "/usr/bin:/bin", **group.environment},
            cwd="/",
            user=NOBODY if as_nobody else None,
            group=NOBODY if as_nobody else None,
            extra_groups=[] if as_nobody else None,
        )
        started = cls(process, limits)
        try:
            async with asyncio.timeout(30):
                ready = msgspec.json.decode(await process.stdout.readline(), type=Ready)  # type: ignore[union-attr]
        except (TimeoutError, ValueError):
            await started.close()
            said = (await process.stderr.read(2000)).decode(errors="replace").strip()  # type: ignore[union-attr]
            raise NoSandboxError(f"bubblewrap cannot confine anything here: {said or 'it does not answer'}") from None
        started.gaps = tuple(gap for gap in (group.gap, *ready.gaps) if gap)
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
        done = await self._ask(asked, Executed, seconds + _SLACK)
        if self._over_memory:
            said = f"Killed: more than {self._limits.memory // _MIB} MiB of memory\n".encode()
            return msgspec.structs.replace(done, stderr=done.stderr + said)
        return done

    async def write(self, file: str, contents: bytes) -> None:
        """Write a file.

        Raises
        ------
        OSError
            As inside the sandbox.
        SandboxDiedError
            If the sandbox ended.
        """
        await self._ask({"do": "write", "file": file, "contents": base64.b64encode(contents).decode()}, Written, 60)

    async def read(self, file: str) -> tuple[bytes, bool]:
        """Return the beginning of a file, as much as a command may write, and whether that is all of it.

        Raises
        ------
        OSError
            As inside the sandbox.
        SandboxDiedError
            If the sandbox ended.
        """
        answer = await self._ask({"do": "read", "file": file, "limit": self._limits.output}, Contents, 60)
        return answer.contents, answer.whole

    async def close(self) -> None:
        """End the sandbox and all that is in it."""
        if self._watching is not None:
            self._watching.cancel()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _ask(self, asked: dict[str, Any], expected: type[_A], seconds: float) -> _A:
        asked |= {"id": secrets.token_hex(16)}
        async with self._alone:
            try:
                async with asyncio.timeout(seconds):
                    self._process.stdin.write(json.dumps(asked).encode() + b"\n")  # type: ignore[union-attr]
                    await self._process.stdin.drain()  # type: ignore[union-attr]
                    line = await self._process.stdout.readline()  # type: ignore[union-attr]
                answer = self._checked(line, expected, asked["id"])
            except (TimeoutError, OSError, ValueError) as error:
                await self.close()
                raise SandboxDiedError(f"the sandbox died ({type(error).__name__})") from None
            except asyncio.CancelledError:
                # Its answer would be taken for that of the next question.
                await self.close()
                raise
        if isinstance(answer, Fault):
            raise OSError(answer.errno, answer.error, answer.file)
        return answer

    def _checked(self, line: bytes, expected: type[_A], question: str) -> _A | Fault:
        """Return a supervisor's answer.

        Raises
        ------
        ValueError
            If it is none: of the wrong kind, too long, or not to this question.
        """
        answer: _A | Fault = msgspec.json.decode(line, type=expected | Fault)
        if not secrets.compare_digest(answer.id.encode(), question.encode()):
            raise ValueError("an answer to another question")
        streams = (getattr(answer, name, b"") for name in ("stdout", "stderr", "contents"))
        if any(len(stream) > self._limits.output for stream in streams):
            raise ValueError("an answer longer than was asked for")
        return answer

    async def _watch(self) -> None:
        """Kill the command, and leave the sandbox, when its processes together use more than their memory."""
        while True:
            with contextlib.suppress(psutil.Error):
                processes = list(self._commands())
                if _memory_of(processes) > self._limits.memory:
                    self._over_memory = True
                    for process in processes:
                        with contextlib.suppress(psutil.Error):
                            process.kill()
            await asyncio.sleep(_WATCH)

    def _commands(self) -> Iterator[psutil.Process]:
        """Yield the processes of the agent's commands: not bubblewrap and the supervisor, which inherits orphans."""
        for supervisor in psutil.Process(self._process.pid).children():
            yield from supervisor.children(recursive=True)


def _memory_of(processes: Sequence[psutil.Process]) -> int:
    """Return the bytes that processes use together, with the shared memory that they could fill.

    Pages of shared memory stay when a process lets go of them, and are then counted for nobody: so its whole size is.
    """
    private = resident = 0
    sizes = dict[str, int]()
    for process in processes:
        used = process.memory_info()
        private += used.rss - used.shared
        resident += used.shared
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/maps").read_text("utf-8", "replace").splitlines():
                place, rights, offset, _, inode, *name = line.split(maxsplit=5)
                if rights.endswith("s") and name == ["/dev/zero (deleted)"]:
                    start, end = (int(bound, 16) for bound in place.split("-"))
                    sizes[inode] = max(sizes.get(inode, 0), int(offset, 16) + end - start)
    return private + max(resident, sum(sizes.values()))


def arguments(limits: Limits) -> list[str]:
    """Return bubblewrap's arguments.

    Raises
    ------
    NoSandboxError
        If there is no Python that a sandbox could show, or no filter for this processor.
    """
    python, prefix = _python()
    machine = os.uname().machine
    try:
        settings = {
            "limits": limits.of_processes,
            "files": dict.fromkeys(limits.scratch, limits.files),
            "keyctl": keyctl_number(machine),
            "filter": base64.b64encode(filter_program(machine)).decode(),
        }
    except LookupError as error:
        raise NoSandboxError(str(error)) from None
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
        # The supervisor is the first process: nothing inside can end it.
        *("--unshare-all", "--unshare-user", "--as-pid-1", "--die-with-parent", "--new-session"),
        *("--uid", "0", "--gid", "0", "--hostname", "sandbox", "--clearenv"),
        # It needs these to limit the number of files, and gives them up before it runs anything.
        *("--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP"),
        *shown,
        *("--remount-ro", "/usr/local", "--remount-ro", "/usr/src", "--proc", "/proc", "--dev", "/dev"),
        *(part for file in _KEYS if Path(file).exists() for part in ("--ro-bind", "/dev/null", file)),
        *writable,
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--setenv", "PATH", f"{prefix}/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
        *("--setenv", "HOME", "/root", "--setenv", "LANG", "C.UTF-8", "--chdir", "/root"),
        *("--", str(python), "-I", "-S", "-c", _supervisor(), json.dumps(settings)),
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
