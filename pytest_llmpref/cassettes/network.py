"""Refuse connections while only recordings may answer."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import NoReturn

from pytest_llmpref.cassettes.errors import NetworkRefusedError

Address = tuple[str, int] | tuple[str, int, int, int] | str | bytes

_CONNECT = socket.socket.connect
_CONNECT_EX = socket.socket.connect_ex
_alone = threading.Lock()
_refusing = 0


@contextlib.contextmanager
def refuse_sockets() -> Iterator[None]:
    """Make every attempt to connect over a network, to this machine too, raise `NetworkRefusedError`.

    Unix domain sockets and socket pairs, which event loops and worker processes need, are left alone. May be nested,
    and entered from several threads; applies to the whole process until the last one has left.

    Raises
    ------
    NetworkRefusedError
        Not here, but from the attempt to connect.
    """
    global _refusing  # noqa: PLW0603 - the sockets of a process are one thing, so is the switch
    with _alone:
        _refusing += 1
        if _refusing == 1:
            socket.socket.connect = _connect  # type: ignore[method-assign, assignment]
            socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        with _alone:
            _refusing -= 1
            if _refusing == 0:
                socket.socket.connect = _CONNECT  # type: ignore[method-assign]
                socket.socket.connect_ex = _CONNECT_EX  # type: ignore[method-assign]


def _connect(self: socket.socket, address: Address) -> None:
    if _is_network(self):
        _refuse(address)
    _CONNECT(self, address)


def _connect_ex(self: socket.socket, address: Address) -> int:
    if _is_network(self):
        _refuse(address)
    return _CONNECT_EX(self, address)


def _is_network(opened: socket.socket) -> bool:
    return opened.family in (socket.AF_INET, socket.AF_INET6)


def _refuse(address: object) -> NoReturn:
    raise NetworkRefusedError(
        f"record mode none: no network, but something tried to connect to {address!r}; "
        "record what is missing with --record-mode new_episodes"
    )
