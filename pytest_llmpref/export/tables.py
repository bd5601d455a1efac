"""Tables as files: CSV and Parquet."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.export.records import TABLES, Record, rows_of
from pytest_llmpref.files import explained, write_whole
from pytest_llmpref.results.schema import Results

BATCH = 65_536
"""Rows that are written to a Parquet file at a time."""


class ExportError(LLMPrefError):
    """Results cannot be exported; the message says why, and what to do."""


def write_csv(results: Results, folder: Path) -> list[Path]:
    """Write ``trials.csv``, ``measures.csv`` and ``claims.csv``. What is missing is an empty cell.

    Parameters
    ----------
    results
        Of a run.
    folder
        Where to.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ExportError
        If one cannot be written.
    """
    written = []
    for table, columns in TABLES.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        for row in rows_of(results, table):
            writer.writerow({name: _cell(value) for name, value in row.items()})
        written.append(_write(folder / f"{table}.csv", text.getvalue().encode()))
    return written


def write_parquet(results: Results, folder: Path) -> list[Path]:
    """Write ``trials.parquet``, ``measures.parquet`` and ``claims.parquet``. What is missing is null.

    Parameters
    ----------
    results
        Of a run.
    folder
        Where to.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ExportError
        If pyarrow is not installed, or one cannot be written.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - needed by few, and not installed with us
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise ExportError("Parquet needs pyarrow: pip install pyarrow; or export --format csv") from None
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    written = []
    for table, columns in TABLES.items():
        schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        buffer = io.BytesIO()
        with parquet.ParquetWriter(buffer, schema) as file:
            for rows in _batches(rows_of(results, table)):
                file.write_table(pa.Table.from_pylist(rows, schema))
        written.append(_write(folder / f"{table}.parquet", buffer.getvalue()))
    return written


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _batches(rows: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _write(path: Path, content: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content, f"{path.name}.part")
    except OSError as error:
        error.filename = error.filename or str(path)
        raise ExportError(explained(error, "write", "make the folder writable, or free disk space")) from error
    return path
