"""What the page shows: one view for each model, the models side by side, and the trials."""

import base64
import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pytest_llmpref.characters import clipped
from pytest_llmpref.charts import Chart, Drawing, Names, shown
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.registry import behaviour_of, in_order, reference
from pytest_llmpref.report import side_by_side
from pytest_llmpref.report.claims import (
    ClaimGroup,
    ModelVerdict,
    claimed,
    could_be,
    detectable,
    interval,
    judge,
    reach,
    reasons_of,
)
from pytest_llmpref.report.undecided import early_ends, said_of, to_decide
from pytest_llmpref.report.wording import labelled, listed, number, plural, words
from pytest_llmpref.results.diagnostics import Diagnostics
from pytest_llmpref.results.measure_record import MeasureRecord, TrialColumns
from pytest_llmpref.results.schema import ClaimRecord, ModelRecord, Results

KEY_LENGTH = 8
"""Characters of a key that a page carries: enough to find its line in a cassette."""
KEY_BYTES = KEY_LENGTH / 2 * 4 / 3
"""What a key takes at least: its characters are hexadecimal digits, each as likely as another; in base64."""
KNOWN = frozenset(TrialColumns.__struct_fields__) - {"question", "framing", "correct", "context", "drawing", "arms"}
"""Columns that every measure has; what a measure adds is shown beside its replies."""
STEPS = ((300, 1), (160, 1), (80, 1), (80, 3), (80, 10), (40, 30), (0, 100))
"""What is tried until the budget holds: characters of a reply, and which part of the plain choices is carried."""


def packed(content: object) -> str:
    """Return a value as JSON, gzipped, in base64."""
    # No time of writing in the header: the same results make the same page.
    return base64.b64encode(gzip.compress(msgspec.json.encode(content), 6, mtime=0)).decode()


def packed_trials(results: Results, budget: int) -> str:
    """Return all trials, packed; replies are clipped, then plain choices thinned out, until ``budget`` bytes hold.

    What is left out is counted, so that the page can say so.
    """
    measures = [measure for model in results.models.values() for measure in model.measures.values() if measure.trials]
    text = ""
    for longest, part in STEPS:
        # Of very many trials, most steps are ruled out by the keys alone, which no packing makes smaller.
        keys = sum(_carried(one, part) for one in measures) * KEY_BYTES
        if keys <= budget and len(text := packed(trials(results, longest, part))) <= budget:
            break
    return text or packed(trials(results, *STEPS[-1]))


def trials(results: Results, longest: int, part: int) -> dict[str, Any]:
    """Return the trials of each model and measure as columns, with replies of at most ``longest`` characters.

    Of the trials that ended in a choice every ``part``-th is kept, of the others all.
    """
    measures = [measure for model in results.models.values() for measure in model.measures.values()]
    ids = list(dict.fromkeys([*results.entities, *(entity for measure in measures for entity in measure.entities)]))
    texts = _Texts(longest)
    names = [results.entities[entity].name if entity in results.entities else entity for entity in ids]
    index = {entity: number for number, entity in enumerate(ids)}
    models = {
        name: {
            title: _columns(one, one.columns, index, texts, part)
            for title, one in model.measures.items()
            if one.columns is not None
        }
        for name, model in results.models.items()
    }
    return {"ids": ids, "names": [clipped(name, 200) for name in names], "models": models, "texts": texts.listed}


class _Texts:
    """Texts by number, each once."""

    def __init__(self, longest: int) -> None:
        self.listed: list[str] = []
        self._longest = longest
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        shown = clipped(text, self._longest)
        if shown not in self._numbers:
            self._numbers[shown] = len(self.listed)
            self.listed.append(shown)
        return self._numbers[shown]


def _carried(measure: MeasureRecord, part: int) -> int:
    """Return how many trials and refused attempts a page carries."""
    return len(_kept(measure, part)) + len(measure.checks.refusals)


def _kept(measure: MeasureRecord, part: int) -> list[int]:
    """Return the rows of the trials that a page carries."""
    if (columns := measure.columns) is None:
        return []
    # A refused attempt is listed by itself, with its reason, whether or not it was the last one of its trial.
    refused = {refusal.key for refusal in measure.checks.refusals}
    return [
        row
        for row, (key, outcome) in enumerate(zip(columns.key, columns.outcome, strict=True))
        if key not in refused and (outcome != "choice" or row % part == 0)
    ]


