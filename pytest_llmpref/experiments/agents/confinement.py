"""What confines a sandbox besides bubblewrap: a filter of system calls, a memory limit, typed answers from inside.

The memory limit is a control group's. A process may not make a group beside its own, which nobody delegated to it.
systemd's manager may: that of the user, in a session, or that of the system, as root.

The filter allows every system call that is not named here. Four kinds of call are refused: those that reach what lies
outside the sandbox's namespaces (the kernel's keys and log, a virtual machine's sockets, another process's files),
those that hold memory which no limit of a process counts, those that open new ways past the filter or into the kernel,
and those that limit the supervisor.
"""

import asyncio
import errno
import functools
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import msgspec

Ended = Literal["by itself", "time", "output"]


class Ready(msgspec.Struct, frozen=True, tag="ready", forbid_unknown_fields=True):
    """A supervisor's first words; ``gaps`` is what it could not enforce."""

    gaps: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer of a supervisor's; ``id`` is that of the question, which nobody else knows."""

    id: str


class Executed(Answer, frozen=True, tag="executed"):
    """What came of a command."""

    returncode: Annotated[int, msgspec.Meta(ge=-255, le=255)]
    stdout: bytes
    stderr: bytes
    ended: Ended


class Written(Answer, frozen=True, tag="written"):
    """A file is written."""


class Contents(Answer, frozen=True, tag="contents"):
    """The beginning of a file, and whether that is all of it."""

    contents: bytes
    whole: bool


class Fault(Answer, frozen=True, tag="fault"):
    """An error of the operating system, inside the sandbox."""

    errno: int
    error: str
    file: str


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


_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Codes of classic BPF's instructions, as `linux/bpf_common.h` composes them."""
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Where they are in `struct seccomp_data`, of both processors, which are little-endian."""
_X32 = 0x40000000
"""Numbers from here on are the x32 calls of an x86-64 kernel: another name for every call."""

_NAMESPACES = 0x7E020000
"""`CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID` and `NEWNET`."""
_NEW_TIME = 0x80
"""`CLONE_NEWTIME`; to `clone` the same bit is part of a signal's number."""
_FAMILIES = (1, 2, 10, 16)
"""Sockets that there may be: Unix, IPv4, IPv6, netlink. The network namespace confines these, and not VSOCK."""


class _Calls(NamedTuple):
    """Numbers of system calls on one processor.

    ``sockets`` are `socket` and `socketpair`. ``on_others`` limit or slow down the process that the first argument
    names. ``refused`` has the error that each is answered with.
    """

    architecture: int
    keyctl: int
    clone: int
    unshare: int
    sockets: tuple[int, int]
    on_others: tuple[int, ...]
    refused: dict[str, tuple[int, int]]


_REFUSED = {
    # Keys belong to a user and a session, and no namespace confines them.
    "add_key": (248, 217, errno.EPERM),
    "request_key": (249, 218, errno.EPERM),
    "keyctl": (250, 219, errno.EPERM),
    "pidfd_getfd": (438, 438, errno.EPERM),
    "setns": (308, 268, errno.EPERM),
    # Memory that outlives the process that asked for it, or that none is charged with.
    "memfd_create": (319, 279, errno.ENOSYS),
    "memfd_secret": (447, 447, errno.ENOSYS),
    "shmget": (29, 194, errno.ENOSYS),
    "semget": (64, 190, errno.ENOSYS),
    "msgget": (68, 186, errno.ENOSYS),
    "mq_open": (240, 180, errno.ENOSYS),
    # What it does passes no filter.
    "io_uring_setup": (425, 425, errno.ENOSYS),
    # Its flags lie in memory, where no filter sees them. The C library takes `clone` where it is missing.
    "clone3": (435, 435, errno.ENOSYS),
    # Nothing that a task needs, and a frequent way into the kernel.
    "bpf": (321, 280, errno.EPERM),
    "perf_event_open": (298, 241, errno.EPERM),
    "userfaultfd": (323, 282, errno.EPERM),
    # Some hosts let everybody read the kernel's log.
    "syslog": (103, 116, errno.EPERM),
}
"""Call -> its number on x86-64, on 64-bit ARM, and the error."""

_PROCESSORS = {
    "x86_64": _Calls(
        0xC000003E,
        keyctl=250,
        clone=56,
        unshare=272,
        sockets=(41, 53),
        on_others=(302, 203, 144, 142, 314),
        refused={name: (x86, error) for name, (x86, _, error) in _REFUSED.items()},
    ),
    "aarch64": _Calls(
        0xC00000B7,
        keyctl=219,
        clone=220,
        unshare=97,
        sockets=(198, 199),
        on_others=(261, 122, 119, 118, 274),
        refused={name: (arm, error) for name, (_, arm, error) in _REFUSED.items()},
    ),
}
"""``on_others``: `prlimit64`, `sched_setaffinity`, `sched_setscheduler`, `sched_setparam` and `sched_setattr`."""


def keyctl_number(machine: str) -> int:
    """Return the number of `keyctl` on a processor.

    Raises
    ------
    LookupError
        As `filter_program`.
    """
    return _of(machine).keyctl


def filter_program(machine: str) -> bytes:
    """Return the filter for a processor, as an array of `struct sock_filter`.

    Parameters
    ----------
    machine
        As in `os.uname`.

    Raises
    ------
    LookupError
        If its system calls are not known here.
    """
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in _instructions(_of(machine)))


def _of(machine: str) -> _Calls:
    if (calls := _PROCESSORS.get(machine)) is None:
        known = " and ".join(_PROCESSORS)
        raise LookupError(f"no filter of system calls for the processor {machine!r}, only for {known}; use Docker")
    return calls


def _instructions(calls: _Calls) -> Iterator[tuple[int, int, int, int]]:
    """Yield instructions: code, how many to skip if true, how many if false, value."""
    yield _LOAD, 0, 0, _ARCHITECTURE
    # 32-bit programs have numbers of their own: they are not run at all.
    yield _EQUAL, 1, 0, calls.architecture
    yield _RETURN, 0, 0, _REFUSE | errno.ENOSYS
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _RETURN, 0, 0, _REFUSE | errno.ENOSYS
    for number, error in calls.refused.values():
        yield _EQUAL, 0, 1, number
        yield _RETURN, 0, 0, _REFUSE | error
    for number, bits in ((calls.clone, _NAMESPACES), (calls.unshare, _NAMESPACES | _NEW_TIME)):
        yield _EQUAL, 0, 4, number
        yield _LOAD, 0, 0, _FIRST_ARGUMENT
        yield _ANY_BIT, 0, 1, bits
        yield _RETURN, 0, 0, _REFUSE | errno.EPERM
        yield _RETURN, 0, 0, _ALLOW
    for number in calls.on_others:
        # The supervisor's, which is the first process here, and has the user of the agent's commands.
        yield _EQUAL, 0, 4, number
        yield _LOAD, 0, 0, _FIRST_ARGUMENT
        yield _EQUAL, 0, 1, 1
        yield _RETURN, 0, 0, _REFUSE | errno.EPERM
        yield _RETURN, 0, 0, _ALLOW
    yield _EQUAL, 1, 0, calls.sockets[0]
    yield _EQUAL, 0, len(_FAMILIES) + 2, calls.sockets[1]
    yield _LOAD, 0, 0, _FIRST_ARGUMENT
    for place, family in enumerate(_FAMILIES):
        yield _EQUAL, len(_FAMILIES) - place, 0, family
    yield _RETURN, 0, 0, _REFUSE | errno.EAFNOSUPPORT
    yield _RETURN, 0, 0, _ALLOW
