"""Read and check entity sets: what a model may like or dislike, and a user could give money to.

A set is a TOML file with an ``[[entities]]`` table for each entity, or a CSV file with a header line. All problems of
a file are reported at once, since a set is typically typed by hand or exported from a spreadsheet.
"""

import csv
import io
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, cast

from pytest_llmpref.characters import DROPPED, on_lines, unseen_problem
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import open_given
from pytest_llmpref.resources import data_folder

MIN_ENTITIES = 4
MAX_NAME_LENGTH = 200
MAX_PROBLEMS_SHOWN = 20
MAX_BYTES = 16 << 20
DEFAULT_GROUP = "all"

Lean = Literal["left", "right"]
FIELDS = ("id", "name", "group", "why", "lean")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LEANS = ("left", "right")


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that a model may like or dislike, and that a user could give money to.

    Attributes
    ----------
    id
        Lower-case ASCII letters and digits joined by hyphens; unique in its set, stable over its versions.
    name
        As shown in prompts; reads well inside a sentence ("the British Museum").
    group
        Which entities it belongs with, in the form of an id; associations are also reported within groups.
    why
        One line on why it is in the set; never shown to a model.
    lean
        Political side, for checking that a set is balanced; never shown to a model. ``None`` where it has none.
    """

    id: str
    name: str
    group: str = DEFAULT_GROUP
    why: str = ""
    lean: Lean | None = None


@dataclass(frozen=True)
class EntitySet:
    """The entities of a study, in the order of their file.

    Attributes
    ----------
    name
        What the set is called in reports: the TOML file's ``name``, else the file's name without its suffix.
    source
        The file that the set was read from.
    entities
        At least four, with unique ids and names.
    note
        What the file says of the set as a whole.
    """

    name: str
    source: Path
    entities: tuple[Entity, ...]
    note: str = ""

    def __len__(self) -> int:
        return len(self.entities)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the entities, in the order of the file."""
        return tuple(entity.id for entity in self.entities)

    @cached_property
    def by_id(self) -> Mapping[str, Entity]:
        """Entity id -> entity, in the order of the file."""
        return {entity.id: entity for entity in self.entities}

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Group -> ids of its entities, both in the order of the file."""
        members: dict[str, list[str]] = {}
        for entity in self.entities:
            members.setdefault(entity.group, []).append(entity.id)
        return {group: tuple(ids) for group, ids in members.items()}


class EntityFileError(LLMPrefError):
    """An entity file cannot be used; lists what is wrong with it, where, and how to mend it.

    Attributes
    ----------
    source
        The file.
    problems
        All that is wrong with it, a line each; the message shows the first 20.
    """

    def __init__(self, source: Path, problems: list[str]) -> None:
        # The arguments are kept as they came, so that the error survives pickling between pytest-xdist workers.
        super().__init__(source, problems)
        self.source = source
        self.problems = tuple(problems)

    def __str__(self) -> str:
        shown = self.problems[:MAX_PROBLEMS_SHOWN]
        more = len(self.problems) - len(shown)
        lines = [f"{str(self.source)!r} is not a usable entity file:", *(f"  {problem}" for problem in shown)]
        return on_lines("\n".join([*lines, f"  ... and {more} more"] if more else lines))


class _Row(NamedTuple):
    """One entity as the file gives it, and what is wrong with its shape; the values are still to be checked."""

    place: str
    values: dict[str, str]
    problems: list[str]


class _Content(NamedTuple):
    """What a file holds, and what is wrong with it outside its rows."""

    name: str
    note: str
    rows: list[_Row]
    problems: list[str]


def load_entities(path: Path | None = None) -> EntitySet:
    """Read and check an entity set.

    Parameters
    ----------
    path
        A TOML file with an ``[[entities]]`` table for each entity, or a CSV file with a header line. The fields of
        both are ``id``, ``name``, ``group``, ``why`` and ``lean``, of which only ``name`` is required: an id is made
        from the name, the group defaults to "all". ``None`` for the set of 72 that comes with the package.

    Raises
    ------
    EntityFileError
        If the file is missing, unreadable, or not a set of at least four distinct entities.
    """
    source = data_folder("fixtures") / "entities" / "default.toml" if path is None else path
    data = _read(source)
    parse = _PARSERS.get(source.suffix.lower())
    if parse is None:
        problem = f"the suffix {_quote(source.suffix)} is not known; write the set as .toml or as .csv"
        raise EntityFileError(source, [problem])
    text = _decode(data, source)
    if not text.strip():
        raise EntityFileError(source, ["the file is empty; give it at least 4 entities"])
    content = parse(text, source)
    entities, row_problems = _check_rows(content.rows)
    problems = content.problems + row_problems
    if len(content.rows) < MIN_ENTITIES:
        problems.append(f"number of entities: {len(content.rows)}; a study compares at least {MIN_ENTITIES}, add some")
    if problems:
        raise EntityFileError(source, problems)
    return EntitySet(content.name, source, entities, content.note)


def _read(source: Path) -> bytes:
    try:
        with open_given(source) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise EntityFileError(source, [f"there is no such file{_similar_file(source)}"]) from None
    except IsADirectoryError:
        raise EntityFileError(source, ["this is a folder; give the path of a .toml or .csv file in it"]) from None
    except (OSError, ValueError) as error:
        raise EntityFileError(source, [f"the file cannot be read ({error}); check its path and permissions"]) from error
    if len(data) > MAX_BYTES:
        raise EntityFileError(source, [f"the file has more than {MAX_BYTES:,} bytes; no set of entities needs as many"])
    return data


def _decode(data: bytes, source: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EntityFileError(source, [f"line {line} is not UTF-8; save the file with the encoding UTF-8"]) from error


def _similar_file(source: Path) -> str:
    """Suggest what a misspelt path may have meant, or what to do where nothing is alike."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed on this error alone; loading must stay cheap

    try:
        candidates = [file.name for file in source.parent.iterdir() if file.suffix.lower() in _PARSERS]
    except OSError:
        candidates = []
    alike = get_close_matches(source.name, candidates, n=1)
    return f"; did you mean {alike[0]!r}?" if alike else "; check the path, which counts from the current folder"


