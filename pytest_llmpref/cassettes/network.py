"""Refuse connections while only recordings may answer."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from pytest_llmpref.cassettes.errors import NetworkRefusedError

Address = tuple[str, int] | tuple[str, int, int, int] | str | bytes

# Of the class itself, since pytest-socket puts another in its place while a test runs.
_SOCKET = socket.socket
_CONNECT = _SOCKET.connect
_CONNECT_EX = _SOCKET.connect_ex
_SOCKETPAIR = socket.socketpair
_alone = threading.Lock()
_refusing = 0
_pairing = threading.local()


@contextlib.contextmanager
def refuse_sockets() -> Iterator[None]:
    """Make every attempt to connect over a network, to this machine too, raise `NetworkRefusedError`.

    Unix domain sockets and socket pairs, which event loops and worker processes need, are left alone; on Windows a pair
    is two TCP sockets that connect to each other. May be nested, and entered from several threads; applies to the whole
    process until the last one has left.

    Raises
    ------
    NetworkRefusedError
        Not here, but from the attempt to connect.
    """
    global _refusing  # noqa: PLW0603 - the sockets of a process are one thing, so is the switch
    with _alone:
        _refusing += 1
        if _refusing == 1:
            _SOCKET.connect = _connect  # type: ignore[method-assign, assignment]
            _SOCKET.connect_ex = _connect_ex  # type: ignore[method-assign, assignment]
            socket.socketpair = _socketpair
    try:
        yield
    finally:
        with _alone:
            _refusing -= 1
            if _refusing == 0:
                _SOCKET.connect = _CONNECT  # type: ignore[method-assign]
                _SOCKET.connect_ex = _CONNECT_EX  # type: ignore[method-assign]
                socket.socketpair = _SOCKETPAIR


def _connect(self: socket.socket, address: Address) -> None:
    if _is_network(self):
        _refuse(address)
    _CONNECT(self, address)


def _connect_ex(self: socket.socket, address: Address) -> int:
    if _is_network(self):
        _refuse(address)
    return _CONNECT_EX(self, address)


def _socketpair(*arguments: Any, **named: Any) -> tuple[socket.socket, socket.socket]:  # noqa: ANN401 - as given
    """Make a pair; this thread may connect its two ends, and nothing else does so meanwhile."""
    _pairing.now = True
    try:
        return _SOCKETPAIR(*arguments, **named)
    finally:
        _pairing.now = False


def _is_network(opened: socket.socket) -> bool:
    return opened.family in (socket.AF_INET, socket.AF_INET6) and not getattr(_pairing, "now", False)


def _refuse(address: object) -> NoReturn:
    raise NetworkRefusedError(
        f"record mode none: no network, but something tried to connect to {address!r}; "
        "record what is missing with --record-mode new_episodes"
    )
