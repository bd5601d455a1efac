"""Let the workers of pytest-xdist begin as copies too, in a run that is itself a copy (`fork_server`).

A worker that Python starts anew imports for a second what the run has imported already, or for four seconds with
litellm among it, and each run has two of them. A copy of the run cannot serve: it has loaded its plugins and its
options by then. So the run leaves a copy of itself behind before it begins, the nursery, which makes a copy for each
worker. All of them order sets of strings alike, which workers begun anew do not: `test_workers` begins them anew.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from pathlib import Path

IS_POSSIBLE = hasattr(os, "pidfd_open")
"""Whether the system tells of the end of a process that is not a child."""


class _Worker:
    """As much of `subprocess.Popen` as execnet asks for."""

    def __init__(self, nursery: socket.socket) -> None:
        stdin, to_worker = os.pipe()
        from_worker, stdout = os.pipe()
        self.stdin, self.stdout = os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb")
        order = json.dumps({"variables": dict(os.environ), "folder": str(Path.cwd())}).encode()
        socket.send_fds(nursery, [len(order).to_bytes(8, "big")], [stdin, stdout])
        nursery.sendall(order)
        self.pid = int.from_bytes(_received(nursery, 8), "big")
        self._ended = os.pidfd_open(self.pid)
        os.close(stdin)
        os.close(stdout)

    def wait(self) -> None:
        select.select([self._ended], [], [])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def copy_workers(end: Callable[[int], None]) -> None:
    """Leave a nursery behind, and have execnet begin each worker of this run there.

    Parameters
    ----------
    end
        Ends a process with a status.
    """
    from execnet import gateway_io

    ours, theirs = socket.socketpair()
    if not (nursery := os.fork()):
        ours.close()
        _nurse(theirs, end)
    theirs.close()

    @atexit.register
    def close() -> None:
        # Not only closed: a process that the run forked may hold it too.
        ours.shutdown(socket.SHUT_RDWR)
        ours.close()
        os.waitpid(nursery, 0)

    def begin(self, _args: list[str], execmodel: object) -> None:
        self.popen = _Worker(ours)
        super(gateway_io.Popen2IOMaster, self).__init__(self.popen.stdin, self.popen.stdout, execmodel=execmodel)

    gateway_io.Popen2IOMaster.__init__ = begin


def _nurse(orders: socket.socket, end: Callable[[int], None]) -> None:
    """Make a copy for each order, until the run ends."""
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        size, pipes, _, _ = socket.recv_fds(orders, 8, 2)
        if not size:
            os._exit(0)
        order = json.loads(_received(orders, int.from_bytes(size, "big")))
        if not (process := os.fork()):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, on_interrupt)
            orders.close()
            try:
                _work(pipes, **order)
            except BaseException:  # noqa: BLE001 - else the worker would go on as the run itself
                traceback.print_exc()
                end(1)
            end(0)
        for pipe in pipes:
            os.close(pipe)
        orders.sendall(process.to_bytes(8, "big"))


def _work(pipes: list[int], variables: Mapping[str, str], folder: str) -> None:
    """Become what ``python -c`` starts for execnet."""
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = ["-c"]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(eval(sys.stdin.readline()), main.__dict__)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _received(sender: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := sender.recv(size - len(found))):
        found += more
    return found
