"""Reading a cassette's lines, and saying exactly what is wrong with one."""

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from pytest_llmpref.cassettes.interaction import FORMAT, CassetteError, Interaction, Line
from pytest_llmpref.files import open_to_read
from pytest_llmpref.garbage import no_garbage_collection
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.secrets.scrubbing import SCRUBBED

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
"""What decoding raises: misfits, bytes that are no text, and JSON that is nested too deeply."""

MOST_BYTES = 64 << 20
MOST_RATIO = 200
"""A packed file of a few bytes may hold this many bytes of lines, a larger one this many times its size. Recordings
shrink to about a twelfth, and a decompression bomb to a thousandth. Our choice."""

_MAGIC = b"\x1f\x8b"
"""How every gzip file begins (RFC 1952)."""

_PIECE = 1 << 18
"""Bytes that are decompressed at a time: few enough to stay near the processor."""


class _NotPackedError(Exception):
    """A file is no packed recording, cut off or not; the message says what it is."""


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
        if not self.model:
            # No line says whose recording it is, and the name of the file does not tell every name.
            return "restore the file from version control, or delete it and record that model again"
        return (
            "restore the file from version control, or delete it and record again with: "
            f"pytest suites --model {self.model} --record-mode new_episodes"
        )


@dataclass(frozen=True, slots=True)
class LostNumber:
    """A line of ours that cannot be decoded: an earlier release wrote ``null`` for a number that JSON cannot hold.

    Attributes
    ----------
    key
        Key of the request, which has to be asked again.
    line, number
        The line, without its end, and its number, from 1.
    said
        For people: the file, the number of the line, the field, and what follows.
    """

    key: str
    line: bytes
    number: int
    said: str


def decode_lines(lines: bytes, source: Source, kind: type[_Kind], aside: list[LostNumber] | None = None) -> list[_Kind]:
    """Decode complete lines, and check that each key matches its request.

    Parameters
    ----------
    lines, source, kind
        The lines, where they come from, and what each holds.
    aside
        Takes the lines that lost a number; ``None`` where such a line is an error too.

    Raises
    ------
    CassetteError
        At the first line that is not an interaction of this model.
    """
    try:
        with no_garbage_collection():
            recorded: list[_Kind] = _DECODERS[kind].decode_lines(lines)
    except _UNREADABLE:
        return _decode_one_by_one(lines, source, kind, aside)
    _check(recorded, source)
    return recorded


def decode_packed(source: Source, kind: type[_Kind], aside: list[LostNumber] | None = None) -> list[_Kind]:
    """Decode a compressed file; see `decode_lines`.

    Raises
    ------
    CassetteError
        If it is not a gzip file, is cut off or corrupt, grows beyond all recordings, or holds a line that is not an
        interaction of this model.
    """
    recorded = list[_Kind]()
    read = 0
    try:
        for lines in _pieces(source.path):
            here = replace(source, first_line=read + 1)
            if not lines.endswith(b"\n"):
                raise here.error(lines.count(b"\n"), "the last line is cut off")
            recorded += decode_lines(lines, here, kind, aside)
            read += lines.count(b"\n")
    except EOFError:
        where = f"somewhere after line {read}" if read else "before a line of it can be read"
        raise source.unreadable(f"truncated, {where}") from None
    except (OverflowError, _NotPackedError) as error:
        raise source.unreadable(str(error)) from None
    except _NOT_GZIP as error:
        raise source.unreadable(f"not a readable gzip file ({error})") from None
    return recorded


