"""Reading a cassette's lines, and saying exactly what is wrong with one."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pytest_llmpref.cassettes.errors import CassetteError
from pytest_llmpref.cassettes.interaction import FORMAT, Interaction, Line
from pytest_llmpref.cassettes.scrub import SCRUBBED
from pytest_llmpref.garbage import no_garbage_collection

_GzipFile: type[gzip.GzipFile] = gzip.GzipFile
_NOT_GZIP: tuple[type[Exception], ...] = (gzip.BadGzipFile, zlib.error)
try:
    from isal import igzip, isal_zlib
except ImportError:
    # Some systems lack it, such as Windows on ARM. The standard library gives the same bytes, in twice the time.
    pass
else:
    _GzipFile = igzip.IGzipFile
    _NOT_GZIP = (*_NOT_GZIP, isal_zlib.error)  # type: ignore[arg-type]  # its stub calls the class an instance

_Kind = TypeVar("_Kind", Interaction, Line)
_DECODERS: dict[type[Interaction | Line], msgspec.json.Decoder[Any]] = {
    Interaction: msgspec.json.Decoder(Interaction),
    Line: msgspec.json.Decoder(Line),
}
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

MOST_BYTES = 64 << 20
MOST_RATIO = 200
"""A packed file of a few bytes may hold this many bytes of lines, a larger one this many times its size. Recordings
shrink to about a twelfth, and a decompression bomb to a thousandth. Our choice."""

_PIECE = 1 << 20
"""Bytes that are decompressed at a time: few enough to stay near the processor."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from, for messages.

    Attributes
    ----------
    path
        The file.
    model
        The model whose interactions it must hold.
    first_line
        Number of the first line, from 1.
    """

    path: Path
    model: str
    first_line: int = 1

    def error(self, line: int, what: str) -> CassetteError:
        """Return an error about the line with this index, from 0."""
        return CassetteError(f"{self.path}:{self.first_line + line}: {what}; {self._fix}")

    def unreadable(self, what: str) -> CassetteError:
        """Return an error about the file."""
        return CassetteError(f"{self.path}: {what}; {self._fix}")

    @property
    def _fix(self) -> str:
        return (
            "restore the file from version control, or delete it and record again with: "
            f"pytest suites --model {self.model} --record-mode new_episodes"
        )


def decode_lines(lines: bytes, source: Source, kind: type[_Kind]) -> list[_Kind]:
    """Decode complete lines, and check that each key is that of its request.

    Raises
    ------
    CassetteError
        At the first line that is not an interaction of this model.
    """
    try:
        with no_garbage_collection():
            recorded: list[_Kind] = _DECODERS[kind].decode_lines(lines)
    except _UNREADABLE:
        raise _first_fault(lines, source, _DECODERS[kind]) from None
    for number, one in enumerate(recorded):
        wrong = fault(one, source.model)
        if wrong is not None:
            raise source.error(number, wrong)
    return recorded


def decode_packed(source: Source, kind: type[_Kind]) -> list[_Kind]:
    """Decode a compressed file.

    Raises
    ------
    CassetteError
        If it is not a gzip file, is cut off or corrupt, grows beyond all recordings, or holds a line that is not an
        interaction of this model.
    """
    recorded = list[_Kind]()
    try:
        for lines in _pieces(source.path):
            here = replace(source, first_line=len(recorded) + 1)
            if not lines.endswith(b"\n"):
                raise here.error(lines.count(b"\n"), "the last line is cut off")
            recorded += decode_lines(lines, here, kind)
    except EOFError:
        raise source.unreadable(f"truncated, somewhere after line {len(recorded)}") from None
    except OverflowError as error:
        raise source.unreadable(str(error)) from None
    except _NOT_GZIP as error:
        raise source.unreadable(f"not a readable gzip file ({error})") from None
    return recorded


def _pieces(path: Path) -> Iterator[bytes]:
    """Decompress a file in bounded memory; yield complete lines, some at a time, and last what is none."""
    size = path.stat().st_size
    room = max(MOST_BYTES, MOST_RATIO * size)
    if not size:
        raise EOFError
    with _GzipFile(path, "rb") as file:
        begun, read = b"", 0
        while piece := file.read(_PIECE):
            read += len(piece)
            if read > room:
                raise OverflowError(f"{size:,} bytes that grow to more than {room:,}, like no recording")
            end = piece.rfind(b"\n") + 1
            if end:
                yield begun + piece[:end]
                begun = piece[end:]
            else:
                begun += piece
    if begun:
        yield begun


def fault(recorded: Interaction | Line, model: str) -> str | None:
    """Return what is wrong with an interaction that claims to be this model's, or ``None``."""
    if recorded.request.model != model:
        return f"an interaction of {recorded.request.model!r}, not of {model!r}"
    if recorded.key != recorded.request.key and not _was_scrubbed(recorded):
        return f"the key {recorded.key} is not that of the request, so the line was changed by hand"
    return None


def _was_scrubbed(recorded: Interaction | Line) -> bool:
    """Tell whether a secret was taken out of the request after its key was computed."""
    return any(
        SCRUBBED in text
        for message in recorded.request.messages
        for text in (message.content, *(call.arguments for call in message.tool_calls))
    )


def _first_fault(lines: bytes, source: Source, decoder: msgspec.json.Decoder[Any]) -> CassetteError:
    """Find the line that cannot be decoded."""
    for number, line in enumerate(lines.splitlines()):
        try:
            decoder.decode(line)
        except _UNREADABLE as error:
            version = _version(line)
            if version not in (None, FORMAT):
                return CassetteError(
                    f"{source.path}:{source.first_line + number}: written in format {version}, and this release reads "
                    f"format {FORMAT}; use the release of pytest-llmpref that recorded it, or record again"
                )
            return source.error(number, f"not an interaction ({error})")
    raise AssertionError("lines that fail together must fail alone")


def _version(line: bytes) -> object:
    try:
        found = msgspec.json.decode(line)
    except _UNREADABLE:
        return None
    return found.get("v") if isinstance(found, dict) else None
