"""Control groups: a hard limit of all memory that a sandbox uses, where systemd makes one for us.

A process may not make a group beside its own, which nobody delegated to it. systemd's manager may: that of the user, in
a session, or that of the system, as root.
"""

import asyncio
import functools
import os
import shutil
import subprocess
from dataclasses import dataclass, field

NOBODY = 65534
"""Whom a sandbox runs as where we are root: the kernel does not limit root's processes."""
_OF_THE_SESSION = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""Where the user's manager is to be found."""
_TRIED = 64 * 1024**2
_READ_BACK = 'cat "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max"'
"""Prints the limit of memory of the group that it runs in. systemd makes groups without one where it may not limit."""


@dataclass(frozen=True, slots=True)
class Group:
    """How to start a program in a control group; where there is none, ``gap`` says why, and the rest is empty."""

    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    gap: str = ""


async def group_command(memory: int, processes: int) -> Group:
    """Return the beginning of a command line that limits what follows on it.

    Parameters
    ----------
    memory
        Bytes of everything, tmpfs and the kernel's own included.
    processes
        Processes and threads at once. Those around the sandbox come on top.
    """
    manager = shutil.which("systemd-run")
    fault = "systemd-run is not installed" if manager is None else await asyncio.to_thread(_fault, manager)
    if manager is None or fault:
        return Group(gap=f"no control group, so that the memory's limit is a watched one ({fault})")
    return Group((*_scope(manager, memory, processes + 8), *_as_nobody()), _environment())


def _scope(manager: str, memory: int, processes: int) -> tuple[str, ...]:
    whose = () if os.geteuid() == 0 else ("--user",)
    limits = (f"MemoryMax={memory}", "MemorySwapMax=0", f"TasksMax={processes}")
    return (manager, *whose, "--scope", "--quiet", "--collect", *(f"--property={limit}" for limit in limits), "--")


def _as_nobody() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _OF_THE_SESSION if name in os.environ}


@functools.cache
def _fault(manager: str) -> str:
    """Return why systemd makes no group here, found by having it make one; empty if it does."""
    try:
        tried = subprocess.run(  # noqa: S603 - systemd-run, as found
            [*_scope(manager, _TRIED, 8), *_as_nobody(), "sh", "-c", _READ_BACK],
            check=False,
            capture_output=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", **_environment()},
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = " ".join(tried.stderr.decode(errors="replace").split())
    if tried.returncode == 0 and tried.stdout.strip() == str(_TRIED).encode():
        return ""
    return said or "systemd may not limit memory here"