def _columns(
    measure: MeasureRecord, columns: TrialColumns, index: Mapping[str, int], texts: _Texts, part: int
) -> dict[str, Any]:
    refusals = measure.checks.refusals
    kept = _kept(measure, part)
    more = {name: column for name, column in measure.trials.items() if name not in KNOWN}

    def numbered(value: object) -> object:
        return texts.number(value) if isinstance(value, str) else value

    packed: dict[str, Any] = {
        "key": [columns.key[row][:KEY_LENGTH] for row in kept],
        "entities": [[index[e] for e in columns.entities[row] if e in index] for row in kept],
        "outcome": [texts.number(columns.outcome[row]) for row in kept],
        "attempts": [columns.attempts[row] for row in kept],
        "score": [None if (score := columns.score[row]) is None else round(score, 3) for row in kept],
        "control": [int(columns.control[row]) for row in kept],
        "text": [texts.number(columns.text[row]) for row in kept],
        "more": {name: [numbered(column[row]) for row in kept] for name, column in more.items()},
        "words": [name for name, column in more.items() if any(isinstance(value, str) for value in column)],
        "left_out": len(columns.key) - len(kept) - len({refusal.key for refusal in refusals} & set(columns.key)),
    }
    if refusals:
        packed["refused"] = {
            "key": [refusal.key[:KEY_LENGTH] for refusal in refusals],
            "entities": [[index[e] for e in refusal.entities if e in index] for refusal in refusals],
            "reason": [texts.number(refusal.reason) for refusal in refusals],
            "text": [texts.number(refusal.text) for refusal in refusals],
        }
    return packed


NAMED = 4
"""How many entities a claim's row names; its details hold all."""


@dataclass(frozen=True)
class Figure:
    """A chart on the page, with what the claims about the same measures say."""

    id: str
    chart: Chart
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClaimView:
    """The claims of one test function about one model, as the page shows them."""

    id: str
    group: ClaimGroup
    estimate: str
    claimed: str
    detectable: str
    asked: tuple[str, ...]
    reasons: tuple[str, ...]
    named: str

    @property
    def missing(self) -> str:
        """How far missing answers could move a correlation; empty if they could not."""
        return could_be(self.group.first)

    @property
    def to_decide(self) -> str:
        """What would decide its inconclusive claims; empty if there are none."""
        return to_decide(self.group)

    @property
    def why(self) -> str:
        """Why it is not supported, in one line."""
        return self.tally + (f" ({self.reasons[0]})" if self.reasons else f": {self.estimate}, claimed {self.claimed}")

    @property
    def tally(self) -> str:
        """The verdict, or how many entities have which."""
        if not self.group.by_entity:
            return self.group.verdict
        counts, all_of_them = self.group.counts, len(self.group.claims)
        if len(counts) == 1:
            return f"all {all_of_them} {self.group.verdict}"
        (worst, first), *others = counts.items()
        return ", ".join([f"{first} of {all_of_them} {worst}", *(f"{count} {verdict}" for verdict, count in others)])


@dataclass(frozen=True)
class ModelView:
    """One model, as the page shows it."""

    id: str
    name: str
    label: str
    record: ModelRecord
    verdict: ModelVerdict
    figures: tuple[Figure, ...]
    absent: tuple[str, ...]
    claims: tuple[ClaimView, ...]

    @property
    def early_ends(self) -> list[str]:
        """Which entities ended the asking of a measure with a closed gate, in words."""
        return [said_of(end) for end in early_ends(self.record.measures)]

    @property
    def failed(self) -> list[ClaimView]:
        """The claims that make the run fail."""
        return [claim for claim in self.claims if claim.group.fails]


def model_views(results: Results, names: Names) -> list[ModelView]:
    """Return the view of each model."""
    return [_model(f"m{n}", name, record, names) for n, (name, record) in enumerate(results.models.items(), start=1)]


def together(results: Results, models: Sequence[ModelView], names: Names) -> list[Figure]:
    """Return the charts that hold all models."""
    labels = {model.name: model.label for model in models}
    found = shown(
        [
            side_by_side.claims_chart({model.name: model.verdict for model in models}, labels),
            side_by_side.preferences_chart(results, names, labels),
            side_by_side.checks_chart(results, labels),
        ]
    )
    return [Figure(f"together-{number}", chart) for number, chart in enumerate(found, start=1)]


def table_rows(models: Sequence[ModelView]) -> list[tuple[ClaimGroup, list[ClaimView | None]]]:
    """Return the rows of the verdict table: a claim, and its view for each model that was tested for it."""
    rows: dict[tuple[str, str, int], list[ClaimView | None]] = {}
    for column, model in enumerate(models):
        seen: dict[tuple[str, str], int] = {}
        for claim in model.claims:
            seen[claim.group.key] = seen.get(claim.group.key, 0) + 1
            row = rows.setdefault((*claim.group.key, seen[claim.group.key]), [None] * len(models))
            row[column] = claim
    found = [(next(cell.group for cell in row if cell), row) for row in rows.values()]
    return sorted(found, key=lambda row: (not row[0].first.gate, not any(cell and cell.group.fails for cell in row[1])))


