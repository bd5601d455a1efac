"""A comparison of two results files: as the page shows it, and as text of 80 columns."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.charts import Names
from pytest_llmpref.claims.gates import function_of
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.report.wording import (
    control_said,
    labelled,
    listed,
    number,
    plural,
    short_name,
    signed,
    words,
    wrapped,
)
from pytest_llmpref.results.comparison_record import (
    ChangeRecord,
    ClaimsComparison,
    ComparisonRecord,
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
    old: Verdict
    new: Verdict
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
        ChangeTable(caption, tuple(_row(words(what), one) for what, one in family.items()), entities=False)
        for caption, family in (
            ("Correlation with preference (Spearman's rho)", model.rho),
            ("Mean over all questions", model.overall),
        )
    ]
    tables += [_moved(what, measure, names) for what, measure in model.measures.items()]
    return ComparedModel(
        name=name,
        label=labelled(name, model),
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
        f"{sum(one.moved for one in measure.changes.values()):,} of {len(measure.changes):,} entities in {words(what)}"
        for what, measure in model.measures.items()
        if not measure.reasons
    ]
    return f"{verdicts}; moved beyond noise: {', '.join(moves) or 'nothing that could be tested'}."


def _verdict_rows(changed: Sequence[VerdictChange], names: Names) -> Iterable[VerdictRow]:
    """Yield the changes, those of one function for many entities in one row; the worst come first, as in the record."""
    groups: dict[tuple[str, Verdict, Verdict, bool, bool], list[VerdictChange]] = {}
    for one in changed:
        key = (words(one.function), one.old.verdict, one.new.verdict, one.gate, one.worse)
        groups.setdefault(key, []).append(one)
    for (title, old, new, gate, worse), group in groups.items():
        entities = [names[one.entity] for one in group if one.entity is not None]
        yield VerdictRow(title, listed(entities, LISTED), gate, old, new, worse)


def _moved(what: str, measure: MeasureComparison, names: Names) -> ChangeTable:
    moved = [(entity, one) for entity, one in measure.changes.items() if one.moved]
    moved.sort(key=lambda pair: -_size(pair[1]))
    caption = f"Moved in {words(what)}: {len(moved):,} of {len(measure.changes):,} entities"
    if len(moved) > LISTED:
        caption += f"; the {LISTED} largest moves"
    return ChangeTable(caption, tuple(_row(names[entity], one) for entity, one in moved[:LISTED]), entities=True)


def _row(what: str, one: ChangeRecord) -> ChangeRow:
    interval = "" if one.low is None or one.high is None else f" ({signed(one.low)} to {signed(one.high)})"
    outcome = "moved" if one.moved else "not tested" if one.p is None else "within noise"
    return ChangeRow(what, number(one.old), number(one.new), f"{signed(one.value)}{interval}", outcome)


def _notes(model: ModelComparison, names: Names) -> Iterable[str]:
    """Yield who answered, why something was not tested, and what is in one of the files only."""
    yield from (f"{side} answers: {answered}" for side, answered in _answered(model))
    for what, measure in model.measures.items():
        if measure.reasons:
            yield f"{words(what)} was not tested: {'; '.join(measure.reasons)}"
        for side, only in (("last release", measure.entities.old_only), ("new one", measure.entities.new_only)):
            if only:
                yield f"{words(what)}, entities only in the {side}: {listed([names[one] for one in only], LISTED)}"
        for side, count in (("last release", measure.questions.old_only), ("new one", measure.questions.new_only)):
            if count:
                yield f"{words(what)}: {plural(count, 'question')} only in the {side}, left out"
    for side, measures in (("last release", model.measures_old_only), ("new one", model.measures_new_only)):
        if measures:
            yield f"measures only in the {side}: {', '.join(map(words, measures))}"
    yield from _claims_notes(model.claims)


def _claims_notes(claims: ClaimsComparison) -> Iterable[str]:
    if claims.thresholds:
        yield f"{plural(len(claims.thresholds), 'claim')} had another threshold in the last release"
    for side, only in (("last release", claims.old_only), ("new one", claims.new_only)):
        if only:
            yield f"{plural(len(only), 'claim')} only in the {side}"


def comparison_lines(comparison: ComparisonRecord) -> Iterator[str]:
    """Yield the lines: for each model what changed, verdicts first; at the end what has no counterpart.

    Whatever names the two files hold, no line speaks to the terminal or to the CI.
    """
    yield from map(on_one_line, _lines(comparison))


def _lines(comparison: ComparisonRecord) -> Iterator[str]:
    for side, run in (("old", comparison.old), ("new", comparison.new)):
        yield f"{side}: {run.began}, profile {run.profile}, entities {run.entities}"
        if control := control_said(run.control):
            yield from _wrapped(control)
    yield "A change is marked * where it is significant at 5%, corrected by Holm over its"
    yield "family; intervals are of 95% each."
    for name, model in comparison.models.items():
        yield ""
        title = name if model.old == name else f"{model.old} -> {name}"
        yield labelled(title, model)
        yield from _model_lines(model)
    for side, names in (("old", comparison.old_only), ("new", comparison.new_only)):
        if names:
            yield ""
            yield from _wrapped(f"only in the {side} file, not compared: {listed(names, LISTED)}")
    if not comparison.models:
        yield ""
        yield "no model is in both files, so nothing was compared"


def _model_lines(model: ModelComparison) -> Iterator[str]:
    for side, answered in _answered(model):
        yield from _wrapped(f"{side} answers: {answered}", 2)
    yield from _verdict_lines(model.claims)
    yield from _table("correlation with preference", model.rho, ".2f")
    yield from _table("mean over all questions", model.overall, ".3f")
    for name, measure in model.measures.items():
        yield from _measure_lines(name, measure)
    for side, names in (("old", model.measures_old_only), ("new", model.measures_new_only)):
        if names:
            yield from _wrapped(f"only in the {side} file: {listed(names, LISTED)}")


def _answered(model: ModelComparison) -> Iterator[tuple[str, str]]:
    """Yield for each side who answered and when, where that is known of either."""
    if model.answered is not None:
        yield "old", model.answered.old or "unknown by whom or when"
        yield "new", model.answered.new or "unknown by whom or when"


def _verdict_lines(claims: ClaimsComparison) -> Iterator[str]:
    changed = claims.changed
    worse = sum(one.worse for one in changed)
    yield f"  verdicts: {claims.both} claims in both, {len(changed)} changed, {worse} for the worse"
    kinds = Counter((one.worse, one.old.verdict, one.new.verdict, one.function, one.gate) for one in changed)
    for (is_worse, old, new, function, gate), count in kinds.items():
        only = next(one.entity for one in changed if one.function == function)
        whom = f" for {count} entities" if count > 1 else f" for {only}" if only else ""
        text = f"{'-' if is_worse else '+'} {old} -> {new}: {function}{' [gate]' if gate else ''}{whom}"
        yield from _wrapped(text, indent=4)
    if claims.thresholds:
        yield from _wrapped(f"thresholds differ in {len(claims.thresholds)} of them", indent=4)
    for side, nodeids in (("old", claims.old_only), ("new", claims.new_only)):
        if nodeids:
            names = list(dict.fromkeys(short_name(function_of(nodeid)) for nodeid in nodeids))
            yield from _wrapped(f"{len(nodeids)} only in the {side} file: {listed(names, LISTED)}", indent=4)


def _table(title: str, family: Mapping[str, ChangeRecord], form: str) -> Iterator[str]:
    if not family:
        return
    yield f"  {title:<29}{'old':>8}{'new':>8}{'change':>9}  {'95%':<17}"
    for name, one in family.items():
        if one.value is None:
            yield f"    {_cut(name, 27):<27}{'no value on both sides':>25}"
            continue
        known = one.low is not None and one.high is not None
        interval = f"[{one.low:+{form}}, {one.high:+{form}}]" if known else "no interval"
        mark = " *" if one.moved else " invalid" if one.p is None else ""
        row = f"    {_cut(name, 27):<27}{_shown(one.old, form):>8}{_shown(one.new, form):>8}"
        yield f"{row}{one.value:>+9{form}}  {interval}{mark}"


def _measure_lines(name: str, measure: MeasureComparison) -> Iterator[str]:
    questions, entities = measure.questions, measure.entities
    extra = [
        f"{count:,} only {side}" for side, count in (("old", questions.old_only), ("new", questions.new_only)) if count
    ]
    both = f"{questions.both:,} questions and {entities.both} entities in both"
    yield from _wrapped(f"{name}: {', '.join([both, *extra])}", indent=2)
    for side, only in (("old", entities.old_only), ("new", entities.new_only)):
        if only:
            yield from _wrapped(f"entities only in the {side} file: {listed(only, LISTED)}", indent=4)
    for reason in measure.reasons:
        yield from _wrapped(f"invalid, so nothing is tested: {reason}", indent=4)
    rho = measure.agreement
    if rho.reasons and not measure.reasons:
        yield from _wrapped(f"ranking not compared: {rho.reasons[0]}", indent=4)
    elif rho.value is not None:
        yield f"    ranking, old with new: rho {rho.value:.2f} [{_shown(rho.low, '.2f')}, {_shown(rho.high, '.2f')}]"
    moved = {entity: one for entity, one in measure.changes.items() if one.moved}
    if not measure.reasons:
        yield f"    {len(moved)} of {len(measure.changes)} entities moved"
    largest = dict(sorted(moved.items(), key=lambda pair: -_size(pair[1]))[:LISTED])
    yield from _table("  the largest moves", largest, _form(moved.values()))


def _size(change: ChangeRecord) -> float:
    return abs(change.value or 0.0)


def _form(changes: Iterable[ChangeRecord]) -> str:
    """Return how to write changes, so that they can be told apart and the columns too: Elo runs to thousands."""
    changes = list(changes)
    if any(_size(one) >= 10 for one in changes):
        return ".0f"
    return ".1f" if any(abs(one.old or 0) >= 100 for one in changes) else ".3f"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _cut(text: str, width: int) -> str:
    text = on_one_line(text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return wrapped(on_one_line(text), " " * indent, " " * (indent + 2))
