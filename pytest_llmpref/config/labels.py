"""People's labels of replies, in a file of the user's: what a reader of replies is checked against."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_llmpref.config.reading import UserFileError, decoded, read_bytes, shown

WITHOUT_CHOICE = ("refusal", "abstention", "unparseable")
"""Labels of replies that choose nothing: the model refuses, favours neither option, or cannot be understood."""
ANSWERS = ("A", "B", "yes", "no")
"""Labels of replies that choose."""
_LABELS = {label.lower(): label for label in (*ANSWERS, *WITHOUT_CHOICE)}
_KEY = re.compile("[0-9a-f]{32}")
_MOST_BYTES = 1 << 28
_LONGEST_NAME = 60
SUFFIXES = (".csv", ".jsonl")
_Row = tuple[str, Mapping[str, object]]


class LabelsError(UserFileError):
    """A file of labels cannot be used."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What people say of replies.

    Attributes
    ----------
    path
        The file.
    given
        Key of a reply -> rater -> label.
    places
        Key -> where it stands first in the file.
    """

    path: Path
    given: Mapping[str, Mapping[str, str]]
    places: Mapping[str, str]

    def error(self, problems: Mapping[str, str]) -> LabelsError:
        """Return an error that says, by key, what is wrong with it and where it stands."""
        return LabelsError(self.path, [f"{self.places[key]}: {said}" for key, said in problems.items()])


def load_labels(path: Path) -> Labels:
    """Read labels from a .csv or .jsonl file.

    Its columns are ``key``, ``label`` and, where several people label, ``rater``. Rows without a label are those
    that nobody has labelled yet. Other columns do not matter.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    LabelsError
        If it cannot be read, or holds a key that is none, an unknown label, or two labels of one reply by one rater;
        the message lists the rows.
    """
    _check_suffix(path)
    text = decoded(path, LabelsError, read_bytes(path, LabelsError, _MOST_BYTES))
    given: dict[str, dict[str, str]] = {}
    places: dict[tuple[str, str], str] = {}
    problems = []
    for place, row in (_csv_rows if path.suffix == ".csv" else _json_rows)(path, text):
        key, label, rater = (str(row.get(name) or "").strip() for name in ("key", "label", "rater"))
        if not label:
            continue
        if wrong := _wrong_with(key, label, rater):
            problems.append(f"{place}: {wrong}")
        elif (key, rater) in places:
            who = f" by {rater}" if rater else ""
            problems.append(f"{place}: {places[key, rater]} labels the same reply{who}; delete one of them")
        else:
            places[key, rater] = place
            given.setdefault(key, {})[rater] = _LABELS[label.lower()]
    if problems or not given:
        raise LabelsError(path, problems or ["no row has a label; write one into the column label"])
    first: dict[str, str] = {}
    for (key, _), place in places.items():
        first.setdefault(key, place)
    return Labels(path, given, first)


def check_new(path: Path) -> None:
    """Make sure that a file for replies to label can be written: nobody's labels are overwritten.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    LabelsError
        If it exists, or has another suffix than `SUFFIXES`.
    """
    _check_suffix(path)
    if path.exists():
        raise LabelsError(path, ["exists, and may hold labels; name a new file for --llmpref-to-label"])


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise LabelsError(path, [f"unknown suffix; name a file that ends in {' or '.join(SUFFIXES)}"])


def _wrong_with(key: str, label: str, rater: str) -> str:
    """Say what is wrong with a row; empty if nothing is."""
    if not _KEY.fullmatch(key):
        return f"key is {shown(key)}; write the 32 hexadecimal digits of a trial's key, as in results.json"
    if label.lower() not in _LABELS:
        return f"label is {shown(label)}; write one of {', '.join(_LABELS.values())}"
    if len(rater) > _LONGEST_NAME:
        return f"rater is {shown(rater)}; write a name of at most {_LONGEST_NAME} characters"
    return ""


def _csv_rows(path: Path, text: str) -> Iterator[_Row]:
    # Not split into lines before: replies have several.
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heads = [head.strip().lower() for head in next(rows, [])]
        if missing := [name for name in ("key", "label") if name not in heads]:
            raise LabelsError(path, [f"row 1: there is no column {missing[0]}; the columns are key, label and rater"])
        for number, row in enumerate(rows, start=2):
            yield f"row {number}", dict(zip(heads, row, strict=False))
    except csv.Error as error:
        raise LabelsError(path, [f"line {rows.line_num}: not CSV ({error}); fix it there"]) from error


def _json_rows(path: Path, text: str) -> Iterator[_Row]:
    # Not splitlines: JSON strings may hold U+2028, which is no end of a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # an overlong number is no JSONDecodeError
            raise LabelsError(path, [f"line {number}: not JSON: {error}; fix it there"]) from error
        if not isinstance(row, dict):
            raise LabelsError(path, [f"line {number}: not a JSON object; write one a line"])
        yield f"line {number}", row
