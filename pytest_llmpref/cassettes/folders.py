"""Folders of cassettes: what is there, whether it holds together, and several jobs' recordings merged into one."""

import contextlib
import gzip
import itertools
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from pytest_llmpref.cassettes.decoding import LostNumber, Source, decode_lines, decode_packed
from pytest_llmpref.cassettes.interaction import CassetteError, CassetteWarning, Line
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.files import explained, open_to_read


@dataclass(frozen=True, slots=True)
class Listed:
    """One cassette file: its model, interactions, size in bytes, and when the first and the last was recorded."""

    path: Path
    model: str
    interactions: int
    size: int
    first: datetime
    last: datetime


def cassette_files(folder: Path, fix: str = "give --folder the one that holds the cassettes") -> list[Path]:
    """Return the cassettes of a folder, packed ones and journals.

    Parameters
    ----------
    folder
        The folder.
    fix
        What to do if there is none, for the message.

    Raises
    ------
    CassetteError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise CassetteError(f"{folder}: no such folder; {fix}")
    return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])


def models_in(folder: Path) -> list[str]:
    """Return the names of the models whose recordings a folder holds, as far as their first lines can be read.

    A name is not read from the name of a file, which does not tell a slash from two hyphens in every name.
    """
    names = set[str]()
    for path in cassette_files(folder) if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            names.add(_model(path))
    return sorted(names - {""})


def lines_of(path: Path, lost: list[LostNumber] | None = None) -> list[Line]:
    """Return the lines of one file, decoded, with each key checked against its request.

    Parameters
    ----------
    path
        The file.
    lost
        Takes the lines that an earlier release wrote with a number that JSON cannot hold; ``None`` to warn of them.

    Raises
    ------
    CassetteError
        At the first line that is not an interaction, or is another model's than the first; or if it is no file.
    """
    aside = list[LostNumber]() if lost is None else lost
    try:
        source = Source(path, _model(path))
        if path.suffix == ".gz":
            return decode_packed(source, Line, aside)
        with open_to_read(path) as file:
            return decode_lines(file.read(), source, Line, aside)
    except OSError as error:
        raise CassetteError(explained(error, "read", "make it readable")) from error
    finally:
        for one in aside if lost is None else ():
            warnings.warn(one.said, CassetteWarning, stacklevel=2)


def listed(path: Path) -> Listed | None:
    """Describe one file; ``None`` if it is empty."""
    found = lines_of(path)
    if not found:
        return None
    times = [one.at for one in found]
    return Listed(path, found[0].request.model, len(found), path.stat().st_size, min(times), max(times))


def disagreements(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file: a raw response that does not hold the reply that was read from it."""
    lost = list[LostNumber]()
    found = lines_of(path, lost)
    yield from (broken.said for broken in lost)
    for number, one in numbered(found, lost):
        if one.reply.finish == "error" or not one.reply.text:
            continue
        try:
            exchange = one.exchange
        except msgspec.MsgspecError as error:
            yield f"{path}:{number}: its HTTP exchange cannot be read ({error})"
            continue
        if exchange is not None and not _holds(exchange.response.body, one.reply.text):
            yield f"{path}:{number}: the raw response does not hold the reply that stands beside it (key {one.key})"


def numbered(found: list[Line], lost: list[LostNumber]) -> Iterator[tuple[int, Line]]:
    """Yield the lines of a file with their numbers, from which those that were left out are missing."""
    left_out = {one.number for one in lost}
    numbers = (number for number in itertools.count(1) if number not in left_out)
    return zip(numbers, found, strict=False)


def _model(path: Path) -> str:
    with (
        open_to_read(path) as file,
        contextlib.suppress(OSError, EOFError, ValueError, KeyError, TypeError, RecursionError),
    ):
        # The decoder says what is wrong with it.
        line = (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).readline()
        return str(json.loads(line)["request"]["model"]) if line else ""
    return ""


def _holds(body: str, text: str) -> bool:
    try:
        found: Any = json.loads(body)
        return any(text in string for string in _strings(found))
    except (ValueError, RecursionError):
        return text in body


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


