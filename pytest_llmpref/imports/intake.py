"""From the rows of a table to the files of imported models: whose a row is, which measure's, and whether it counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.config.reading import parse_toml, read_bytes, shown
from pytest_llmpref.imports.cells import Cells, ImportFileError, TableRow
from pytest_llmpref.imports.naming import Names
from pytest_llmpref.imports.rows import Given, Row
from pytest_llmpref.imports.store import FOLDER, Writer
from pytest_llmpref.imports.tables import sha256_of

ALL = "all"
"""What ``--model`` says for every model of a file."""
MOST_WORDINGS = 1_000
"""Wordings of one measure; more are prompts as a whole. Our choice."""
MOST_IDS = 10_000_000
"""Rows whose ids are kept, to find duplicates. Our choice."""
_MOST_UNKNOWN = 20
_MOST_MAPPING = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user wants of a file.

    Attributes
    ----------
    folder
        Of the cassettes.
    name
        Name of the imported model, after ``imported/``; empty for that in the data.
    models
        Those of the file that are imported; none for the only one that there is, `ALL` for each.
    measure
        The measure of every row; empty if a column tells.
    measures
        The data's word for a measure -> the measure.
    columns
        Our name of a column -> the data's.
    values
        The data's word for what came of a question -> ours.
    entities
        The entities that there may be; ``None`` for all that the data name.
    read_by, present
        As in `imports.store.Writer`.
    """

    folder: Path
    name: str = ""
    models: tuple[str, ...] = ()
    measure: str = ""
    measures: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    entities: EntitySet | None = None
    read_by: str = "given"
    present: str = "error"


class MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a mapping file says: as the attributes of `Wanted` of these names."""

    columns: dict[str, str] = {}
    values: dict[str, str] = {}
    measures: dict[str, str] = {}


def load_mapping(path: Path) -> MappingFile:
    """Read a mapping file: TOML with the tables ``columns``, ``values`` and ``measures``.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ImportFileError
        If it is none.
    """
    table = parse_toml(path, ImportFileError, read_bytes(path, ImportFileError, _MOST_MAPPING))
    try:
        return msgspec.convert(table, MappingFile)
    except msgspec.ValidationError as error:
        raise ImportFileError(path, [f"{error}; write the tables columns, values and measures, of texts"]) from None


class Left(Exception):  # noqa: N818 - no error: the row is counted, and left out
    """A row is left out; the argument says why, in a few words that are counted."""


class Intake:
    """Takes the rows of one file, and writes those that count. Use it in a ``with`` statement.

    Parameters
    ----------
    source
        The file.
    wanted
        What the user wants of it.
    columns
        Our names of the columns that it may have.
    words
        What the data may say of what came of a question.
    """

    def __init__(self, source: Path, wanted: Wanted, columns: Iterable[str], words: Iterable[Given]) -> None:
        self.source, self.wanted = source, wanted
        self.cells = Cells(source, wanted.columns, columns)
        self.names = Names(source, wanted.entities)
        self.writers: dict[str, Writer] = {}
        self.of_others = 0
        self._words: dict[str, Given] = {word: word for word in words if word}
        self._values = {theirs.casefold(): self._own_word(theirs, ours) for theirs, ours in wanted.values.items()}
        self._sha256 = sha256_of(source)
        self._unknown: dict[str, str] = {}
        self._ids: dict[str, set[int]] = {}
        self._open = ExitStack()

    def _own_word(self, theirs: str, ours: str) -> Given:
        if ours not in self._words:
            said = f"--value {theirs}={ours}: {shown(ours)} is no outcome; those are {', '.join(self._words)}"
            raise ImportFileError(self.source, [said])
        return self._words[ours]

    def take(self, row: TableRow, read: Callable[["Intake", Writer], Iterator[Row]]) -> None:
        """Take a row.

        Parameters
        ----------
        row
            The row.
        read
            Given this and the writer of the row's model, yields the replies in it, or raises `Left`.
        """
        self.cells.put(row)
        writer = self._writer()
        if writer is None:
            self.of_others += 1
            return
        writer.seen += 1
        try:
            self._check_id(writer)
            for one in read(self, writer):
                writer.add(one)
        except Left as why:
            writer.excluded[str(why)] += 1

    def _writer(self) -> Writer | None:
        """Return the writer of the row's model; ``None`` if it is not wanted."""
        model = self.cells.text("model")
        wanted = self.wanted.models
        if wanted and ALL not in wanted and model not in wanted:
            return None
        if model in self.writers:
            return self.writers[model]
        if self.writers and not wanted:
            known = shown(next(iter(self.writers)))
            said = (
                f"another model, {shown(model)} beside {known}; choose by --model NAME, or take each by --model {ALL}"
            )
            raise self.cells.error(said)
        if self.writers and self.wanted.name:
            raise self.cells.error("--name names one model, and there are several; leave it out")
        name = self.wanted.name or model
        if not name:
            raise self.cells.error("no column says which model answered; name it by --name NAME")
        self.writers[model] = self._opened(f"{FOLDER}/{name.removeprefix(f'{FOLDER}/')}")
        return self.writers[model]

    def _opened(self, name: str) -> Writer:
        wanted = self.wanted
        writer = self._open.enter_context(
            Writer(wanted.folder, name, self.source, self._sha256, read_by=wanted.read_by, present=wanted.present)
        )
        if wanted.entities is None:
            for entity in writer.entities.values():
                self.names.learn(entity)
        return writer

    def _check_id(self, writer: Writer) -> None:
        if not (given := self.cells.text("id")):
            return
        seen = self._ids.setdefault(writer.model, set())
        if (number := hash(given)) in seen:
            raise Left("duplicate id")
        seen.add(number)
        if len(seen) > MOST_IDS:
            raise self.cells.error(f"more than {MOST_IDS:,} ids; leave the column out by --column id=")

    def measure(self, possible: Iterable[str]) -> str:
        """Return the measure that the row belongs to."""
        if self.wanted.measure:
            return self.wanted.measure
        said = self.cells.text("condition")
        found = self.wanted.measures.get(said, said)
        if found not in possible:
            names = ", ".join(possible)
            if not said:
                raise self.cells.error(f"no column says which measure a row belongs to; name it by --measure: {names}")
            raise self.cells.error(f"condition {shown(said)} is no measure; --measure {said}=NAME says which: {names}")
        return found

    def entity(self, writer: Writer, column: str) -> str:
        """Return the id of the entity in a column.

        Raises
        ------
        Left
            If there is none that counts.
        """
        cell = self.cells[column]
        if cell is None and not self.cells.has(column):
            raise self.cells.error(f"no column {column!r}; say which holds it by --column {column}=THEIRS")
        found = self.names.of(cell)
        if found is None:
            known = self.wanted.entities
            raise Left("no entity" if cell is None else "unusable name" if known is None else f"not in {known.name}")
        writer.entities.setdefault(found.id, found)
        return found.id

    def word(self, said: str) -> Given:
        """Return what the data say came of a question, in our words.

        Raises
        ------
        Left
            If that is none of them; an error follows at the end of the file, which lists all such.
        """
        folded = said.casefold()
        found = self._values.get(folded) or self._words.get(folded)
        if found is None:
            self._unknown.setdefault(said, self.cells.place)
            if len(self._unknown) >= _MOST_UNKNOWN:
                self._refuse_unknown()
            raise Left("unknown outcome")
        return found

    def wording(self, writer: Writer, measure: str) -> int:
        """Return the number of the row's wording, in its context."""
        said = " / ".join(filter(None, (self.cells.text("wording"), self.cells.text("context"))))
        number = writer.wording(measure, said)
        if number >= MOST_WORDINGS:
            more = f"more than {MOST_WORDINGS:,} wordings and contexts"
            raise self.cells.error(f"{more}; name wordings by what they share, and leave whole prompts out")
        return number

    def _refuse_unknown(self) -> None:
        words = ", ".join(self._words)
        problems = [
            f"{place}: {shown(said)} is no outcome; --value {said}=OURS says which it is: {words}"
            for said, place in self._unknown.items()
        ]
        raise ImportFileError(self.source, problems)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:
            if self._unknown:
                self._refuse_unknown()
            self._check_found()

    def _check_found(self) -> None:
        if missing := [name for name in self.wanted.models if name != ALL and name not in self.writers]:
            raise ImportFileError(self.source, [f"--model {missing[0]}: no row is of this model; check the name"])
        for writer in self.writers.values():
            if not writer.counts:
                why = ", ".join(f"{count:,} {why}" for why, count in writer.excluded.items())
                raise ImportFileError(self.source, [f"{writer.model}: no row counts; left out: {why}"])
        if not self.writers:
            raise ImportFileError(self.source, ["has no rows, so there is nothing to import"])
