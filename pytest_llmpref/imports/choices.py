"""Choices between two entities, from a table: who was shown first and second, and what came of it."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from pytest_llmpref.config.reading import shown
from pytest_llmpref.imports.intake import Intake, Left, Wanted
from pytest_llmpref.imports.rows import Given, Row
from pytest_llmpref.imports.store import Writer
from pytest_llmpref.imports.tables import rows_of

COLUMNS = (
    "model",
    "condition",
    "first",
    "second",
    "chosen",
    "first_count",
    "second_count",
    "label",
    "wording",
    "context",
    "reply",
    "finish",
    "id",
)
"""Our names of the columns; ``condition`` tells the measure."""
OUTCOMES: tuple[Given, ...] = (
    "first", "second", "refusal", "abstention", "unparseable", "truncated", "error"
)  # fmt: skip
"""What came of a question, in our words; ``chosen`` may also hold an entity's name, or a label."""
MOST_COUNTED = 1_000_000
"""Choices of one entity that a row may count. Our choice."""


def import_choices(source: Path, wanted: Wanted, measures: Sequence[str]) -> list[Writer]:
    """Import a table of choices.

    Parameters
    ----------
    source
        A .csv, .jsonl or .parquet file.
    wanted
        What the user wants of it.
    measures
        Names of the measures that choices can belong to.

    Returns
    -------
    list of Writer
        What was written, a model each.

    Raises
    ------
    ImportFileError
        If the file is none, or says what nobody can know the meaning of. Nothing is written then.
    """
    read = partial(_choices, measures=measures)
    with Intake(source, wanted, COLUMNS, OUTCOMES) as intake:
        for row in rows_of(source):
            intake.take(row, read)
    return list(intake.writers.values())


def _choices(intake: Intake, writer: Writer, *, measures: Sequence[str]) -> Iterator[Row]:
    """Yield the replies that a row stands for."""
    cells = intake.cells
    measure = intake.measure(measures)
    shown_first, shown_second = intake.entity(writer, "first"), intake.entity(writer, "second")
    if shown_first == shown_second:
        raise Left("an entity against itself")
    row = Row(
        measure=measure,
        entities=(shown_first, shown_second),
        label=_label(intake),
        wording=intake.wording(writer, measure),
        text=cells.text("reply"),
        finish=cells.text("finish") or "stop",
    )
    if cells["first_count"] is not None or cells["second_count"] is not None:
        yield from _counted(intake, row)
        return
    yield msgspec.structs.replace(row, given=_given(intake, row))


def _given(intake: Intake, row: Row) -> Given:
    """Return what the data say was chosen; empty where our reader is to read it."""
    cells = intake.cells
    said = cells.text("chosen")
    by_rules = intake.wanted.read_by == "rules" and row.text
    if not said or by_rules:
        if not row.text:
            raise Left("no answer")
        if not row.label:
            fix = "add the label of the first option (column label), or what was chosen (column chosen)"
            raise cells.error(f"a reply cannot be read without the labels of its options; {fix}")
    if not said:
        return ""
    folded = " ".join(said.split()).casefold()
    for word in ("first", "second"):
        if folded == " ".join(cells.text(word).split()).casefold():
            return _side(word)
    if row.label and said.upper() in {"A", "B"}:
        return "first" if said.upper() == row.label else "second"
    return intake.word(said)


def _side(word: str) -> Literal["first", "second"]:
    return "first" if word == "first" else "second"


def _label(intake: Intake) -> Literal["", "A", "B"]:
    said = intake.cells.text("label").upper()
    if said in {"A", "B", ""}:
        return said  # type: ignore[return-value] # one of these three
    theirs = {"first": "A", "second": "B"}.get(intake.word(said), "")
    if not theirs:
        raise intake.cells.error(f"label {shown(said)}: the label of the option shown first is A or B")
    return theirs  # type: ignore[return-value] # as above


def _counted(intake: Intake, row: Row) -> Iterator[Row]:
    """Yield the choices that a row counts.

    Raises
    ------
    Left
        If it counts none, or those of one entity alone: nobody knows how often the other was chosen.
    """
    counts = {side: _count(intake, f"{side}_count") for side in ("first", "second")}
    if None in counts.values():
        raise Left("one count of two")
    if not any(counts.values()):
        raise Left("no answer")
    for side, count in counts.items():
        for _ in range(count or 0):
            yield Row(row.measure, row.entities, _side(side), row.label, row.wording)


def _count(intake: Intake, column: str) -> int | None:
    cell = intake.cells[column]
    if cell is None:
        return None
    try:
        count = int(cell)
    except (TypeError, ValueError, OverflowError):
        count = -1
    if not 0 <= count <= MOST_COUNTED or (isinstance(cell, float) and cell != count):
        raise intake.cells.error(f"{column} is {shown(cell)}; write a whole number from 0 to {MOST_COUNTED:,}")
    return count
