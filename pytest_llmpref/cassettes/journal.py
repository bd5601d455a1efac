"""Appending lines to a file that other processes append to as well."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from pytest_llmpref.files import append, open_descriptor

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FLAGS = os.O_APPEND | os.O_CREAT | os.O_RDWR


@contextlib.contextmanager
def locked(path: Path, *, remove: bool = False) -> Iterator[tuple[int, int]]:
    """Open a journal for appending, alone among all processes, for as long as it takes to write a line.

    The file is opened anew each time, so that no descriptor can outlive a `pack` by another process. POSIX locks the
    journal itself. Windows has no such lock that lets others read, so a file beside it is locked there.

    Parameters
    ----------
    path
        The journal; made where there is none.
    remove
        Whether to remove it at the end, unless there was an error: before anybody else can open it.

    Yields
    ------
    tuple
        A file descriptor, readable, and appending; and the file's size in bytes.
    """
    if fcntl is None:
        # Not one name for the locks of a journal and of its model: one holds the other.
        with FileLock(path.with_suffix(f".~{path.suffix[1:]}")):
            with _opened(path) as descriptor:
                yield descriptor, os.fstat(descriptor).st_size
            # Not before: Windows removes no file that is open.
            if remove:
                path.unlink()
        return
    while True:
        with _opened(path) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            status = os.fstat(descriptor)
            if not status.st_nlink:
                # Packed and removed by another process while this one waited.
                continue
            yield descriptor, status.st_size
            # Not later: whoever waits for the lock must find that the file is gone.
            if remove:
                path.unlink()
            return


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = open_descriptor(path, _FLAGS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def settled(path: Path) -> Iterator[None]:
    """Wait until no process is in the middle of a line; for readers, so nothing is made or changed."""
    descriptor = open_descriptor(path, os.O_RDONLY)
    try:
        if fcntl is not None:
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
