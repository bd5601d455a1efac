"""The charts of a model, as Vega-Lite specifications; each holds the rows that its table shows as well."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pytest_llmpref.characters import clipped
from pytest_llmpref.results.measure_record import EstimateRecord, MeasureRecord
from pytest_llmpref.results.schema import EntityRecord, Results

Spec = dict[str, Any]
Row = dict[str, Any]

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
        Heading of the chart, and one sentence that says what it shows.
    spec
        The Vega-Lite specification, its rows under ``data.values``.
    columns
        Field of the rows -> heading of its column in the table.
    place
        Size on the page: ``tall`` (up to four side by side), ``wide`` (the full width), or empty.
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
        shown = Counter(clipped(entity.name, LONGEST_NAME) for entity in results.entities.values())
        self._ambiguous = {name for name, count in shown.items() if count > 1}

    def __getitem__(self, entity: str) -> str:
        """Return the name for charts: clipped, and different for different entities."""
        name = clipped(self.of(entity).name, LONGEST_NAME)
        return f"{name} ({clipped(entity, LONGEST_NAME)})" if name in self._ambiguous else name

    def of(self, entity: str) -> EntityRecord:
        """Return name and group."""
        return self._entities.get(entity, EntityRecord(entity, ""))


@dataclass(frozen=True)
class Drawing:
    """The data for the charts of one measure.

    Attributes
    ----------
    model
        The model's name on the page.
    name
        Name of the measure.
    record
        The measure.
    preference
        The preference of the same model; ``None`` if it was not measured.
    preference_unit
        Title of an axis that shows the preference.
    names
        Names and groups of the entities.
    """

    model: str
    name: str
    record: MeasureRecord
    preference: MeasureRecord | None
    preference_unit: str
    names: Names

    @property
    def liking(self) -> dict[str, float]:
        """Entity id -> preference; 0 if an entity's preference is unknown, empty if preference was not measured."""
        if self.preference is None:
            return {}
        return {entity: one.value or 0.0 for entity, one in self.preference.entities.items()}


def ladder(drawing: Drawing, unit: str) -> Chart | None:
    """Return the preference ladder: every entity by its strength, with its interval."""
    rows = known_rows(drawing)
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
        "layer": [bar("x"), *open_bars("x", rows), points("x", "value", unit, zero=False)],
    }
    open_ended = any(row["low"] is None or row["high"] is None for row in rows)
    return Chart(
        f"Preference ladder: {drawing.model}",
        f"Most preferred: {rows[0]['entity']}; least: {rows[-1]['entity']}. Lines are 95% intervals"
        + (", dashed to the edge where they have no end." if open_ended else "."),
        spec,
        {"entity": "Entity", "group": "Group", "value": "Elo", "low": "Low", "high": "High", "n": "Trials"},
        "tall",
    )


def scatter(drawing: Drawing, title: str, unit: str) -> Chart | None:
    """Return a measure against preference; its controls are horizontal lines.

    ``unit`` is what its axis says; the unit in the diagnostics if empty.
    """
    measure, preference = drawing.record, drawing.preference
    liked = {} if preference is None else preference.entities
    rows = [row | {"liking": liked[row["id"]].value} for row in known_rows(drawing) if is_known(liked.get(row["id"]))]
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: -row["liking"])
    _label(rows)
    unit = unit or f"{title} ({measure.checks.unit or 'Elo'})"
    x = {"field": "liking", "type": "quantitative", "title": drawing.preference_unit, "scale": {"zero": False}}
    layers = [bar("y"), *open_bars("y", rows), points("y", "value", unit, zero=False), _labels(rows)]
    for label, value in controls(measure):
        layers += _control(label, value)
    spec = {"data": {"values": rows}, "width": 330, "height": 260, "encoding": {"x": x}, "layer": layers}
    return Chart(
        f"{title} against preference: {drawing.model}",
        f"{len(rows)} entities, each a point; vertical lines are 95% intervals.",
        spec,
        {
            "entity": "Entity", "group": "Group", "liking": drawing.preference_unit, "value": unit,
            "low": "Low", "high": "High", "n": "n",
        },
    )  # fmt: skip


