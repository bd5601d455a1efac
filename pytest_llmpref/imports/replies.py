"""Replies to open questions about one entity each, from a table: the text, or what the data say of it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pytest_llmpref.imports.cells import TableRow
from pytest_llmpref.imports.intake import Intake, Left, Wanted
from pytest_llmpref.imports.rows import Given, Row
from pytest_llmpref.imports.store import Writer
from pytest_llmpref.imports.tables import rows_of

COLUMNS = (
    "model",
    "condition",
    "entity",
    "question",
    "reply",
    "outcome",
    "finish",
    "wording",
    "context",
    "prompt_tokens",
    "completion_tokens",
    "served",
    "id",
)
"""Our names of the columns; ``condition`` tells the measure."""
OUTCOMES: tuple[Given, ...] = ("answered", "partly", "declined", "truncated", "empty", "error")
"""What came of a question, in our words."""


def import_replies(
    source: Path, wanted: Wanted, measures: Sequence[str], about: Mapping[str, Mapping[str, object]] | None = None
) -> list[Writer]:
    """Import a table of replies; results and errors are as for `imports.choices.import_choices`.

    Parameters
    ----------
    source, wanted, measures
        The same, where the source may also be a log of Inspect's, or the result file of a batch.
    about
        Id of a row -> further cells of it, where another table tells what was asked; ``None`` for none.
    """
    read = partial(_reply, measures=measures)
    with Intake(source, wanted, COLUMNS, OUTCOMES) as intake:
        for row in rows_of(source):
            more = {} if about is None else about.get(str(row.cells.get("id")), {})
            intake.take(TableRow(row.place, {**row.cells, **more}) if more else row, read)
    return list(intake.writers.values())


def _reply(intake: Intake, writer: Writer, *, measures: Sequence[str]) -> Iterator[Row]:
    """Yield the reply that a row holds."""
    cells = intake.cells
    measure = intake.measure(measures)
    entity = intake.entity(writer, "entity")
    said, finish = cells.text("outcome"), cells.text("finish") or "stop"
    if not said and cells["reply"] is None and finish == "stop":
        raise Left("no answer")
    yield Row(
        measure,
        (entity,),
        intake.word(said) if said else "",
        wording=intake.wording(writer, measure),
        question=cells.text("question"),
        text=cells.text("reply"),
        finish=finish,
        prompt_tokens=cells.count("prompt_tokens"),
        completion_tokens=cells.count("completion_tokens"),
        served=cells.text("served"),
    )
