"""Looks at a folder of cassettes without changing it: what is there, and whether it holds together."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.cassettes.decoding import Source, decode_lines, decode_packed
from pytest_llmpref.cassettes.errors import CassetteError
from pytest_llmpref.cassettes.interaction import Line


@dataclass(frozen=True, slots=True)
class Listed:
    """One cassette file: its model, interactions, size in bytes, and when the first and the last was recorded."""

    path: Path
    model: str
    interactions: int
    size: int
    first: datetime
    last: datetime


def cassette_files(folder: Path) -> list[Path]:
    """Return the cassettes of a folder, packed ones and journals.

    Raises
    ------
    CassetteError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise CassetteError(f"{folder}: no such folder; give --folder the one that holds the cassettes")
    return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])


def lines_of(path: Path) -> list[Line]:
    """Return the lines of one file, each decoded, and its key compared with that of its request.

    Raises
    ------
    CassetteError
        At the first line that is not an interaction, or is another model's than the first.
    """
    if path.suffix == ".gz":
        return decode_packed(Source(path, _model(path)), Line)
    return decode_lines(path.read_bytes(), Source(path, _model(path)), Line)


def listed(path: Path) -> Listed | None:
    """Describe one file; ``None`` where it is empty."""
    found = lines_of(path)
    if not found:
        return None
    times = [one.at for one in found]
    return Listed(path, found[0].request.model, len(found), path.stat().st_size, min(times), max(times))


def disagreements(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file: a raw response that does not hold the reply that was read from it."""
    for number, one in enumerate(lines_of(path), 1):
        if one.reply.finish == "error" or not one.reply.text:
            continue
        try:
            exchange = one.exchange
        except msgspec.MsgspecError as error:
            yield f"{path}:{number}: its HTTP exchange cannot be read ({error})"
            continue
        if exchange is not None and not _holds(exchange.response.body, one.reply.text):
            yield f"{path}:{number}: the raw response does not hold the reply that stands beside it (key {one.key})"


def _model(path: Path) -> str:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            line = file.readline()
        return str(json.loads(line)["request"]["model"]) if line else ""
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        # The decoder says what is wrong with it.
        return ""


def _holds(body: str, text: str) -> bool:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return text in body
    return any(text in string for string in _strings(found))


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
