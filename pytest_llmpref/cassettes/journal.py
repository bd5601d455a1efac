"""Appending lines to a file that other processes append to as well."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_llmpref.cassettes.errors import CassetteError
from pytest_llmpref.files import append, open_descriptor

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def locked(path: Path) -> Iterator[tuple[int, int]]:
    """Open a journal for appending, alone among all processes, for as long as it takes to write a line.

    The file is opened anew each time, so that no descriptor can outlive a `pack` by another process. Windows has no
    such lock, so that it can only replay.

    Yields
    ------
    tuple
        A file descriptor, readable, and appending; and the file's size in bytes.

    Raises
    ------
    CassetteError
        On Windows.
    """
    if sys.platform == "win32":
        raise CassetteError(f"{path}: recording needs file locks of POSIX; record on Linux or macOS, replay anywhere")
    while True:
        descriptor = open_descriptor(path, os.O_APPEND | os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            status = os.fstat(descriptor)
            if not status.st_nlink:
                # Packed and removed by another process while this one waited.
                continue
            yield descriptor, status.st_size
            return
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def settled(path: Path) -> Iterator[None]:
    """Wait until no process is in the middle of a line; for readers, so nothing is made or changed."""
    descriptor = open_descriptor(path, os.O_RDONLY)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def read_from(descriptor: int, offset: int) -> bytes:
    """Read a file from an offset, in bytes, to its end."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(offset)
        return file.read()


def set_tail_aside(descriptor: int, path: Path, tail: bytes) -> None:
    """Move a cut-off last line to ``<path>.cut``; see `set_aside`."""
    set_aside(path, tail)
    os.ftruncate(descriptor, os.fstat(descriptor).st_size - len(tail))


def set_aside(path: Path, line: bytes) -> None:
    """Add a line that cannot be read to ``<path>.cut``, which keeps all that was ever set aside."""
    append(path.with_name(path.name + ".cut"), line + b"\n")