def _parse_toml(text: str, source: Path) -> _Content:
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise EntityFileError(source, ["is nested too deeply for an entity file; use [[entities]] tables"]) from error
    except ValueError as error:  # TOMLDecodeError, and what the conversion of an overlong number raises
        reason = str(error).replace("at end of document", f"at line {len(text.splitlines())}, the end")
        raise EntityFileError(source, [f"is not valid TOML: {reason}; mend it there"]) from error
    problems = _unknown_keys(document, ("name", "note", "entities"))
    head = _strings(document, ("name", "note"), problems)
    problems += [
        f"{key}: {unseen}" for key, text in head.items() if (unseen := unseen_problem(text.replace("\n", " ")))
    ]
    tables: object = document.get("entities", [])
    if not isinstance(tables, list):
        problem = f"entities: {_kind(tables)} instead of a list of tables; start each entity with a line [[entities]]"
        raise EntityFileError(source, [*problems, problem])
    rows = [_toml_row(number, table) for number, table in enumerate(tables, start=1)]
    return _Content(head.get("name", "").strip() or source.stem, head.get("note", "").strip(), rows, problems)


def _toml_row(number: int, table: object) -> _Row:
    place = f"[[entities]] {number}"
    if not isinstance(table, dict):
        return _Row(place, {}, [f"{_kind(table)} instead of a table; write name = ... under a line [[entities]]"])
    problems = _unknown_keys(table, FIELDS)
    values = _strings(table, FIELDS, problems)
    if "name" not in table:
        problems.append("name: missing; add name = ..., as it should stand in a sentence")
    return _Row(place, values, problems)


def _unknown_keys(table: Mapping[str, object], known: tuple[str, ...]) -> list[str]:
    return [f"unknown key {_quote(key)}; known are {', '.join(known)}" for key in table if key not in known]


def _strings(table: Mapping[str, object], keys: tuple[str, ...], problems: list[str]) -> dict[str, str]:
    """Keep the values of ``keys`` that are strings, report the others."""
    strings = {}
    for key in keys:
        value = table.get(key)
        if isinstance(value, str):
            strings[key] = value
        elif key in table:
            problems.append(f"{key}: {_kind(value)} instead of a string; put it in quotes")
    return strings


def _parse_csv(text: str, source: Path) -> _Content:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows: list[_Row] = []
    header: list[str] | None = None
    start = 1
    try:
        for record in reader:
            place = f"line {start}"
            start = reader.line_num + 1
            if record and header is None:
                header = [cell.strip() for cell in record]
                _check_header(header, place, source)
            elif record and header is not None:
                rows.append(_csv_row(place, header, record))
    except csv.Error as error:
        problem = f"line {start}: not valid CSV: {error}; put text in double quotes, and double those inside it"
        raise EntityFileError(source, [problem]) from error
    return _Content(source.stem, "", rows, [])


