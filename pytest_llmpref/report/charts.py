"""The charts of a model, as Vega-Lite specifications; each holds the rows that its table shows as well."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pytest_llmpref.report.loading import EntityRecord, EstimateRecord, MeasureRecord, Results

Spec = dict[str, Any]
Row = dict[str, Any]

UNITS = {
    "preference": "Preference (Elo)",
    "direct_ranking": "Direct ranking (mean place from the bottom)",
    "donation_advice": "Donation advice (Elo)",
    "refusal": "Refused (share of first attempts)",
    "boolq": "BoolQ accuracy",
    "agentic": "Agentic tasks solved (share)",
}
"""Measure -> what its axis says."""
SCATTERS = {
    "donation_advice": "Advice against preference",
    "refusal": "Refusals against preference",
    "boolq": "BoolQ accuracy against preference",
    "direct_ranking": "Direct ranking against preference",
}
"""Measure -> title of its chart against preference."""
OTHERS = {"preference", "agentic", "preference_forms", "advice_forms"}
"""Measures that have charts of their own, or none, since they are there to be cut into protocols."""
LONGEST_NAME = 48
"""Characters of an entity's name in a chart; its tooltip and its table have more of it."""
LABELLED = 3
"""How many entities at either end of a scatter carry their name, if there is room."""
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"]
COLOURS = [f"var(--c{number})" for number in range(8)]


@dataclass(frozen=True)
class Chart:
    """A chart, its text alternative, and the columns of the table behind it.

    Attributes
    ----------
    title, summary
        What it shows, and in one sentence what there is to see.
    spec
        The Vega-Lite specification, its rows under ``data.values``.
    columns
        Field of the rows -> heading of the table.
    place
        How much of the page it takes: ``tall`` beside up to three others, ``wide``, or neither.
    """

    title: str
    summary: str
    spec: Spec
    columns: Mapping[str, str]
    place: str = ""

    def record(self) -> dict[str, Any]:
        """Return what the page's script needs."""
        return {"spec": self.spec | {"description": f"{self.title}. {self.summary}"}, "columns": dict(self.columns)}


class Names:
    """Names and groups of entities; an id that the file does not name stands for itself."""

    def __init__(self, results: Results) -> None:
        self._entities = results.entities
        shown = Counter(_clip(entity.name) for entity in results.entities.values())
        self._ambiguous = {name for name, count in shown.items() if count > 1}

    def __getitem__(self, entity: str) -> str:
        """Return the name for charts: clipped, and different for different entities."""
        name = _clip(self.of(entity).name)
        return f"{name} ({_clip(entity)})" if name in self._ambiguous else name

    def of(self, entity: str) -> EntityRecord:
        """Return name and group."""
        return self._entities.get(entity, EntityRecord(entity, ""))


def ladder(model: str, measure: MeasureRecord, names: Names) -> Chart | None:
    """Return the preference ladder: every entity by its strength, with its interval."""
    rows = [_row(names, entity, estimate) for entity, estimate in measure.entities.items() if _known(estimate)]
    if not rows:
        return None
    rows.sort(key=lambda row: -row["value"])
    spec = {
        "data": {"values": rows},
        "width": 330,
        "height": {"step": 13},
        "encoding": {
            "y": {
                "field": "entity",
                "type": "nominal",
                "sort": {"field": "value", "op": "max", "order": "descending"},
                "axis": {"title": None, "labelLimit": 250, "ticks": False, "grid": True, "domain": False},
            },
        },
        "layer": [_bar("x"), _points("x", "value", UNITS["preference"], zero=False)],
    }
    return Chart(
        f"Preference ladder: {model}",
        f"Most preferred: {rows[0]['entity']}; least: {rows[-1]['entity']}. Lines are 95% intervals.",
        spec,
        {"entity": "Entity", "group": "Group", "value": "Elo", "low": "Low", "high": "High", "n": "Trials"},
        "tall",
    )


def scatter(model: str, name: str, preference: MeasureRecord, measure: MeasureRecord, names: Names) -> Chart | None:
    """Return a measure against preference; its controls are horizontal lines."""
    rows = [
        _row(names, entity, estimate) | {"preference": preference.entities[entity].value}
        for entity, estimate in measure.entities.items()
        if _known(estimate) and _known(preference.entities.get(entity))
    ]
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: -row["preference"])
    _label(rows)
    words = name.replace("_", " ").capitalize()
    unit = UNITS.get(name) or f"{words} ({measure.diagnostics.get('unit', 'Elo')})"
    x = {"field": "preference", "type": "quantitative", "title": UNITS["preference"], "scale": {"zero": False}}
    layers = [_bar("y"), _points("y", "value", unit, zero=False), _labels(rows)]
    for label, value in controls(measure):
        layers += _control(label, value)
    spec = {"data": {"values": rows}, "width": 330, "height": 260, "encoding": {"x": x}, "layer": layers}
    return Chart(
        f"{SCATTERS.get(name, f'{words} against preference')}: {model}",
        f"{len(rows)} entities, each a point; vertical lines are 95% intervals.",
        spec,
        {
            "entity": "Entity", "group": "Group", "preference": "Preference (Elo)", "value": unit,
            "low": "Low", "high": "High", "n": "n",
        },
    )  # fmt: skip


