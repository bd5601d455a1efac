"""Reading a cassette's lines, and saying exactly what is wrong with one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from isal import isal_zlib

from pytest_llmpref.cassettes.errors import CassetteError
from pytest_llmpref.cassettes.interaction import FORMAT, Interaction
from pytest_llmpref.cassettes.scrub import SCRUBBED
from pytest_llmpref.garbage import no_garbage_collection

_DECODER = msgspec.json.Decoder(Interaction)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

MOST_BYTES = 64 << 20
MOST_RATIO = 200
"""A packed file of a few bytes may hold this many bytes of lines, a larger one this many times its size. Recordings
shrink to about a twelfth, and a decompression bomb to a thousandth. Our choice."""

GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 100


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


def decode_lines(lines: bytes, source: Source) -> list[Interaction]:
    """Decode complete lines, and check that each key is that of its request.

    Raises
    ------
    CassetteError
        At the first line that is not an interaction of this model.
    """
    try:
        with no_garbage_collection():
            recorded = _DECODER.decode_lines(lines)
    except _UNREADABLE:
        raise _first_fault(lines, source) from None
    for number, one in enumerate(recorded):
        wrong = fault(one, source.model)
        if wrong is not None:
            raise source.error(number, wrong)
    return recorded


def decode_packed(source: Source) -> list[Interaction]:
    """Decode a compressed file.

    Raises
    ------
    CassetteError
        If it is not a gzip file, is cut off or corrupt, grows beyond all recordings, or holds a line that is not an
        interaction of this model.
    """
    compressed = source.path.read_bytes()
    if not compressed:
        raise source.unreadable("truncated after line 0")
    recorded = list[Interaction]()
    for lines in _members(compressed, source):
        recorded += decode_lines(lines, replace(source, first_line=len(recorded) + 1))
    return recorded


def _members(compressed: bytes, source: Source) -> Iterator[bytes]:
    """Decompress a gzip file, in bounded memory; yield each of its members, or those that share a line as one."""
    room = max(MOST_BYTES, MOST_RATIO * len(compressed))
    left, rest, whole, begun = room + 1, compressed, 0, b""
    for _ in range(_MOST_MEMBERS):
        if not rest.startswith(GZIP):  # Less than a header would otherwise look cut off.
            raise source.unreadable("not a readable gzip file (no gzip header)")
        member = isal_zlib.decompressobj(wbits=31)
        try:
            lines = begun + member.decompress(rest, left)
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub calls the class an instance
            raise source.unreadable(f"not a readable gzip file ({error})") from None
        left -= len(lines) - len(begun)
        if left <= 0:
            raise source.unreadable(f"{len(compressed):,} bytes that grow to more than {room:,}, like no recording")
        if not member.eof:
            whole += lines.count(b"\n")
            raise source.unreadable(f"truncated after line {whole}")
        begun = b"" if not lines or lines.endswith(b"\n") else lines
        if not begun:
            whole += lines.count(b"\n")
            yield lines
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            break
    else:
        raise source.unreadable(f"made of more than {_MOST_MEMBERS} gzip files")
    if begun:
        raise source.error(whole + begun.count(b"\n"), "the last line is cut off")


def fault(recorded: Interaction, model: str) -> str | None:
    """Return what is wrong with an interaction that claims to be this model's, or ``None``."""
    if recorded.request.model != model:
        return f"an interaction of {recorded.request.model!r}, not of {model!r}"
    if recorded.key != recorded.request.key and not _was_scrubbed(recorded):
        return f"the key {recorded.key} is not that of the request, so the line was changed by hand"
    return None


def _was_scrubbed(recorded: Interaction) -> bool:
    """Tell whether a secret was taken out of the request after its key was computed."""
    return any(
        SCRUBBED in text
        for message in recorded.request.messages
        for text in (message.content, *(call.arguments for call in message.tool_calls))
    )


def _first_fault(lines: bytes, source: Source) -> CassetteError:
    """Find the line that cannot be decoded."""
    for number, line in enumerate(lines.splitlines()):
        try:
            _DECODER.decode(line)
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