def _pieces(path: Path) -> Iterator[bytes]:
    """Decompress a file in bounded memory; yield complete lines, some at a time, and last what is none."""
    with open_to_read(path) as packed, _GzipFile(fileobj=packed) as file:
        size = os.fstat(packed.fileno()).st_size
        room = max(MOST_BYTES, MOST_RATIO * size)
        # Not left to the decompressor, which finds a few bytes of anything truncated.
        if not size:
            raise _NotPackedError("empty")
        if not _MAGIC.startswith(packed.read(len(_MAGIC))):
            raise _NotPackedError("not a gzip file")
        packed.seek(0)
        begun, read = b"", 0
        while piece := file.read(_PIECE):
            read += len(piece)
            if read > room:
                raise OverflowError(f"{size:,} bytes that grow to more than {room:,}, like no recording")
            end = piece.rfind(b"\n") + 1
            if end:
                yield b"".join((begun, memoryview(piece)[:end]))
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


def check_decodes(line: bytes, model: str) -> Interaction:
    """Return what will be read of a line.

    Raises
    ------
    ValueError
        If that is not an interaction of this model; it names the field.
    """
    try:
        recorded: Interaction = _DECODERS[Interaction].decode(line)
    except _UNREADABLE as error:
        raise ValueError(str(error)) from error
    if (wrong := fault(recorded, model)) is not None:
        raise ValueError(wrong)
    return recorded


def _was_scrubbed(recorded: Interaction | Line) -> bool:
    """Tell whether a secret was taken out of the request after its key was computed."""
    return SCRUBBED.encode() in msgspec.json.encode(recorded.request)


def _check(recorded: Iterable[Interaction | Line], source: Source) -> None:
    for number, one in enumerate(recorded):
        wrong = fault(one, source.model)
        if wrong is not None:
            raise source.error(number, wrong)


def _decode_one_by_one(lines: bytes, source: Source, kind: type[_Kind], aside: list[LostNumber] | None) -> list[_Kind]:
    """Decode lines of which one at least cannot be: find out which, and why."""
    recorded = list[_Kind]()
    for number, line in enumerate(lines.split(b"\n")):
        if not line.strip():
            continue
        here = replace(source, first_line=source.first_line + number)
        try:
            one: _Kind = _DECODERS[kind].decode(line)
        except _UNREADABLE as error:
            key = None if aside is None else _key_of_lost(line, source.model)
            if aside is None or key is None:
                raise _line_error(line, here, error) from None
            said = (
                f"{here.path}:{here.first_line}: {error}: an earlier release lost a number that JSON cannot hold; the "
                "line was left out, and its question will be asked again by the next recording run"
            )
            aside.append(LostNumber(key, line, here.first_line, said))
        else:
            _check([one], here)
            recorded.append(one)
    return recorded


class _Lost(msgspec.Struct):
    """A line, its reply undecoded."""

    v: Literal[1]
    key: str
    request: Request
    reply: dict[str, Any]
    at: Annotated[datetime, msgspec.Meta(tz=True)]


def _key_of_lost(line: bytes, model: str) -> str | None:
    """Return the key of a line that is whole but for numbers that became ``null``; ``None`` for any other."""
    try:
        found = msgspec.json.decode(line, type=_Lost)
        tops = found.reply.get("top_logprobs")
        if isinstance(tops, dict):
            found.reply["top_logprobs"] = {token: value for token, value in tops.items() if value is not None}
        reply = msgspec.convert({name: value for name, value in found.reply.items() if value is not None}, Reply)
    except _UNREADABLE:
        return None
    interaction = Interaction(FORMAT, found.key, found.request, reply, found.at)
    return found.key if fault(interaction, model) is None else None


def _line_error(line: bytes, source: Source, error: Exception) -> CassetteError:
    version = _version(line)
    if version not in (None, FORMAT):
        return CassetteError(
            f"{source.path}:{source.first_line}: written in format {version}, and this release reads "
            f"format {FORMAT}; use the release of pytest-llmpref that recorded it, or record again"
        )
    return source.error(0, f"not an interaction ({error})")


def _version(line: bytes) -> object:
    try:
        found = msgspec.json.decode(line)
    except _UNREADABLE:
        return None
    return found.get("v") if isinstance(found, dict) else None