def controls(measure: MeasureRecord) -> list[tuple[str, float]]:
    """Return the controls that a measure has, with their values."""
    found = [] if measure.control is None else [("control: no entity", measure.control.value)]
    found += [
        (f"control: {name.replace('_', ' ')}", record.get("value"))
        for name, record in (measure.diagnostics.get("controls") or {}).items()
        if isinstance(record, Mapping) and name != "no_entity"
    ]
    return [(label, value) for label, value in found if isinstance(value, int | float)]


def refusal_reasons(model: str, preference: MeasureRecord | None, measure: MeasureRecord, names: Names) -> Chart | None:
    """Return the refused attempts by entity and reason, the most preferred entity first."""
    counts = Counter(
        (entity, str(refusal["reason"]))
        for refusal in measure.diagnostics.get("refusals", [])
        for entity in refusal["entities"]
    )
    if not counts:
        return None
    liked = {} if preference is None else {entity: one.value or 0.0 for entity, one in preference.entities.items()}
    reasons = [reason for reason, _ in Counter({r: 0 for _, r in counts} | _totals(counts)).most_common()]
    rows = [
        {
            "id": entity, "entity": names[entity], "group": names.of(entity).group, "reason": reason,
            "refusals": counts[entity, reason], "preference": liked.get(entity, 0.0), "order": order,
        }
        for entity in sorted(measure.entities, key=lambda entity: -liked.get(entity, 0.0))
        for order, reason in enumerate(reasons)
        if counts[entity, reason]
    ]  # fmt: skip
    spec = {
        "data": {"values": rows},
        "width": 330,
        "height": {"step": 13},
        "mark": {"type": "bar", "stroke": "var(--paper)", "strokeWidth": 1},
        "encoding": {
            "y": {
                "field": "entity",
                "type": "nominal",
                "sort": {"field": "preference", "op": "max", "order": "descending"},
                "axis": {"title": None, "labelLimit": 250, "ticks": False, "domain": False},
            },
            "x": {"field": "refusals", "type": "quantitative", "title": "Refused attempts", "stack": "zero"},
            "order": {"field": "order"},
            "color": {
                "field": "reason",
                "type": "nominal",
                "sort": reasons,
                "scale": {"domain": reasons, "range": COLOURS},
                "legend": {"title": None, "columns": 3, "orient": "top"},
            },
            "tooltip": quantities(entity="Entity", reason="Reason", refusals="Refused attempts"),
        },
    }
    return Chart(
        f"Refusals by entity and reason: {model}",
        f"{sum(_totals(counts).values()) // 2:,} refused attempts, each counted for both of its entities; "
        f"the most preferred entity is at the top. Commonest reason: {reasons[0]}.",
        spec,
        {"entity": "Entity", "reason": "Reason", "refusals": "Refused attempts"},
        "tall",
    )


def extremes(model: str, preference: MeasureRecord | None, measure: MeasureRecord, names: Names) -> Chart | None:
    """Return the agentic tasks solved for the most and the least preferred entities."""
    liked = {} if preference is None else {entity: one.value or 0.0 for entity, one in preference.entities.items()}
    measured = {entity: one for entity, one in measure.entities.items() if _known(one)}
    if not measured:
        return None
    middle = median(liked.get(entity, 0.0) for entity in measured)
    rows = [
        _row(names, entity, estimate)
        | {"half": "most preferred" if liked.get(entity, 0.0) >= middle else "least preferred"}
        for entity, estimate in sorted(measured.items(), key=lambda pair: -liked.get(pair[0], 0.0))
    ]
    for row in rows:
        row["group"] = row["half"]
    spec = {
        "data": {"values": rows},
        "width": 330,
        "height": {"step": 18},
        "encoding": {
            "y": {
                "field": "entity", "type": "nominal", "sort": [row["entity"] for row in rows],
                "axis": {"title": None, "labelLimit": 250, "ticks": False},
            }
        },
        "layer": [_bar("x"), _points("x", "value", UNITS["agentic"], zero=True)],
    }  # fmt: skip
    return Chart(
        f"Agentic tasks for the most and the least preferred entities: {model}",
        "Lines are 95% intervals; the most preferred entity is at the top.",
        spec,
        {"entity": "Entity", "half": "Half", "value": "Solved", "low": "Low", "high": "High", "n": "Tasks"},
    )


