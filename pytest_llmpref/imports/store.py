"""The file of an imported model: ``CASSETTES/imported/NAME.jsonl.gz``, a header and a line for each reply.

Rows are written as they come, as one gzip member beside the file; the header, which counts them, becomes the member
before it at the end. So an import of any size takes little memory, and replaces the old file in one step.
"""

import gzip
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from pytest_llmpref.cassettes.files import slug
from pytest_llmpref.config.entities import Entity, EntitySet
from pytest_llmpref.errors import LLMPrefError, MissingError
from pytest_llmpref.files import NotAFileError, explained, open_to_read, refuse_others
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.imports.rows import Header, ImportedEntity, Row
from pytest_llmpref.results.import_record import ImportRecord, SourceRecord
from pytest_llmpref.secrets import Secrets, environment_secrets

FOLDER = "imported"
MOST_ROWS = 5_000_000
"""Replies of one model that are kept: as many as a study can hold in memory. Our choice."""
MOST_ASKED = 2_000_000
"""Different questions of one model, of which each repetition has a number. Our choice."""
_AGAIN = "import it again"


class StoredImportError(LLMPrefError):
    """The file of an imported model cannot be used; the message names the file and the fix."""


class NotImportedError(MissingError):
    """Nothing was imported under a name."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was imported of a model.

    Attributes
    ----------
    header
        Entities, wordings, and where the replies come from.
    rows
        Measure -> its replies, in the order of the data.
    """

    header: Header
    rows: Mapping[str, list[Row]]

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entities, as those of a set."""
        return tuple(Entity(one.id, one.name, one.group) for one in self.header.entities)


def path_of(folder: Path, model: str) -> Path:
    """Return where an imported model is kept.

    Parameters
    ----------
    folder
        Of the cassettes.
    model
        Its name, with ``imported/``.
    """
    return folder / FOLDER / f"{slug(model.removeprefix(f'{FOLDER}/'))}.jsonl.gz"


def load_import(folder: Path, model: str) -> Imported:
    """Read what was imported of a model.

    Parameters
    ----------
    folder
        Of the cassettes.
    model
        Its name, with ``imported/``.

    Raises
    ------
    NotImportedError
        If nothing was.
    StoredImportError
        If its file cannot be read.
    """
    path = path_of(folder, model)
    lines = _lines(path, model)
    header = _decoded(path, next(lines, b""), Header)
    if header.model != model:
        raise StoredImportError(f"{path}: holds {header.model}, not {model}; name that one, or {_AGAIN}")
    rows: dict[str, list[Row]] = {}
    decode = msgspec.json.Decoder(Row).decode
    try:
        for line in lines:
            row = decode(line)
            rows.setdefault(row.measure, []).append(row)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoredImportError(f"{path}: a line cannot be read ({error}); {_AGAIN}") from error
    if (count := sum(map(len, rows.values()))) != header.record.kept:
        raise StoredImportError(f"{path}: {count:,} replies, and its header says {header.record.kept:,}; {_AGAIN}")
    return Imported(header, rows)


def header_of(path: Path) -> Header:
    """Read the header of the file of an imported model.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    StoredImportError
        If it cannot be read.
    """
    return _decoded(path, next(_lines(path, path.name), b""), Header)


def entity_set(found: Mapping[str, Imported]) -> EntitySet:
    """Return the entities of some imported models together.

    Parameters
    ----------
    found
        By the models' names.

    Raises
    ------
    StoredImportError
        If an id stands for different entities in two of them.
    """
    entities: dict[str, tuple[Entity, str]] = {}
    for model, imported in found.items():
        for entity in imported.entities:
            known, first = entities.setdefault(entity.id, (entity, model))
            if known != entity:
                raise StoredImportError(
                    f"{first} and {model}: the entity {entity.id} is {known.name!r} in one and {entity.name!r} in the "
                    "other; import both with one entity file (--entities), or measure one at a time"
                )
    return EntitySet(FOLDER, Path(FOLDER), tuple(entity for entity, _ in entities.values()))


def _lines(path: Path, model: str) -> Iterator[bytes]:
    try:
        with open_to_read(path) as packed, gzip.GzipFile(fileobj=packed) as file:
            yield from file
    except FileNotFoundError:
        raise NotImportedError(
            f"{model}: nothing was imported under this name into {path.parent}; import it with: llmpref import choices "
            f"FILE --name {model.removeprefix(f'{FOLDER}/')}"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        said = explained(error, "read", _AGAIN) if isinstance(error, NotAFileError) else f"{path}: {error}; {_AGAIN}"
        raise StoredImportError(said) from error


def _decoded(path: Path, line: bytes, kind: type[Header]) -> Header:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoredImportError(f"{path}: its first line is no header of an import ({error}); {_AGAIN}") from error


class Writer:
    """Writes the file of one imported model. Use it in a ``with`` statement: an error leaves the old file as it was.

    Parameters
    ----------
    folder
        Of the cassettes.
    model
        Its name, with ``imported/``.
    source
        The file that is imported, for messages.
    sha256
        Of its content.
    read_by
        As in `results.import_record.ImportRecord`.
    present
        What to do where the model is there already: an ``error``, ``add`` to it, or ``replace`` it.

    Raises
    ------
    ImportFileError
        If the model is there and neither is wanted; or if this file is in it already.
    """

    def __init__(
        self, folder: Path, model: str, source: Path, sha256: str, *, read_by: str = "given", present: str = "error"
    ) -> None:
        self.model, self.source, self._sha256, self._read_by = model, source, sha256, read_by
        self.path = path_of(folder, model)
        self._draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.unfinished")
        self._secrets = Secrets(environment_secrets())
        self._encode = msgspec.json.Encoder().encode
        self._asked = Counter[tuple[object, ...]]()
        self.entities: dict[str, ImportedEntity] = {}
        self.wordings: dict[str, dict[str, int]] = {}
        self.excluded, self.counts, self.labelled = Counter[str](), Counter[str](), Counter[str]()
        self.seen = 0
        self._before: list[SourceRecord] = []
        old = self._old(present)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._plain = self._draft.open("wb")
        # Without a name and a time in its header, the file depends on its content alone.
        self._file = gzip.GzipFile(fileobj=self._plain, filename="", mode="wb", compresslevel=6, mtime=0)
        if old is not None:
            self._take_over(old)

    def _old(self, present: str) -> Imported | None:
        if refuse_others(self.path) is None or present == "replace":
            return None
        if present != "add":
            raise ImportFileError(self.source, [f"{self.model} is there already; --add to it, or --replace it"])
        old = load_import(self.path.parents[1], self.model)
        if any(one.sha256 == self._sha256 for one in old.header.record.sources):
            raise ImportFileError(self.source, [f"is in {self.model} already; --replace that to import it alone"])
        if old.header.record.read_by != self._read_by:
            said = f"{self.model} was imported with --read-by {old.header.record.read_by}; add with the same"
            raise ImportFileError(self.source, [said])
        return old

    def _take_over(self, old: Imported) -> None:
        self.entities = {one.id: one for one in old.header.entities}
        self.wordings = {
            measure: {text: number for number, text in enumerate(texts)}
            for measure, texts in old.header.wordings.items()
        }
        self._before = old.header.record.sources
        self.excluded.update(old.header.record.excluded)
        for rows in old.rows.values():
            for row in rows:
                self.add(row)

    def wording(self, measure: str, text: str) -> int:
        """Return the number of a wording, a new one for a new text."""
        known = self.wordings.setdefault(measure, {})
        return known.setdefault(text, len(known))

    def add(self, row: Row) -> None:
        """Write one reply, numbered among those to the same question.

        Raises
        ------
        ImportFileError
            If there are more than a study can hold.
        """
        number = self._asked[row.asked]
        self._asked[row.asked] = number + 1
        if sum(self.counts.values()) >= MOST_ROWS or len(self._asked) > MOST_ASKED:
            said = f"{self.model} has more than {MOST_ROWS:,} replies, or {MOST_ASKED:,} questions"
            raise ImportFileError(self.source, [f"{said}, and no study holds that many; import a part of the file"])
        row = msgspec.structs.replace(row, repetition=number) if number else row
        self.counts[row.measure] += 1
        self.labelled[row.measure] += bool(row.label)
        self._file.write(self._clean(row) + b"\n")

    def _clean(self, value: Row | Header) -> bytes:
        line = self._encode(value)
        if not self._secrets.suspected(line):
            return line
        record: Any = msgspec.json.decode(line)
        return self._encode(self._secrets.scrub_values(record))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._plain.close()
        try:
            if kind is None:
                self._finish()
        finally:
            self._draft.unlink(missing_ok=True)

    @property
    def header(self) -> Header:
        """What the first line says of all rows so far."""
        source = SourceRecord(self.source.name, self._sha256, self.seen)
        return Header(
            model=self.model,
            entities=list(self.entities.values()),
            wordings={measure: list(texts) for measure, texts in self.wordings.items() if any(texts)},
            record=ImportRecord(
                sources=[*self._before, source],
                kept=sum(self.counts.values()),
                excluded=dict(sorted(self.excluded.items())),
                read_by=self._read_by,
            ),
        )

    def _finish(self) -> None:
        """Put the header before the rows, and the whole in the place of the old file."""
        whole = self._draft.with_suffix(".whole")
        try:
            with whole.open("wb") as file:
                with gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as head:
                    head.write(self._clean(self.header) + b"\n")
                with self._draft.open("rb") as rows:
                    shutil.copyfileobj(rows, file)
            whole.replace(self.path)
        except OSError as error:
            raise StoredImportError(
                explained(error, "write", "make the folder writable, or free disk space")
            ) from error
        finally:
            whole.unlink(missing_ok=True)
