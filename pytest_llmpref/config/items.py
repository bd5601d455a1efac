"""Yes/no questions about passages: the bundled set, files in BoolQ's formats, and BoolQ's own development set.

Formats: the bundled TOML; JSON lines or Parquet with BoolQ's fields ``question``, ``passage`` and ``answer``, or with
SuperGLUE's, which calls the answer ``label`` (Wang et al. 2019, arXiv 1905.00537). It is true or false, 1 or 0, "yes"
or "no". Instead, JSON lines may have ``query`` ("Passage: ...", then "Question: ...?"), ``choices`` (no and yes) and
``gold`` (the index of the right one).

BoolQ's development set is fetched into the cache folder of huggingface_hub, and never into a project. Its authors' own
address, a storage bucket that github.com/google-research-datasets/boolean-questions names, answers with an error since
its account was closed (as several projects noted in September and October 2026). What is fetched is the copy that the
authors' organisation publishes on the Hugging Face hub, at a fixed revision. The checksum is the one that the hub lists
for it and that independent projects have pinned; we could not fetch the file ourselves to compare, and whoever does is
protected by the comparison.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from pytest_llmpref.characters import whole_text
from pytest_llmpref.config.reading import UserFileError, fitted, listed, shown
from pytest_llmpref.files import data_folder

DEV = "dev"
"""The name under which BoolQ's development set is asked for."""
REPOSITORY, REVISION = "google/boolq", "35b264d03638db9f4ce671b711558bf7ff0f80d5"
DEV_FILE = "data/validation-00000-of-00001.parquet"
SHA256 = "52355d11524b4b874a9b9dcc278feb10f672d52c4f4eff9872e695ede59820f8"
LICENCE = (
    "BoolQ (Clark et al. 2019, arXiv 1905.10044), development set, 3,270 questions; passages from Wikipedia. "
    "Creative Commons Attribution-ShareAlike 3.0: https://creativecommons.org/licenses/by-sa/3.0/"
)
LONGEST_PASSAGE = 10_000
"""Characters. BoolQ's longest passages have about 5,000; more rarely fits a small model's context with the rest."""
LONGEST_QUESTION = 500
QUERY = r"(?s)\A\s*Passage:\s*(?P<passage>.*?)\s*\n\s*Question:\s*(?P<question>[^\n]*?)\s*(?:\n.*)?\Z"
_ANSWERS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "1.0": True, "0.0": False}
"""What files write for an answer, in lower case."""
_Row = tuple[str, Mapping[str, Any], str]
"""Where a row stands in its file, its fields, and what is wrong with it as a whole."""


class ItemFileError(UserFileError):
    """A file of questions cannot be used."""


@dataclass
class _Question:
    """The texts of a question, as files give them."""

    passage: Annotated[str, Meta(pattern=r"\S", max_length=LONGEST_PASSAGE, description="the passage")]
    question: Annotated[str, Meta(pattern=r"\S", max_length=LONGEST_QUESTION, description="the question")]


@dataclass
class _Query:
    """A question whose text holds the passage."""

    query: Annotated[str, Meta(pattern=QUERY, description='"Passage: ...", then on a new line "Question: ...?"')]
    choices: Annotated[list[str], Meta(min_length=2, max_length=2, description='["no", "yes"]')]
    gold: Annotated[Literal[0, 1], Meta(description="the index of the right choice, 0 or 1")]


@dataclass(frozen=True, slots=True)
class Item:
    """A yes/no question about a passage.

    Attributes
    ----------
    id
        The bundled set's own id, otherwise one derived from passage and question. It does not depend on the order of
        rows in a file.
    passage, question
        On one line each; the question without its question mark.
    answer
        Whether yes is the correct answer.
    """

    id: str
    passage: str
    question: str
    answer: bool