def quantities(**titles: str) -> list[Spec]:
    """Return what hovering shows: field -> title."""
    nominal = {"entity", "group", "reason", "model", "measure", "check", "claim", "verdict", "text"}
    return [
        {"field": field, "title": title, "type": "nominal"}
        if field in nominal
        else {"field": field, "title": title, "type": "quantitative", "format": ".4~g"}
        for field, title in titles.items()
    ]


def _row(names: Names, entity: str, estimate: EstimateRecord) -> Row:
    return {
        "id": entity,
        "entity": names[entity],
        "group": _clip(names.of(entity).group),
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
    }


def _bar(axis: str) -> Spec:
    """Return the layer of the intervals, along an axis."""
    return {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "rule", "aria": False, "color": "var(--rule)", "strokeWidth": 1.2, "opacity": 0.8},
        "encoding": {axis: {"field": "low", "type": "quantitative"}, f"{axis}2": {"field": "high"}},
    }


def _points(axis: str, field: str, title: str, *, zero: bool) -> Spec:
    """Return the layer of the points, a colour and a shape for each group."""
    return {
        "mark": {"type": "point", "filled": True, "size": 42, "opacity": 1, "cursor": "pointer"},
        "encoding": {
            axis: {"field": field, "type": "quantitative", "title": title, "scale": {"zero": zero}},
            "color": {"field": "group", "type": "nominal", "scale": {"range": COLOURS}, "legend": _LEGEND},
            "shape": {"field": "group", "type": "nominal", "scale": {"range": SHAPES}, "legend": _LEGEND},
            "tooltip": quantities(entity="Entity", group="Group", value=title, low="Low", high="High", n="n"),
            "description": {"field": "entity"},
        },
    }


_LEGEND: Spec = {"title": None, "orient": "top", "columns": 4, "symbolOpacity": 1}


def _label(rows: Sequence[Row]) -> None:
    """Give the entities at both ends of preference a label, as far as labels do not overlap; rows are ordered."""
    width = (rows[0]["preference"] - rows[-1]["preference"]) or 1.0
    low, high = (pick(row["value"] for row in rows) for pick in (min, max))
    height = (high - low) or 1.0
    placed: list[tuple[float, float, float]] = []
    for end in (rows, rows[::-1]):
        for row in end[:LABELLED]:
            # In pixels, roughly: 330 by 200 for the points themselves, and 5.5 for a character.
            x, y = 330 * (row["preference"] - rows[-1]["preference"]) / width, 200 * (row["value"] - low) / height
            reach = 5.5 * len(row["entity"])
            left, right = (x - reach, x) if end is rows else (x, x + reach)
            if all(
                right < other_left or left > other_right or abs(y - other) > 13
                for other_left, other_right, other in placed
            ):
                placed.append((left, right, y))
                row["label"] = row["entity"]


def _labels(rows: Sequence[Row]) -> Spec:
    """Return the layer that names the entities at both ends, leaning inwards."""
    middle = median(row["preference"] for row in rows)
    text = {"type": "text", "dy": -7, "fontSize": 10, "aria": False, "limit": 190}
    return {
        "transform": [{"filter": "isValid(datum.label)"}],
        "layer": [
            {
                "transform": [{"filter": f"datum.preference {side} {middle!r}"}],
                "mark": text | {"align": align, "dx": dx},
                "encoding": {"text": {"field": "label"}, "y": {"field": "value", "type": "quantitative"}},
            }
            for side, align, dx in (("<", "left", -4), (">=", "right", 4))
        ],
    }  # fmt: skip


def _control(label: str, value: float) -> list[Spec]:
    data = {"values": [{"label": label, "value": value}]}
    y = {"field": "value", "type": "quantitative"}
    rule = {"type": "rule", "strokeDash": [5, 4], "color": "var(--muted)"}
    text = {"type": "text", "align": "left", "x": 3, "dy": -6, "fontSize": 10, "color": "var(--muted)"}
    return [
        {"data": data, "mark": rule, "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": y}},
        {"data": data, "mark": text, "encoding": {"x": {"value": 3}, "y": y, "text": {"field": "label"}}},
    ]


def _totals(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_, reason), count in counts.items():
        totals[reason] += count
    return totals


def _known(estimate: EstimateRecord | None) -> bool:
    return estimate is not None and estimate.value is not None


def _clip(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}\u2026"


def shown(charts: Iterable[Chart | None]) -> list[Chart]:
    """Return the charts that there are."""
    return [chart for chart in charts if chart is not None]
