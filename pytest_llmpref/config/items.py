"""Yes/no questions about passages: the bundled set, files in BoolQ's formats, and BoolQ's own development set.

Formats: the bundled TOML; JSON lines or Parquet with BoolQ's fields ``question``, ``passage`` and ``answer``, or with
SuperGLUE's, which calls the answer ``label`` (Wang et al. 2019, arXiv 1905.00537). It is true or false, 1 or 0, "yes"
or "no". Instead, JSON lines may have ``query`` ("Passage: ...", then "Question: ...?"), ``choices`` (no and yes) and
``gold`` (the index of the right one).
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pytest_llmpref.config.boolq_download import downloaded_file
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import whole_text
from pytest_llmpref.resources import data_folder

DEV = "dev"
"""The name under which BoolQ's development set is asked for."""
LONGEST_PASSAGE = 10_000
"""Characters. BoolQ's longest passages have about 5,000; more rarely fits a small model's context with the rest."""
LONGEST_QUESTION = 500
SHOWN = 5
"""How many of a file's problems are shown."""
_QUERY = re.compile(r"\s*Passage:\s*(?P<passage>.*?)\s*\n\s*Question:\s*(?P<question>[^\n]*?)\s*(?:\n.*)?", re.DOTALL)
_ANSWERS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "1.0": True, "0.0": False}
"""What files write for an answer, in lower case."""
_Row = tuple[str, Mapping[str, Any] | str]
"""Where a row stands in its file, and its fields, or what is wrong with it as a whole."""


class ItemFileError(LLMPrefError):
    """A file of questions that cannot be used; the message names the file, the row, the field and the fix."""


@dataclass(frozen=True, slots=True)
class Item:
    """A yes/no question about a passage.

    Attributes
    ----------
    id
        The bundled set's own, else made from passage and question: it does not depend on the order of a file.
    passage, question
        On one line each; the question without its question mark.
    answer
        Whether yes is right.
    """

    id: str
    passage: str
    question: str
    answer: bool


@dataclass(frozen=True, slots=True)
class ItemSet:
    """Questions.

    Attributes
    ----------
    name
        ``bundled``, ``BoolQ dev``, or the name of a file.
    items
        In the order of the file.
    duplicates
        Rows that repeat another one and were left out.
    """

    name: str
    items: tuple[Item, ...]
    duplicates: int


@cache
def load_items(source: str = "") -> ItemSet:
    """Read questions: the bundled ones (``""``), BoolQ's development set (``dev``), or a .jsonl or .parquet file.

    Raises
    ------
    ItemFileError
        If the file is missing, cannot be read, or holds a row that is no question; all rows are checked.
    """
    if not source:
        return _checked("bundled", data_folder("fixtures") / "boolq" / "items.toml")
    if source == DEV:
        path = downloaded_file()
        if not path.is_file():
            raise ItemFileError(
                "--llmpref-boolq dev: BoolQ's development set was not downloaded; run: llmpref boolq download"
            )
        return _checked("BoolQ dev", path)
    path = Path(source)
    if path.suffix not in _READERS:
        raise ItemFileError(f"--llmpref-boolq {source}: give a .jsonl or .parquet file, or {DEV}")
    if not path.is_file():
        raise ItemFileError(f"--llmpref-boolq {source}: no such file")
    return _checked(path.name, path)


def _checked(name: str, path: Path) -> ItemSet:
    found: dict[str, Item] = {}
    places: dict[str, str] = {}
    problems, rows = [], 0
    for place, row in _READERS[path.suffix](path):
        rows += 1
        item = row if isinstance(row, str) else _item(row)
        if isinstance(item, str):
            problems.append(f"{place}: {item}")
        elif item.id not in found:
            found[item.id], places[item.id] = item, place
        elif found[item.id] != item:
            same = replace(found[item.id], answer=item.answer) == item
            clash = "is the same question with another answer; delete one" if same else "has the same id; change one"
            problems.append(f"{place}: {places[item.id]} {clash} of them")
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ItemFileError(f"{path}: {len(problems)} problems:\n  " + "\n  ".join(problems[:SHOWN]) + more)
    if not found:
        raise ItemFileError(f"{path}: no questions; write one a line")
    return ItemSet(name, tuple(found.values()), rows - len(found))


