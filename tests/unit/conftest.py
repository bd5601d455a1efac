"""What holds a unit test to its promise: it starts no process and opens no connection.

Python tells of both by audit events, whoever starts or connects: the standard library, a package, or C code that it
calls. What is turned away is noted too, so that a test fails whose code swallows the error, or meets it in a thread.
"""

import multiprocessing.process
import socket
import sys
import threading
from collections.abc import Generator

import pytest

PROCESSES = frozenset(
    [
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    ]
)
LOOK_UPS = frozenset(["socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo"])
OF_A_SOCKET = frozenset(["socket.connect", "socket.sendmsg", "socket.sendto"])


def said_of(event: str, arguments: tuple) -> str | None:
    """What an event tells of that no unit test may do; ``None`` of any other."""
    if event in PROCESSES:
        return f"starts a process ({event}: {arguments[1] if event == 'subprocess.Popen' else arguments})"
    # Sockets of Unix reach nobody else: an event loop wakes itself up by a pair of them. Nor
    # does one that is bound: urllib3 binds one when it is imported, to see whether there is IPv6.
    if event in LOOK_UPS or (event in OF_A_SOCKET and arguments[0].family != getattr(socket, "AF_UNIX", None)):
        return f"reaches for the network ({event}: {arguments[0] if event in LOOK_UPS else arguments[1]})"
    return None


class Guard:
    """Turns away what a unit test may not do, and notes it, while a test is watched."""

    def __init__(self) -> None:
        self._noted: list[str] | None = None
        self._others: set[int | None] = set()

    def meet(self, event: str, arguments: tuple) -> None:
        """Hear of an audit event, from any thread."""
        if (
            self._noted is not None
            and threading.get_ident() not in self._others
            and (said := said_of(event, arguments))
        ):
            self.turn_away(said)

    def turn_away(self, said: str) -> None:
        if self._noted is not None:
            self._noted.append(said)
            pytest.fail(said)

    def begin(self) -> None:
        """Leave out the threads that tests of another folder left, which may still talk to somebody."""
        self._others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def watch(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch one phase of a test, and fail it for what was noted."""
        self._noted = []
        try:
            return (yield)
        finally:
            noted, self._noted = self._noted, None
            if noted:
                pytest.fail(f"{item.nodeid} {noted[0]}; move it to tests/integration", pytrace=False)


GUARD = Guard()
sys.addaudithook(GUARD.meet)

start = multiprocessing.process.BaseProcess.start


def refuse_to_start(self: multiprocessing.process.BaseProcess) -> None:
    """Stand in for ``start``: the method "spawn" forks in C, of which there is no audit event."""
    GUARD.turn_away(f"starts a process (multiprocessing: {self.name})")
    start(self)


multiprocessing.process.BaseProcess.start = refuse_to_start  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    GUARD.begin()
    return (yield from GUARD.watch(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from GUARD.watch(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from GUARD.watch(item))
