"""Appending lines to a file that other processes append to as well."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_llmpref.cassettes.errors import CassetteError

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
        descriptor = os.open(path, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o644)
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


def read_from(descriptor: int, offset: int) -> bytes:
    """Read a file from an offset, in bytes, to its end."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(offset)
        return file.read()


def set_tail_aside(descriptor: int, path: Path, tail: bytes) -> bool:
    """Move a cut-off last line to ``<path>.cut``, which keeps all that was ever set aside.

    Returns
    -------
    bool
        False where the folder cannot be written, so that the tail stays where it is.
    """
    try:
        with path.with_name(path.name + ".cut").open("ab") as file:
            file.write(tail + b"\n")
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - len(tail))
    except OSError:
        return False
    return True