def entity_rows(claim: ClaimView, names: Names) -> list[list[Any]]:
    """Return the details of claims about entities: name, group, verdict, value, low, high, n, id."""
    return [
        [
            names[one.entity or ""], names.of(one.entity or "").group, one.verdict, one.estimate.value,
            one.estimate.low, one.estimate.high, one.estimate.n, one.entity,
        ]
        for one in claim.group.claims
    ]  # fmt: skip


def _model(anchor: str, name: str, record: ModelRecord, names: Names) -> ModelView:
    verdict = judge(record)
    label = labelled(name, record)
    drawn = figures_of(label, record, names)
    return ModelView(
        id=anchor,
        name=name,
        label=label,
        record=record,
        verdict=verdict,
        figures=tuple(
            Figure(f"{anchor}-{what}", chart, tuple(_notes(verdict, what)))
            for what, chart in drawn.items()
            if chart is not None
        ),
        absent=tuple(_absence(what, record) for what, chart in drawn.items() if chart is None),
        claims=tuple(
            claim_view(f"{anchor}-c{number}", group, record, names)
            for number, group in enumerate(verdict.groups, start=1)
        ),
    )


def figures_of(label: str, record: ModelRecord, names: Names) -> dict[str, Chart | None]:
    """Return, by measure, the charts of the measures that were taken; ``None`` if a measure has no values."""
    liked = reference()
    preference = record.measures.get(liked.measure)
    drawn: dict[str, Chart | None] = {}
    for name in sorted(in_order(record.measures), key=lambda name: name != liked.measure):
        drawing = Drawing(label, name, record.measures[name], preference, liked.unit, names)
        drawn |= behaviour_of(name).charts(drawing)
    return drawn


def _absence(what: str, record: ModelRecord) -> str:
    reasons = record.measures[what].reasons if what in record.measures else []
    return f"{words(what)}: no chart, since nothing was measured" + (f" ({reasons[0]})" if reasons else "")


def _notes(verdict: ModelVerdict, what: str) -> Iterable[str]:
    """Yield what the claims say that rest on preference and one other measure."""
    liked = reference().measure
    for group in verdict.groups:
        if what != liked and not group.by_entity and set(group.first.measures) == {liked, what}:
            claim = group.first
            label = claim.estimate.label or group.title
            yield f"{label}: {interval(claim)}, claimed {claimed(claim)}: {claim.verdict}."


def claim_view(anchor: str, group: ClaimGroup, record: ModelRecord, names: Names) -> ClaimView:
    """Return the claims of one test function, as the page shows them."""
    claim = group.first
    values = reach(group.claims)
    if group.by_entity:
        estimate = "no estimate" if values is None else _range(*map(number, values))
    else:
        estimate = interval(claim)
    others = [one for one in group.claims if one.verdict is not Verdict.SUPPORTED and one.entity is not None]
    return ClaimView(
        id=anchor,
        group=group,
        estimate=estimate,
        claimed=claimed(claim),
        detectable=_detectable(group.claims),
        asked=tuple(_asked(name, record.measures[name].checks) for name in claim.measures if name in record.measures),
        reasons=tuple(reasons_of(group.claims)[:NAMED]),
        named=listed([names[one.entity or ""] for one in others], NAMED) if group.by_entity else "",
    )


def _detectable(group: Sequence[ClaimRecord]) -> str:
    found = [value for value in map(detectable, group) if value is not None]
    if not found:
        return "unknown"
    relation = group[0].relation
    worst = max(found) if relation != "<" else min(found)
    if relation == "abs <":
        return f"a margin of {number(worst)} or more, if the true value is 0"
    return f"a true value {'above' if relation == '>' else 'below'} {number(worst)}"


def _asked(name: str, checks: Diagnostics) -> str:
    """Return what a measure took: questions, missing answers, tokens and cost."""
    missing = ", ".join(f"{count:,} {what}" for what, count in checks.outcomes.missing.items()) or "none"
    return (
        f"{words(name)}: {plural(checks.trials, 'question')} asked; missing answers: {missing}; "
        f"{checks.prompt_tokens + checks.completion_tokens:,} tokens; {cost(checks)}"
    )


def cost(checks: Diagnostics) -> str:
    """Return what a measure cost, without counting an unknown price as zero."""
    known, unpriced = checks.cost, checks.unpriced
    if known is None:
        return "cost unknown"
    unknown = f"{plural(unpriced, 'reply', 'replies')} of unknown price" if unpriced else ""
    return unknown if unpriced and not known else " and ".join(filter(None, [f"${known:,.2f}", unknown]))


def _range(low: str, high: str) -> str:
    return f"each {low}" if low == high else f"from {low} to {high}"