def _item(row: Mapping[str, Any]) -> Item | str:
    """Return the question that a row holds, or what is wrong with it: "field: problem; fix"."""
    if "query" in row:
        row = _parts_of_query(row)
        if problem := row.get("problem"):
            return str(problem)
    for field, longest in (("passage", LONGEST_PASSAGE), ("question", LONGEST_QUESTION)):
        text = row.get(field)
        if not isinstance(text, str) or not text.strip():
            return f"{field}: missing or empty; write it as a string"
        if len(text) > longest:
            return f"{field}: has {len(text):,} characters; shorten it to at most {longest:,}"
        if whole_text(text) != text:
            return f"{field}: holds half a character (a lone surrogate, as \\ud800 is); write the whole one"
    answer = _answer(row)
    if isinstance(answer, str):
        return answer
    passage, question = (" ".join(row[field].split()) for field in ("passage", "question"))
    question = question.rstrip("? ")
    own = row.get("id")
    made = hashlib.sha256(f"{passage}\x00{question}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Item(own if isinstance(own, str) and own else made, passage, question, answer)


def _answer(row: Mapping[str, Any]) -> bool | str:
    """Return whether yes is right, or what is wrong with what the row says of it."""
    given = {name: row[name] for name in ("answer", "label") if row.get(name) is not None}
    read = {name: _ANSWERS.get(str(value).strip().lower()) for name, value in given.items()}
    for name, answer in read.items():
        if answer is None:
            hidden = ", as in SuperGLUE's test set, which hides its answers" if given[name] == -1 else ""
            return f"{name}: is {given[name]!r}{hidden}; write true or false"
    found = set(read.values())
    if len(found) > 1:
        return f"answer: is {given['answer']!r}, and label {given['label']!r}; delete the wrong one"
    return bool(found.pop()) if found else "answer: is missing; write true or false"


def _parts_of_query(row: Mapping[str, Any]) -> Mapping[str, Any]:
    query, choices, gold = row["query"], row.get("choices"), row.get("gold")
    match = _QUERY.fullmatch(query) if isinstance(query, str) else None
    if not match:
        return {"problem": 'query: not of the form "Passage: ...", then on a new line "Question: ...?"; write it so'}
    words = [str(choice).strip().lower() for choice in choices] if isinstance(choices, list) else []
    if sorted(words) != ["no", "yes"]:
        return {"problem": f'choices: is {choices!r}; write ["no", "yes"]'}
    if isinstance(gold, bool) or gold not in {0, 1}:
        return {"problem": f"gold: is {gold!r}; write the index of the right choice, 0 or 1"}
    return {**match.groupdict(), "answer": words[gold] == "yes"}


def _toml_rows(path: Path) -> Iterator[_Row]:
    for number, row in enumerate(tomllib.loads(path.read_text(encoding="utf-8"))["items"], start=1):
        yield f"item {number}", row


def _json_rows(path: Path) -> Iterator[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ItemFileError(f"{path}: cannot be read as UTF-8: {error}") from error
    # Not splitlines: JSON strings may hold U+2028, which is no end of a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            row = f"not JSON: {error}"
        yield f"line {number}", row if isinstance(row, dict | str) else "not a JSON object; write one a line"


def _parquet_rows(path: Path) -> Iterator[_Row]:
    import pandas as pd  # noqa: PLC0415 - slow to import, and needed by few

    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise ItemFileError(f'{path}: reading Parquet needs pyarrow; pip install "pytest-llmpref[boolq]"') from None
    except Exception as error:
        raise ItemFileError(f"{path}: not a Parquet file that can be read: {error}") from error
    columns = [str(column) for column in table.columns]
    for number, values in enumerate(zip(*(table[column].tolist() for column in table.columns), strict=True), start=1):
        yield f"row {number}", dict(zip(columns, values, strict=True))


_READERS: dict[str, Callable[[Path], Iterator[_Row]]] = {
    ".toml": _toml_rows,
    ".jsonl": _json_rows,
    ".parquet": _parquet_rows,
}
