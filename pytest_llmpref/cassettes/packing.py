"""The compressed file of a cassette: how its bytes come about, and how to tell that it was replaced."""

import gzip
import io
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pytest_llmpref.cassettes.interaction import Line
from pytest_llmpref.files import open_to_read, refuse_others, write_whole


def compressed(lines: Iterable[Line]) -> bytes:
    """Return lines as one gzip member, which depends on nothing else."""
    buffer = io.BytesIO()
    # Without a name and a time in its header, the file depends on its content alone.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        for line in lines:
            file.write(msgspec.json.encode(line) + b"\n")
    return buffer.getvalue()


_HEADER = compressed([])[:10]
"""With which each gzip member begins."""


def packings(packed: bytes) -> int:
    """Return how often a file was packed since it was written anew."""
    return packed.count(_HEADER)


def state(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced; ``None`` where there is no file."""
    status = refuse_others(path)
    return None if status is None else (status.st_ino, status.st_mtime_ns, status.st_size)


def read(path: Path) -> bytes:
    """Return a file's bytes."""
    with open_to_read(path) as file:
        return file.read()


def replace(path: Path, content: bytes) -> None:
    """Write a file so that at any time either the old or the new content is there, whole."""
    write_whole(path, content, f"{path.name}.{os.getpid()}.unfinished", durable=True)