def controls(measure: MeasureRecord) -> list[tuple[str, float]]:
    """Return the controls that a measure has, with their values."""
    found = [] if measure.control is None else [("control: no entity", measure.control.value)]
    found += [
        (f"control: {name.replace('_', ' ')}", record.value)
        for name, record in measure.checks.controls.items()
        if name != "no_entity"
    ]
    return [(label, value) for label, value in found if value is not None]


def quantities(**titles: str) -> list[Spec]:
    """Return what hovering shows: field -> title."""
    nominal = {"entity", "group", "reason", "model", "measure", "check", "claim", "verdict", "text"}
    return [
        {"field": field, "title": title, "type": "nominal"}
        if field in nominal
        else {"field": field, "title": title, "type": "quantitative", "format": ".4~g"}
        for field, title in titles.items()
    ]


def known_rows(drawing: Drawing) -> list[Row]:
    """Return a row for each entity that has a value."""
    return [_row(drawing.names, id_, one) for id_, one in drawing.record.entities.items() if is_known(one)]


def _row(names: Names, entity: str, estimate: EstimateRecord) -> Row:
    return {
        "id": entity,
        "entity": names[entity],
        "group": clipped(names.of(entity).group, LONGEST_NAME),
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
    }


def bar(axis: str) -> Spec:
    """Return the layer of the intervals, along an axis."""
    return {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "rule", "aria": False, "color": "var(--rule)", "strokeWidth": 1.2, "opacity": 0.8},
        "encoding": {axis: {"field": "low", "type": "quantitative"}, f"{axis}2": {"field": "high"}},
    }


def open_bars(axis: str, rows: Sequence[Row]) -> list[Spec]:
    """Return the layers of the intervals without an end, as of an entity that won every time: drawn to the edge.

    A layer without rows is left out, since Vega warns of it.
    """
    lowest, highest = ({"value": 0}, {"value": "width"}) if axis == "x" else ({"value": "height"}, {"value": 0})
    mark = bar(axis)["mark"] | {"strokeDash": [2, 2]}
    return [
        {
            "transform": [{"filter": f"isValid(datum.{known}) && !isValid(datum.{missing})"}],
            "mark": mark,
            "encoding": {axis: {"field": known, "type": "quantitative"}, f"{axis}2": edge},
        }
        for known, missing, edge in (("high", "low", lowest), ("low", "high", highest))
        if any(row[missing] is None and row[known] is not None for row in rows)
    ]


def points(axis: str, field: str, title: str, *, zero: bool) -> Spec:
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
    width = (rows[0]["liking"] - rows[-1]["liking"]) or 1.0
    low, high = (pick(row["value"] for row in rows) for pick in (min, max))
    height = (high - low) or 1.0
    placed: list[tuple[float, float, float]] = []
    for end in (rows, rows[::-1]):
        for row in end[:LABELLED]:
            # In pixels, roughly: 330 by 200 for the points themselves, and 5.5 for a character.
            x, y = 330 * (row["liking"] - rows[-1]["liking"]) / width, 200 * (row["value"] - low) / height
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
    middle = median(row["liking"] for row in rows)
    text = {"type": "text", "dy": -7, "fontSize": 10, "aria": False, "limit": 190}
    return {
        "transform": [{"filter": "isValid(datum.label)"}],
        "layer": [
            {
                "transform": [{"filter": f"datum.liking {side} {middle!r}"}],
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


def is_known(estimate: EstimateRecord | None) -> bool:
    """Tell whether an estimate has a value."""
    return estimate is not None and estimate.value is not None


def shown(charts: Iterable[Chart | None]) -> list[Chart]:
    """Return the charts that there are."""
    return [chart for chart in charts if chart is not None]