Keep = Literal["earliest", "latest"]
SHOWN = 10
"""Conflicts that are named one by one."""


class MergeConflictError(CassetteError):
    """The same question has different replies in the recordings that were to be merged."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of one model's recordings: interactions that were added, and that were there already."""

    cassette: Path
    added: int
    known: int


def merge(sources: Sequence[Path], folder: Path, keep: Keep | None = None) -> list[Merged]:
    """Add every interaction in the cassettes of some folders to those of another.

    Of each folder, what counts is what a replay would find in it: the later line of a key, the journal's after the
    packed file's. Between folders, a call that failed gives way to an answer. Replies are the same if they differ in
    nothing but how long they took; then the earlier one is kept.

    Parameters
    ----------
    sources
        The folders to read.
    folder
        The folder to add to; what it holds counts like the others'.
    keep
        Which of two different replies to keep; ``None`` for neither.

    Raises
    ------
    MergeConflictError
        If the same question has different replies; nothing is written then.
    CassetteError
        If there is no such folder, or a cassette in it cannot be read.
    """
    found: dict[str, dict[str, tuple[Path, Line]]] = {}
    conflicts: list[str] = []
    here = _recorded(folder) if folder.is_dir() else ()
    for path, one in (*here, *(line for source in sources for line in _recorded(source))):
        kept = found.setdefault(one.request.model, {})
        other = kept.get(one.key)
        if other is not None and keep is None and _differ(other[1], one):
            conflicts.append(_described(other, (path, one)))
        else:
            kept[one.key] = (path, one) if other is None else _kept(other, (path, one), keep)
    if conflicts:
        raise MergeConflictError(_explained(conflicts))
    return [_write(folder, model, (one for _, one in kept.values())) for model, kept in found.items()]


_NO_SOURCE = "name folders of recordings that there are (--folder is the one that they are added to)"


def _recorded(folder: Path) -> Iterator[tuple[Path, Line]]:
    """Yield what a replay would find in a folder, and the file that holds it."""
    found: dict[tuple[str, str], tuple[Path, Line]] = {}
    # The packed file of a cassette before its journal.
    for path in sorted(cassette_files(folder, _NO_SOURCE), key=lambda path: path.suffix != ".gz"):
        found |= {(one.request.model, one.key): (path, one) for one in lines_of(path)}
    yield from found.values()


def _write(folder: Path, model: str, lines: Iterable[Line]) -> Merged:
    cassette = Cassette.open(folder, model)
    added = known = 0
    with cassette.lock():
        here = {line.key: line for line in cassette.lines()}
        for line in lines:
            if here.get(line.key) == line:
                known += 1
            else:
                cassette.add(line)
                added += 1
    return Merged(cassette.journal, added, known)


def _differ(one: Line, other: Line) -> bool:
    if "error" in {one.reply.finish, other.reply.finish}:
        return False
    first, second = (msgspec.structs.replace(each.reply, latency=0.0) for each in (one, other))
    return first != second


def _kept(one: tuple[Path, Line], other: tuple[Path, Line], keep: Keep | None) -> tuple[Path, Line]:
    failed = [each[1].reply.finish == "error" for each in (one, other)]
    if failed[0] != failed[1]:
        return other if failed[0] else one
    earlier, later = sorted((one, other), key=lambda each: each[1].at)
    return later if keep == "latest" else earlier


def _described(one: tuple[Path, Line], other: tuple[Path, Line]) -> str:
    said = " and ".join(f"{path}: {each.reply.text[:40]!r} ({each.at:%Y-%m-%d %H:%M})" for path, each in (one, other))
    return f"  {one[1].request.model}, key {one[1].key}: {said}"


def _explained(conflicts: Sequence[str]) -> str:
    more = [f"  and {len(conflicts) - SHOWN:,} more"] if len(conflicts) > SHOWN else []
    return "\n".join(
        [
            f"{len(conflicts):,} {'question has' if len(conflicts) == 1 else 'questions have'} different replies, and "
            "nothing was written:",
            *conflicts[:SHOWN],
            *more,
            "leave one of the folders out, or say which reply holds by --keep earliest or --keep latest",
        ]
    )
