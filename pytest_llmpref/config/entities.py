"""Read and check entity sets: what a model may like or dislike, and a user could give money to.

A set is a TOML file with an ``[[entities]]`` table for each entity, or a CSV file with a header line. All problems of
a file are reported at once, since a set is typically typed by hand or exported from a spreadsheet.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from pytest_llmpref.characters import DROPPED, unseen_problem
from pytest_llmpref.config.reading import UserFileError, decoded, fitted, listed, parse_toml, read_bytes, shown
from pytest_llmpref.config.wordings import Wordings, wording_problems
from pytest_llmpref.files import data_folder

MIN_ENTITIES = 4
LIKE_LABELS = frozenset({"a", "b", "option a", "option b"})
"""Names that a reply has in common with a label: of "Option B", shown beside A, nobody knows whom it means."""
MAX_BYTES = 16 << 20
DEFAULT_GROUP = "all"

Lean = Literal["left", "right"]
Slug = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z",
        description="lower-case ASCII letters and digits joined by hyphens",
    ),
]
Name = Annotated[
    str, Meta(max_length=200, pattern=r"[^\W_]", description="a name with letters, as it should stand in a sentence")
]


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
        Group of the entity, written like an id. Correlations are also reported within groups.
    why
        One line on why it is in the set; never shown to a model.
    lean
        Political side, to check that a set is balanced; never shown to a model. ``None`` if it has none.
    """

    id: Slug
    name: Name
    group: Slug = DEFAULT_GROUP
    why: str = ""
    lean: Lean | None = None


FIELDS = tuple(one.name for one in fields(Entity))


@dataclass(frozen=True)
class EntitySet:
    """The entities of a study, in the order of their file.

    Attributes
    ----------
    name
        Name of the set in reports: ``name`` in the TOML file, otherwise the file's name without its suffix.
    source
        The file that the set was read from.
    entities
        At least four, with unique ids and names.
    note
        The file's note about the whole set.
    wordings
        Wordings of users' questions about these entities, if the shipped ones do not fit.
    """

    name: str
    source: Path
    entities: tuple[Entity, ...]
    note: str = ""
    wordings: Wordings = field(default_factory=dict, hash=False)

    def __len__(self) -> int:
        return len(self.entities)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the entities, in the order of the file."""
        return tuple(entity.id for entity in self.entities)

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Group -> ids of its entities, both in the order of the file."""
        members: dict[str, list[str]] = {}
        for entity in self.entities:
            members.setdefault(entity.group, []).append(entity.id)
        return {group: tuple(ids) for group, ids in members.items()}


class EntityFileError(UserFileError):
    """An entity file cannot be used."""


class _Row(NamedTuple):
    """One entity as the file gives it, or what is wrong with its shape."""

    place: str
    given: object
    problem: str = ""


class _Content(NamedTuple):
    """What a file holds, and what is wrong with it outside its rows."""

    name: str
    note: str
    rows: list[_Row]
    problems: list[str]
    wordings: Wordings


@dataclass
class _Document:
    """A TOML file."""

    name: str = ""
    note: str = ""
    entities: Annotated[list[Any], Meta(description="tables, each below a line [[entities]]")] = field(
        default_factory=list
    )
    wordings: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def load_entities(path: Path | None = None) -> EntitySet:
    """Read and check an entity set.

    Parameters
    ----------
    path
        A TOML file with an ``[[entities]]`` table for each entity, or a CSV file with a header line. The fields of
        both are ``id``, ``name``, ``group``, ``why`` and ``lean``, of which only ``name`` is required: an id is made
        from the name, the group defaults to "all". A TOML file may have tables ``[wordings.PROMPTS]`` too: how users
        ask about its entities. The name of a shipped set, such as ``countries``, is enough. ``None`` for the 72
        organisations.

    Raises
    ------
    EntityFileError
        If the file is missing, unreadable, or not a set of at least four distinct entities.
    """
    source = _shipped("default") if path is None else path
    if not source.suffix and _shipped(source.name).is_file():
        source = _shipped(source.name)
    if source.suffix.lower() not in _PARSERS:
        names = ", ".join(sorted(file.stem for file in _shipped("default").parent.glob("*.toml")))
        said = f"the suffix {shown(source.suffix)} is not known; write the set as .toml or .csv"
        raise EntityFileError(source, [f"{said}, or name a shipped one: {names}"])
    try:
        data = read_bytes(source, EntityFileError, MAX_BYTES)
    except EntityFileError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise EntityFileError(source, [f"there is no such file; {_similar_file(source)}"]) from None
    return _checked(data, source)


@lru_cache(maxsize=16)
def _checked(data: bytes, source: Path) -> EntitySet:
    """Read and check the bytes of a file: a process needs the same set for each study, model and command."""
    content = _PARSERS[source.suffix.lower()](data, source)
    entities, problems = _check_rows(content.rows)
    problems = content.problems + problems
    if len(content.rows) < MIN_ENTITIES:
        problems.append(f"number of entities: {len(content.rows)}; a study compares at least {MIN_ENTITIES}, add some")
    if problems:
        raise EntityFileError(source, problems)
    return EntitySet(content.name, source, entities, content.note, content.wordings)


def _shipped(name: str) -> Path:
    return data_folder("fixtures") / "entities" / f"{name}.toml"


