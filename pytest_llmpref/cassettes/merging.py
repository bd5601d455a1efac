"""Recordings of several jobs merged into one folder; where two of them differ, nothing is written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from pytest_llmpref.cassettes.errors import CassetteError
from pytest_llmpref.cassettes.inspection import cassette_files, lines_of
from pytest_llmpref.cassettes.interaction import Line
from pytest_llmpref.cassettes.store import Cassette

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


def _recorded(folder: Path) -> Iterator[tuple[Path, Line]]:
    """Yield what a replay would find in a folder, and the file that holds it."""
    found: dict[tuple[str, str], tuple[Path, Line]] = {}
    # The packed file of a cassette before its journal.
    for path in sorted(cassette_files(folder), key=lambda path: path.suffix != ".gz"):
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
            f"{len(conflicts):,} questions have different replies, and nothing was written:",
            *conflicts[:SHOWN],
            *more,
            "leave one of the folders out, or say which reply holds by --keep earliest or --keep latest",
        ]
    )
