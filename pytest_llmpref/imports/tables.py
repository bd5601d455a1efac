"""Tables of the user's, row by row, in bounded memory: CSV, JSON lines, Parquet, results of batches, Inspect's logs."""

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from pytest_llmpref.config.reading import shown
from pytest_llmpref.files import open_given
from pytest_llmpref.imports.batches import batch_row, is_batch_line
from pytest_llmpref.imports.cells import ImportFileError, TableRow

LONGEST_LINE = 16 << 20
"""Bytes of one row; more is no row. Our choice."""
BATCH = 4096
"""Rows of a Parquet file that are read at a time."""
SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet", ".eval")
"""Kinds of tables; the first three may be packed with gzip, as in ``votes.csv.gz``."""
_BLOCK = 1 << 20


def rows_of(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a table, whatever its format; the file is read as they are asked for.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ImportFileError
        If it is no table that can be read.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    kind = (suffixes[:-1] if packed else suffixes)[-1:]
    if kind == [".parquet"] and not packed:
        yield from _parquet_rows(path)
    elif kind == [".eval"] and not packed:
        yield from _inspect_rows(path)
    elif kind and kind[0] in SUFFIXES[:3]:
        read = _csv_rows if kind == [".csv"] else _json_rows
        with _opened(path, packed=packed) as file:
            try:
                yield from read(path, file)
            except (OSError, EOFError) as error:
                raise ImportFileError(path, [f"cannot be read to its end ({error}); fetch it again"]) from error
    else:
        known = ", ".join(SUFFIXES)
        raise ImportFileError(path, [f"unknown suffix; name a file that ends in one of {known}, or in .gz after them"])


def by_id(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a table by their ids.

    Parameters
    ----------
    path
        The file; one of its columns is ``id``.

    Raises
    ------
    ImportFileError
        If it has no such column, or an id twice.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows_of(path):
        found_id = row.cells.get("id")
        if not (given := "" if found_id is None else str(found_id)):
            raise ImportFileError(path, [f"{row.place}: no id; the column id says which reply a row is about"])
        if given in found:
            raise ImportFileError(path, [f"{row.place}: id {shown(given)} twice; keep one"])
        found[given] = row.cells
    return found


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content.

    Parameters
    ----------
    path
        The file.
    """
    found = hashlib.sha256()
    with _opened(path, packed=False) as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    try:
        file = open_given(path)
    except IsADirectoryError:
        raise ImportFileError(path, ["is a folder; give the path of a file in it"]) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ImportFileError(path, [f"cannot be read ({why}); check its path and permissions"]) from error
    with file:
        if packed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc] # a binary file like any other
        else:
            yield file


def _csv_rows(path: Path, file: IO[bytes]) -> Iterator[TableRow]:
    # Python's own limit, 128 kB, is shorter than a reply may be. It is one for the whole process.
    before = csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    heads: list[str] = []
    try:
        heads = [head.strip() for head in next(reader, [])]
        _check_heads(path, heads)
        width = len(heads)
        for cells in reader:
            if len(cells) != width:
                if not cells:
                    continue
                said = f"line {reader.line_num}: {len(cells)} columns, and the first line names {width}"
                raise ImportFileError(path, [f"{said}; put text that holds a comma in double quotes"])
            yield TableRow(f"line {reader.line_num}", dict(zip(heads, cells, strict=True)))
    except csv.Error as error:
        raise ImportFileError(path, [f"line {reader.line_num}: not valid CSV: {error}; mend it there"]) from error
    except UnicodeDecodeError as error:
        said = f"not UTF-8 after line {reader.line_num} ({error.reason}); save it with the encoding UTF-8"
        raise ImportFileError(path, [said]) from error
    finally:
        csv.field_size_limit(before)


def _check_heads(path: Path, heads: list[str]) -> None:
    if not heads:
        raise ImportFileError(path, ["is empty; the first line of a CSV file names its columns"])
    if twice := next((head for head in heads if heads.count(head) > 1), ""):
        raise ImportFileError(path, [f"line 1: column {shown(twice)} twice; keep one"])


def _json_rows(path: Path, file: IO[bytes]) -> Iterator[TableRow]:
    decode, number = msgspec.json.Decoder().decode, 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            said = f"line {number}: longer than {LONGEST_LINE:,} bytes; write one JSON object a line"
            raise ImportFileError(path, [said])
        if line.isspace():
            continue
        try:
            row = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ImportFileError(path, [f"line {number}: not JSON: {error}; mend it there"]) from error
        if not isinstance(row, dict):
            raise ImportFileError(path, [f"line {number}: {shown(row)}; write one JSON object a line"])
        yield TableRow(f"line {number}", batch_row(row) if is_batch_line(row) else row)


def _inspect_rows(path: Path) -> Iterator[TableRow]:
    with _opened(path, packed=False):
        pass  # says so where it is no file
    try:
        from pytest_llmpref.imports.inspect_log import inspect_rows  # noqa: PLC0415 - imports Inspect
    except ImportError:
        raise ImportFileError(path, ['Inspect logs need inspect-ai: pip install "pytest-llmpref[agentic]"']) from None
    yield from inspect_rows(path)


def _parquet_rows(path: Path) -> Iterator[TableRow]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - needed by few, and not installed with us
    except ImportError:
        raise ImportFileError(path, ["Parquet needs pyarrow: pip install pyarrow; or give CSV or JSON lines"]) from None
    with _opened(path, packed=False) as opened:
        try:
            number = 0
            with parquet.ParquetFile(opened) as file:
                for batch in file.iter_batches(BATCH):
                    for row in batch.to_pylist():
                        number += 1
                        yield TableRow(f"row {number}", row)
        except (ArrowException, OSError) as error:
            said = str(error).partition("\n")[0]
            raise ImportFileError(path, [f"no Parquet file that can be read ({said}); write it again"]) from error