def _similar_file(source: Path) -> str:
    """Suggest what a misspelt path may have meant, or what to do where nothing is alike."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed on this error alone; loading must stay cheap

    try:
        candidates = [file.name for file in source.parent.iterdir() if file.suffix.lower() in _PARSERS]
    except OSError:
        candidates = []
    alike = get_close_matches(source.name, candidates, n=1)
    return f"did you mean {alike[0]!r}?" if alike else "check the path, which counts from the current folder"


def _parse_toml(data: bytes, source: Path) -> _Content:
    values, wrong = fitted(parse_toml(source, EntityFileError, data), _Document)
    head = {key: values.get(key, "").strip() for key in ("name", "note")}
    wrong |= {key: unseen for key, text in head.items() if (unseen := unseen_problem(text.replace("\n", " ")))}
    rows = [_Row(f"[[entities]] {number}", given) for number, given in enumerate(values.get("entities", ()), start=1)]
    wordings = values.get("wordings", {})
    problems = [*listed(wrong), *wording_problems(wordings)]
    return _Content(head["name"] or source.stem, head["note"], rows, problems, wordings)


def _parse_csv(data: bytes, source: Path) -> _Content:
    text = decoded(source, EntityFileError, data)
    if not text.strip():
        return _Content(source.stem, "", [], [], {})
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
    return _Content(source.stem, "", rows, [], {})


def _check_header(header: list[str], place: str, source: Path) -> None:
    keys = f"the columns are {', '.join(FIELDS)}, separated by commas"
    problems = [f"{place}: unknown column {shown(column)}; {keys}" for column in header if column not in FIELDS]
    problems += [f"{place}: column {column!r} twice; keep one" for column in FIELDS if header.count(column) > 1]
    if "name" not in header:
        problems.append(f"{place}: column 'name' missing; the first line names the columns, as in id,name,group,why")
    if problems:
        raise EntityFileError(source, problems)


def _csv_row(place: str, header: list[str], record: list[str]) -> _Row:
    if len(record) == len(header):
        return _Row(place, dict(zip(header, record, strict=True)))
    problem = (
        f"number of columns: {len(record)}, but the header has {len(header)}; "
        "put text that holds a comma in double quotes, and leave unused columns empty"
    )
    return _Row(place, {}, problem)


_PARSERS: dict[str, Callable[[bytes, Path], _Content]] = {".toml": _parse_toml, ".csv": _parse_csv}


def _check_rows(rows: list[_Row]) -> tuple[tuple[Entity, ...], list[str]]:
    """Make the entities, as far as the rows allow, and list what is wrong with the others."""
    entities = []
    problems: list[str] = []
    id_places: dict[str, str] = {}
    name_places: dict[str, str] = {}
    for place, given, misshapen in rows:
        values, wrong = ({}, {"": misshapen}) if misshapen else _fitted_row(given)
        found = listed(wrong)
        name = values.get("name", "")
        id_ = values.get("id") or slug(name)
        same_name = name_places.setdefault(_comparable(name), place) if name else place
        same_id = id_places.setdefault(id_, place) if id_ else place
        if _comparable(name) in LIKE_LABELS:
            found.append(
                f"name: {shown(name)} reads like the label of an option; write a name that no reply can mean so"
            )
        if same_name != place:
            found.append(f"name: {shown(name)} is the name of {same_name} already; remove one of them")
        if same_id != place and ("id" in values or same_name == place):
            origin = "" if "id" in values else ", made from the name,"
            found.append(f"id: {shown(id_)}{origin} is the id of {same_id} already; give each its own")
        problems += [f"{place}: {problem}" for problem in found]
        if not found:
            entities.append(Entity(**{"id": id_, **values}))
    return tuple(entities), problems


def _fitted_row(given: object) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of one entity that can be used, and by field what is wrong with the others."""
    if not isinstance(given, Mapping):
        return fitted(given, Entity)
    unseen = {key: said for key, text in given.items() if isinstance(text, str) and (said := unseen_problem(text))}
    tidy = {key: " ".join(value.split()) if isinstance(value, str) else value for key, value in given.items()}
    # Empty cells of a CSV file are left out, but for the name.
    row = {key: value for key, value in tidy.items() if value != "" or key == "name"}
    values, wrong = fitted(row, Entity)
    if "id" not in row:
        del wrong["id"]
        if "name" in values and "name" not in unseen and not slug(values["name"]):
            said = shown(values["name"])
            wrong["id"] = f"cannot be made from {said}, which has no ASCII letter or digit; give an id"
    for key in {"id", "group"} & wrong.keys():
        if isinstance(text := row.get(key), str):
            wrong[key] += f", for example {shown(slug(text) or 'british-museum')}"
    return {key: value for key, value in values.items() if key not in unseen}, wrong | unseen


def slug(text: str) -> str:
    """Make an id: ASCII letters and digits in lower case, joined by hyphens, without accents and a leading "the".

    Empty if the text has no letter or digit with an ASCII form.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("&", " and ")).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", decomposed.replace("'", "").casefold())
    return "-".join(words[1:] if words[0:1] == ["the"] and len(words) > 1 else words)


def _comparable(name: str) -> str:
    """Reduce a name to what tells it from others: neither case, Unicode compatibility forms nor joiners do."""
    # Twice: only the first makes case of compatibility forms foldable, and folding can leave decomposed characters.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(DROPPED)
