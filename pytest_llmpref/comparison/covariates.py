"""What several models differ in, such as size, date or stage of training: a CSV file with a row for each model."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pytest_llmpref.config.reading import UserFileError, decoded, read_bytes, shown

_MOST_BYTES = 4 * 1024 * 1024
_DAYS_A_YEAR = 365.2425
EXAMPLE = "model,size,released,stage"


class CovariateFileError(UserFileError):
    """A file of covariates that cannot be used."""


@dataclass(frozen=True, slots=True)
class Covariate:
    """One thing in which models differ.

    Attributes
    ----------
    name
        Of its column.
    unit
        What a step of 1 is, in words: "per year", "instruct instead of base".
    values
        Model -> value; models without a known value are left out.
    shown
        Model -> what the file says.
    """

    name: str
    unit: str
    values: Mapping[str, float]
    shown: Mapping[str, str]


def load_covariates(path: Path, in_logarithms: Sequence[str] = ()) -> list[Covariate]:
    """Read a file of covariates.

    The first line names the columns, one of which is ``model``. A column holds numbers, dates (2025-08-07), or two
    words such as ``base`` and ``instruct``, of which the first in the file counts 0. An empty cell is not known.

    Parameters
    ----------
    path
        The file.
    in_logarithms
        Columns whose logarithm to base 10 is the covariate: their unit is a tenfold increase.

    Raises
    ------
    CovariateFileError
        If it cannot be read so; the message names lines and columns.
    """
    header, rows = _table(path)
    names = [name for name in header if name != "model"]
    problems = [
        f"no column {shown(name)}; the columns are {', '.join(names)}" for name in in_logarithms if name not in names
    ]
    seen: dict[str, int] = {}
    for line, row in rows:
        if not row["model"]:
            problems.append(f"line {line}: column 'model' is empty; write the model's name as results.json has it")
        elif row["model"] in seen:
            problems.append(f"line {line}: {shown(row['model'])} is in line {seen[row['model']]} already; keep one")
        seen.setdefault(row["model"], line)
    if problems:
        raise CovariateFileError(path, problems)
    found = []
    for name in names:
        said = {row["model"]: row[name] for _, row in rows if row[name]}
        try:
            found.append(_covariate(name, said, logarithm=name in in_logarithms))
        except ValueError as error:
            problems.append(f"column {shown(name)}: {error}")
    if problems:
        raise CovariateFileError(path, problems)
    return found


def _table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header, and each row with its line."""
    text = decoded(path, CovariateFileError, read_bytes(path, CovariateFileError, _MOST_BYTES))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: list[str] = []
    rows, problems = [], []
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if not any(cells):
                continue
            if not header:
                header = cells
            elif len(cells) != len(header):
                problems.append(f"line {reader.line_num}: {len(cells)} columns, but the first line names {len(header)}")
            else:
                rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: not valid CSV: {error}; put text in double quotes")
    if "model" not in header or len(set(header)) < 2 or "" in header:
        problems.insert(
            0, f"the first line names the columns, as in {EXAMPLE}; there is a 'model' and at least one more"
        )
    elif len(set(header)) < len(header):
        problems.insert(0, "the first line names a column twice; keep one")
    elif not rows:
        problems.append("no model is in it; write a line for each")
    if problems:
        raise CovariateFileError(path, problems)
    return header, rows


def _covariate(name: str, said: Mapping[str, str], *, logarithm: bool) -> Covariate:
    for read, unit in _READERS:
        try:
            values = {model: read(text) for model, text in said.items()}
        except ValueError:
            continue
        if not logarithm:
            return Covariate(name, unit, values, said)
        if unit or min(values.values(), default=1.0) <= 0:
            raise ValueError("logarithms are of numbers above 0; leave out --log for it")
        return Covariate(name, "per tenfold", {model: math.log10(value) for model, value in values.items()}, said)
    words = list(dict.fromkeys(said.values()))
    if len(words) != 2:
        raise ValueError(
            f"it holds {len(words)} different words; write numbers, dates as 2025-08-07, or two words, and more kinds "
            "as a column each"
        )
    if logarithm:
        raise ValueError("logarithms are of numbers above 0; leave out --log for it")
    values = {model: float(words.index(word)) for model, word in said.items()}
    return Covariate(name, f"{words[1]} instead of {words[0]}", values, said)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _year(text: str) -> float:
    return date.fromisoformat(text).toordinal() / _DAYS_A_YEAR


_READERS: tuple[tuple[Callable[[str], float], str], ...] = ((_number, ""), (_year, "per year"))
"""How cells are read, and the unit of what is read."""
