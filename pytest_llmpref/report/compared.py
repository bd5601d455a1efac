"""What the page shows of a comparison with the last release: a sentence, tables, and what has no counterpart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmpref.charts.drawing import Names
from pytest_llmpref.report.claims import number, plural
from pytest_llmpref.results.comparison_record import (
    ChangeRecord,
    ClaimsComparison,
    MeasureComparison,
    ModelComparison,
    VerdictChange,
)

LISTED = 12
"""Entities that a table holds, the largest moves first; all are in results.json."""


@dataclass(frozen=True)
class ChangeRow:
    """One change: what, before, now, by how much, and ``moved``, ``within noise`` or ``not tested``."""

    what: str
    old: str
    new: str
    change: str
    outcome: str


@dataclass(frozen=True)
class ChangeTable:
    """A table of changes under a caption; ``entities`` tells whether its rows are such, or measures."""

    caption: str
    rows: tuple[ChangeRow, ...]
    entities: bool


@dataclass(frozen=True)
class VerdictRow:
    """Claims whose verdict changed in the same way: the function's name, whom it is about, old and new verdict."""

    title: str
    whom: str
    gate: bool
    old: str
    new: str
    worse: bool


@dataclass(frozen=True)
class ComparedModel:
    """One model, compared with the last release."""

    name: str
    label: str
    old: str
    sentence: str
    verdicts: tuple[VerdictRow, ...]
    tables: tuple[ChangeTable, ...]
    notes: tuple[str, ...]


def compared_model(name: str, model: ModelComparison, names: Names) -> ComparedModel:
    """Return the view of one model."""
    tables = [
        ChangeTable(caption, tuple(_row(_words(what), one) for what, one in family.items()), entities=False)
        for caption, family in (
            ("Correlation with preference (Spearman's rho)", model.rho),
            ("Mean over all questions", model.overall),
        )
    ]
    tables += [_moved(what, measure, names) for what, measure in model.measures.items()]
    return ComparedModel(
        name=name,
        label=f"{name} (simulated)" if model.simulated else name,
        old=model.old,
        sentence=_sentence(model),
        verdicts=tuple(_verdict_rows(model.claims.changed, names)),
        tables=tuple(table for table in tables if table.rows),
        notes=tuple(_notes(model, names)),
    )


def _sentence(model: ModelComparison) -> str:
    changed = model.claims.changed
    worse = sum(one.worse for one in changed)
    verdicts = f"{plural(len(changed), 'verdict')} of {model.claims.both:,} changed, {worse:,} for the worse"
    moves = [
        f"{sum(one.moved for one in measure.changes.values()):,} of {len(measure.changes):,} entities in {_words(what)}"
        for what, measure in model.measures.items()
        if not measure.reasons
    ]
    return f"{verdicts}; moved beyond noise: {', '.join(moves) or 'nothing that could be tested'}."


def _verdict_rows(changed: Sequence[VerdictChange], names: Names) -> Iterable[VerdictRow]:
    """Yield the changes, those of one function for many entities in one row; the worst come first, as in the record."""
    groups: dict[tuple[str, str, str, bool, bool], list[VerdictChange]] = {}
    for one in changed:
        key = (one.function, one.old.verdict, one.new.verdict, one.gate, one.worse)
        groups.setdefault(key, []).append(one)
    for (title, old, new, gate, worse), group in groups.items():
        entities = [names[one.entity] for one in group if one.entity is not None]
        yield VerdictRow(title, _listed(entities), gate, old, new, worse)


def _moved(what: str, measure: MeasureComparison, names: Names) -> ChangeTable:
    moved = [(entity, one) for entity, one in measure.changes.items() if one.moved]
    moved.sort(key=lambda pair: -abs(pair[1].value or 0.0))
    caption = f"Moved in {_words(what)}: {len(moved):,} of {len(measure.changes):,} entities"
    if len(moved) > LISTED:
        caption += f"; the {LISTED} largest moves"
    return ChangeTable(caption, tuple(_row(names[entity], one) for entity, one in moved[:LISTED]), entities=True)


def _row(what: str, one: ChangeRecord) -> ChangeRow:
    interval = "" if one.low is None or one.high is None else f" ({_signed(one.low)} to {_signed(one.high)})"
    outcome = "moved" if one.moved else "not tested" if one.p is None else "within noise"
    return ChangeRow(what, number(one.old), number(one.new), f"{_signed(one.value)}{interval}", outcome)


def _notes(model: ModelComparison, names: Names) -> Iterable[str]:
    """Yield why something was not tested, and what is in one of the files only."""
    for what, measure in model.measures.items():
        if measure.reasons:
            yield f"{_words(what)} was not tested: {'; '.join(measure.reasons)}"
        for side, only in (("last release", measure.entities.old_only), ("new one", measure.entities.new_only)):
            if only:
                yield f"{_words(what)}, entities only in the {side}: {_listed([names[one] for one in only])}"
        for side, count in (("last release", measure.questions.old_only), ("new one", measure.questions.new_only)):
            if count:
                yield f"{_words(what)}: {plural(count, 'question')} only in the {side}, left out"
    for side, measures in (("last release", model.measures_old_only), ("new one", model.measures_new_only)):
        if measures:
            yield f"measures only in the {side}: {', '.join(map(_words, measures))}"
    yield from _claims_notes(model.claims)


def _claims_notes(claims: ClaimsComparison) -> Iterable[str]:
    if claims.bounds:
        yield f"{plural(len(claims.bounds), 'claim')} had another bound in the last release"
    for side, only in (("last release", claims.old_only), ("new one", claims.new_only)):
        if only:
            yield f"{plural(len(only), 'claim')} only in the {side}"


def _signed(value: float | None) -> str:
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def _words(name: str) -> str:
    return name.replace("_", " ")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