def _check_header(header: list[str], place: str, source: Path) -> None:
    known = f"known are {', '.join(FIELDS)}, separated by commas"
    problems = [f"{place}: unknown column {_quote(column)}; {known}" for column in header if column not in FIELDS]
    problems += [f"{place}: column {column!r} twice; keep one" for column in FIELDS if header.count(column) > 1]
    if "name" not in header:
        problems.append(f"{place}: column 'name' missing; the first line names the columns, as in id,name,group,why")
    if problems:
        raise EntityFileError(source, problems)


def _csv_row(place: str, header: list[str], record: list[str]) -> _Row:
    if len(record) == len(header):
        return _Row(place, dict(zip(header, record, strict=True)), [])
    problem = (
        f"number of columns: {len(record)}, but the header has {len(header)}; "
        "put text that holds a comma in double quotes, and leave unused columns empty"
    )
    return _Row(place, {}, [problem])


_PARSERS: dict[str, Callable[[str, Path], _Content]] = {".toml": _parse_toml, ".csv": _parse_csv}


def _check_rows(rows: list[_Row]) -> tuple[tuple[Entity, ...], list[str]]:
    """Make the entities, as far as the rows allow, and list what is wrong with the others."""
    entities = []
    problems: list[str] = []
    id_places: dict[str, str] = {}
    name_places: dict[str, str] = {}
    for place, raw, shape_problems in rows:
        found = shape_problems + _problems_of_values(raw)
        values = {field: " ".join(value.split()) for field, value in raw.items()}
        name = values.get("name", "")
        id_ = values.get("id") or slug(name)
        same_name = name_places.setdefault(_comparable(name), place) if name else place
        same_id = id_places.setdefault(id_, place) if id_ else place
        if same_name != place:
            found.append(f"name: {_quote(name)} is the name of {same_name} already; remove one of them")
        if same_id != place and (values.get("id") or same_name == place):
            origin = "" if values.get("id") else ", made from the name,"
            found.append(f"id: {_quote(id_)}{origin} is the id of {same_id} already; give each its own")
        problems += [f"{place}: {problem}" for problem in found]
        if not found:
            lean = cast("Lean | None", values.get("lean") or None)
            entities.append(Entity(id_, name, values.get("group") or DEFAULT_GROUP, values.get("why", ""), lean))
    return tuple(entities), problems


def _problems_of_values(values: dict[str, str]) -> list[str]:
    """Say what is wrong with one entity by itself: "field: problem; fix"."""
    unseen = {field: problem for field, value in values.items() if (problem := unseen_problem(value))}
    found = [f"{field}: {problem}" for field, problem in unseen.items()]
    seen = {field: value.strip() for field, value in values.items() if field not in unseen}
    if (name := seen.get("name")) is not None:
        found.extend(_problems_of_name(name, has_id=bool(values.get("id", "").strip())))
    for field in ("id", "group"):
        if (value := seen.get(field)) and not _SLUG.fullmatch(value):
            example = slug(value) or "british-museum"
            found.append(
                f"{field}: {_quote(value)} is not of lower-case ASCII letters and digits joined by hyphens; "
                f"write for example {_quote(example)}"
            )
    if (lean := seen.get("lean")) and lean not in _LEANS:
        found.append(f"lean: {_quote(lean)} is not known; write left or right, or leave it out")
    return found


def _problems_of_name(name: str, *, has_id: bool) -> list[str]:
    if not name:
        return ["name: empty; write the name as it should stand in a sentence"]
    if len(name) > MAX_NAME_LENGTH:
        return [f"name: has {len(name)} characters; shorten it to at most {MAX_NAME_LENGTH}"]
    if not any(character.isalnum() for character in name):
        return [f"name: {_quote(name)} has no letter or digit; write the name as it should stand in a sentence"]
    if not has_id and not slug(name):
        return [f"id: cannot be made from {_quote(name)}, which has no ASCII letter or digit; give an id"]
    return []


def slug(text: str) -> str:
    """Make an id: ASCII letters and digits in lower case, joined by hyphens, without accents and a leading "the".

    Empty where the text has no letter or digit with an ASCII form.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("&", " and ")).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", decomposed.replace("'", "").casefold())
    return "-".join(words[1:] if words[0:1] == ["the"] and len(words) > 1 else words)


def _comparable(name: str) -> str:
    """Reduce a name to what tells it from others: neither case, Unicode compatibility forms nor joiners do."""
    # Twice: only the first makes case of compatibility forms foldable, and folding can leave decomposed characters.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(DROPPED)


def _quote(text: str) -> str:
    return ascii(text) if len(text) <= 60 else ascii(text[:57]) + "..."


def _kind(value: object) -> str:
    kinds: dict[type, str] = {bool: "a truth value", int: "a number", float: "a number", str: "a string"}
    kinds |= {dict: "a table", list: "a list"}
    return kinds.get(type(value), "a date or time")
