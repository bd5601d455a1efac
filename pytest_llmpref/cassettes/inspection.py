"""Looks at a folder of cassettes without changing it: what is there, and whether it holds together."""

import contextlib
import gzip
import itertools
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.cassettes.decoding import LostNumber, Source, decode_lines, decode_packed
from pytest_llmpref.cassettes.errors import CassetteError, CassetteWarning
from pytest_llmpref.cassettes.interaction import Line
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


def lines_of(path: Path, lost: list[LostNumber] | None = None) -> list[Line]:
    """Return the lines of one file, each decoded, and its key compared with that of its request.

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
    """Describe one file; ``None`` where it is empty."""
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
