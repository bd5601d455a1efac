"""A row of a user's table, its cells under our names of the columns, and the error of data that cannot be imported."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_llmpref.config.reading import UserFileError, shown


class ImportFileError(UserFileError):
    """Data that cannot be imported as they are."""


class TableRow(NamedTuple):
    """One row.

    Attributes
    ----------
    place
        Where it stands, for messages: "line 17".
    cells
        Column -> value; ``None`` and empty texts are no values.
    """

    place: str
    cells: Mapping[str, Any]


class Cells:
    """The cells of a row, under our names of the columns.

    Parameters
    ----------
    source
        The file.
    columns
        Our name -> the data's.
    """

    def __init__(self, source: Path, columns: Mapping[str, str], known: Iterable[str]) -> None:
        known = tuple(known)
        self.place, self._row = "", dict[str, Any]()
        self._columns = {name: columns.get(name, name) for name in known}
        self._wanted = [theirs for ours, theirs in columns.items() if ours in known]
        self._source = source
        if wrong := sorted(columns.keys() - set(known)):
            raise ImportFileError(
                source, [f"--column {wrong[0]}: there is no such column; ours are {', '.join(known)}"]
            )

    def put(self, row: TableRow) -> None:
        """Look at another row."""
        self.place, self._row = row.place, dict(row.cells)
        for theirs in self._wanted:
            if theirs not in self._row:
                columns = ", ".join(shown(name, quoted=False) for name in self._row)
                raise ImportFileError(self._source, [f"{row.place}: no column {shown(theirs)}; there are {columns}"])

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever the data hold
        """Return a cell; ``None`` if the column is not there, or the cell is empty.

        NaN is how pandas writes an empty cell to Parquet, and no text or number of anybody's.
        """
        found = self._row.get(self._columns[name])
        empty = not found.strip() if isinstance(found, str) else isinstance(found, float) and math.isnan(found)
        return None if empty else found

    def text(self, name: str) -> str:
        """Return a cell as text; empty if there is none."""
        found = self[name]
        return "" if found is None else found.strip() if isinstance(found, str) else str(found)

    def count(self, name: str) -> int:
        """Return a cell as a count; 0 if there is none."""
        found = self[name]
        try:
            return max(0, int(found)) if found is not None else 0
        except (TypeError, ValueError, OverflowError):
            raise self.error(f"{name} is {shown(found)}; write a whole number") from None

    def has(self, name: str) -> bool:
        """Whether the row has the column."""
        return self._columns[name] in self._row

    def error(self, said: str) -> ImportFileError:
        """Return an error about the row."""
        return ImportFileError(self._source, [f"{self.place}: {said}"])
