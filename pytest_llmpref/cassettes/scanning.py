"""Looks for secrets in a folder of recordings, ours and vcrpy's, and says what it read and what it did not."""

import gzip
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pytest_llmpref.cassettes.decoding import LostNumber
from pytest_llmpref.cassettes.folders import lines_of, numbered
from pytest_llmpref.cassettes.interaction import CassetteError
from pytest_llmpref.files import open_to_read
from pytest_llmpref.secrets import (
    FoundSecret,
    Secrets,
    address_credentials,
    body_credentials,
    find_secrets,
    header_credentials,
)
from pytest_llmpref.secrets.shapes import unlike_words

_NO_FILE = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe"}
IMPORTED = "imported"
"""Folder of what was imported of others' data."""
_YAML = frozenset({".yaml", ".yml"})
_TEXT = frozenset({".json", ".cut", ".batches"})
"""vcrpy's cassettes in JSON, lines that a killed run left unfinished, and the jobs of batches."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in a recording: the file, the line from 1, and what was found."""

    path: Path
    line: int
    secret: FoundSecret


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found.

    Attributes
    ----------
    read
        How many interactions, or lines of text, were read of each file.
    unread
        The files that should have been read, and why they were not.
    others
        The files that are none of recordings, and so were not read.
    leaks
        The secrets.
    """

    read: dict[Path, int] = field(default_factory=dict)
    unread: dict[Path, str] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)


def scan(folder: Path) -> Scan:
    """Look for secrets in every recording of a folder, and of the folders in it.

    Raises
    ------
    CassetteError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise CassetteError(f"{folder}: no such folder; give --folder the one that holds the cassettes")
    found = Scan()
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            if _kind(path) == "cassette":
                found.unread[path] = "a folder"
        elif not stat.S_ISREG(mode):
            found.unread[path] = _NO_FILE.get(stat.S_IFMT(mode), "no regular file")
        elif (kind := _kind(path)) is None:
            if path.stat().st_size:
                found.others.append(path)
        else:
            _scan_file(path, kind, found)
    return found


def _kind(path: Path) -> str | None:
    if path.name.endswith(".jsonl.gz") and path.parent.name == IMPORTED:
        return "import"
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return "cassette"
    return "yaml" if path.suffix in _YAML else "text" if path.suffix in _TEXT else None


def _scan_file(path: Path, kind: str, found: Scan) -> None:
    readers = {"cassette": _in_cassette, "import": _in_import, "yaml": _in_yaml, "text": _in_text}
    read = 0
    try:
        for number, secrets in readers[kind](path):
            read += 1
            found.leaks.extend(Leak(path, number, secret) for secret in secrets)
    except CassetteError as error:
        found.unread[path] = str(error).removeprefix(f"{path}: ")
    except OSError as error:
        found.unread[path] = error.strerror or str(error)
    except UnicodeDecodeError as error:
        found.unread[path] = f"not UTF-8 ({error.reason} at byte {error.start:,})"
    else:
        found.read[path] = read


def _in_cassette(path: Path) -> Iterator[tuple[int, list[FoundSecret]]]:
    """Yield each line's number, and its secrets."""
    secrets = Secrets()
    lost = list[LostNumber]()
    found = lines_of(path, lost)
    for one_lost in lost:
        yield one_lost.number, find_secrets(one_lost.line.decode("utf-8", "replace"))
    for number, one in numbered(found, lost):
        line = msgspec.json.encode(one)
        if not secrets.suspected(line):
            yield number, []
            continue
        exchange = one.exchange
        bodies = () if exchange is None else (exchange.request.body, exchange.response.body)
        values = dict.fromkeys(value for body in bodies for value in body_credentials(body) if unlike_words(value))
        yield number, [*find_secrets(line.decode()), *map(_named, values)]


def _in_import(path: Path) -> Iterator[tuple[int, list[FoundSecret]]]:
    """Yield each line's number, and its secrets: the header, and a reply in each line."""
    secrets = Secrets()
    try:
        with open_to_read(path) as packed, gzip.GzipFile(fileobj=packed) as file:
            for number, line in enumerate(file, 1):
                yield number, find_secrets(line.decode()) if secrets.suspected(line) else []
    except (EOFError, zlib.error) as error:
        raise CassetteError(f"{path}: {error}; import it again") from error


def _in_yaml(path: Path) -> Iterator[tuple[int, list[FoundSecret]]]:
    from pytest_llmpref.cassettes.vcr_yaml import texts  # noqa: PLC0415 - other files need no YAML

    secrets = Secrets()
    for text in texts(path):
        found = find_secrets(text.text) if secrets.suspected(text.text.encode("utf-8", "surrogatepass")) else []
        if not found:
            if text.within == "headers":
                named = header_credentials({text.name: [text.text]})
            else:
                named = address_credentials(text.text) if text.name == "uri" else body_credentials(text.text)
            found = [_named(value) for value in named if unlike_words(value)][:1]
        yield text.line, found


def _in_text(path: Path) -> Iterator[tuple[int, list[FoundSecret]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            yield number, find_secrets(line)


def _named(value: str) -> FoundSecret:
    """Return a secret that has no shape, of which nothing may be shown."""
    return FoundSecret("named like a secret", 0, f"{len(value)} characters")