@dataclass(frozen=True, slots=True)
class ItemSet:
    """A set of yes/no questions.

    Attributes
    ----------
    name
        ``bundled``, ``BoolQ dev``, or the name of a file.
    items
        In the order of the file.
    duplicates
        Number of rows left out because they repeat another one.
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
        found = _hub().try_to_load_from_cache(REPOSITORY, DEV_FILE, revision=REVISION, repo_type="dataset")
        if not isinstance(found, str):
            raise ItemFileError(f"--llmpref-boolq {DEV}", ["it was not downloaded; run: llmpref boolq download"])
        return _checked("BoolQ dev", Path(found))
    path = Path(source)
    if path.suffix not in _READERS:
        raise ItemFileError(f"--llmpref-boolq {source}", [f"unknown suffix; give a .jsonl or .parquet file, or {DEV}"])
    if not path.is_file():
        raise ItemFileError(f"--llmpref-boolq {source}", ["no such file; check the path"])
    return _checked(path.name, path)


def download() -> Path:
    """Fetch BoolQ's development set into the cache folder of huggingface_hub, unless it is there, and return its path.

    The library keeps what arrived before a connection broke off, and looks at ``HF_ENDPOINT``, ``HF_HOME`` and
    ``HF_HUB_OFFLINE``. The set is public, so no token is sent.

    Raises
    ------
    ItemFileError
        If it cannot be fetched, or is another file than the one that was published.
    """
    hub = _hub()
    where = f"{REPOSITORY} at {REVISION[:7]}"
    try:
        path = Path(hub.hf_hub_download(REPOSITORY, DEV_FILE, revision=REVISION, repo_type="dataset", token=False))
    except Exception as error:
        said = f"cannot be fetched ({type(error).__name__}: {error})"
        fix = "try again, or give a copy of the file by --llmpref-boolq FILE.parquet"
        raise ItemFileError(where, [f"{said}; {fix}"]) from error
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        for each in {path.resolve(), path}:
            each.unlink()
        said = f"what arrived has the SHA-256 {found}, not {SHA256}, and was deleted"
        raise ItemFileError(where, [f"{said}; check HF_ENDPOINT, and what changes files on their way here"])
    return path


def _hub() -> Any:  # noqa: ANN401 - a module
    try:
        import huggingface_hub  # noqa: PLC0415 - slow to import, and needed by few
    except ImportError:
        fix = 'pip install "pytest-llmpref[boolq]"'
        raise ItemFileError(f"--llmpref-boolq {DEV}", [f"needs huggingface-hub; {fix}"]) from None
    return huggingface_hub


def _checked(name: str, path: Path) -> ItemSet:
    found: dict[str, Item] = {}
    places: dict[str, str] = {}
    problems, rows = [], 0
    for place, row, misshapen in _READERS[path.suffix](path):
        rows += 1
        item, wrong = (None, {"": misshapen}) if misshapen else _item(row)
        problems += listed(wrong, place)
        if item is None:
            continue
        if item.id not in found:
            found[item.id], places[item.id] = item, place
        elif found[item.id] != item:
            same = replace(found[item.id], answer=item.answer) == item
            clash = "is the same question with another answer; delete one" if same else "has the same id; change one"
            problems.append(f"{place}: {places[item.id]} {clash} of them")
    if problems or not found:
        raise ItemFileError(path, problems or ["no questions; write one a line"])
    return ItemSet(name, tuple(found.values()), rows - len(found))


def _item(row: Mapping[str, Any]) -> tuple[Item | None, dict[str, str]]:
    """Return the question that a row holds, or by field what is wrong with it."""
    row, wrong = _parts_of_query(row) if "query" in row else (row, {})
    if wrong:
        return None, wrong
    texts, wrong = fitted(row, _Question, others=True)
    answer, misread = _answer(row)
    wrong |= misread
    for field, text in texts.items():
        if whole_text(text) != text:
            wrong[field] = "holds half a character (a lone surrogate, as \\ud800 is); write the whole one"
    if wrong:
        return None, wrong
    passage, question = (" ".join(texts[field].split()) for field in ("passage", "question"))
    question = question.rstrip("? ")
    own = row.get("id")
    made = hashlib.sha256(f"{passage}\x00{question}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Item(own if isinstance(own, str) and own else made, passage, question, answer), {}


def _answer(row: Mapping[str, Any]) -> tuple[bool, dict[str, str]]:
    """Return whether yes is right, and what is wrong with what the row says of it."""
    given = {name: row[name] for name in ("answer", "label") if row.get(name) is not None}
    read = {
        name: _ANSWERS.get(str(value).strip().lower()) if isinstance(value, str | int | float) else None
        for name, value in given.items()
    }
    for name, answer in read.items():
        if answer is None:
            hidden = ", as in SuperGLUE's test set, which hides its answers" if given[name] == -1 else ""
            return False, {name: f"is {shown(given[name])}{hidden}; write true or false"}
    if len(set(read.values())) > 1:
        said = f"is {shown(given['answer'])}, and label {shown(given['label'])}; delete the wrong one"
        return False, {"answer": said}
    return any(read.values()), {} if read else {"answer": "missing; write true or false"}


def _parts_of_query(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, str]]:
    values, wrong = fitted(row, _Query, others=True)
    words = [choice.strip().lower() for choice in values.get("choices", ("yes", "no"))]
    if sorted(words) != ["no", "yes"]:
        wrong["choices"] = f'is {shown(", ".join(words))}; write ["no", "yes"]'
    if wrong:
        return row, wrong
    match = re.search(QUERY, values["query"])
    return {**(match.groupdict() if match else {}), "answer": words[values["gold"]] == "yes"}, {}


def _toml_rows(path: Path) -> Iterator[_Row]:
    for number, row in enumerate(tomllib.loads(path.read_text(encoding="utf-8"))["items"], start=1):
        yield f"item {number}", row, ""


def _json_rows(path: Path) -> Iterator[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ItemFileError(path, [f"cannot be read as UTF-8 ({error}); save it with that encoding"]) from error
    # Not splitlines: JSON strings may hold U+2028, which is no end of a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            wrong = "" if isinstance(row, dict) else "not a JSON object; write one a line"
        except (ValueError, RecursionError) as error:  # an overlong number is no JSONDecodeError
            row, wrong = {}, f"not JSON: {error}; fix it there"
        yield f"line {number}", row, wrong


def _parquet_rows(path: Path) -> Iterator[_Row]:
    import pandas as pd  # noqa: PLC0415 - slow to import, and needed by few

    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise ItemFileError(path, ['Parquet needs pyarrow; pip install "pytest-llmpref[boolq]"']) from None
    except Exception as error:
        raise ItemFileError(path, [f"not a Parquet file that can be read ({error}); fetch it again"]) from error
    columns = [str(column) for column in table.columns]
    for number, values in enumerate(zip(*(table[column].tolist() for column in table.columns), strict=True), start=1):
        yield f"row {number}", dict(zip(columns, values, strict=True)), ""


_READERS: dict[str, Callable[[Path], Iterator[_Row]]] = {
    ".toml": _toml_rows,
    ".jsonl": _json_rows,
    ".parquet": _parquet_rows,
}
