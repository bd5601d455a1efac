"""Charts of questions in contexts: dose and response, shares by context, and how choices follow preference."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import pstdev
from typing import Any

from pytest_llmpref.charts import COLOURS, SHAPES, Chart, Drawing, Row, Spec, bar
from pytest_llmpref.claims.intervals import Wilson

BINS = 5
"""Bins of pairs, by how far apart preference puts them, with as many answers in each. Our choice."""
_COLUMNS = {"context": "Context", "value": "Share", "low": "Low", "high": "High", "n": "Answers"}


def context_chart(drawing: Drawing, title: str) -> Chart | None:
    """Return the chart of a measure of questions in contexts; ``None`` if nothing can be drawn.

    Parameters
    ----------
    drawing
        What it is drawn from.
    title
        What its title begins with.
    """
    found = drawing.record.diagnostics.get("contexts")
    if not found:
        return None
    if found["arms"]:
        return _dose_response(drawing, title, found)
    return _following(drawing, title, found) if found["looked_at"] == "chosen" else _shares(drawing, title, found)


def _dose_response(drawing: Drawing, title: str, found: Mapping[str, Any]) -> Chart | None:
    """Return the share in each arm by its dose, a line for each context."""
    rows = [
        {"context": f"{context} ({found['roles'][context]})", "arm": arm, "dose": found["arms"][arm], **one}
        for context, by_arm in found["by_arm"].items()
        for arm, one in by_arm.items()
        if one["value"] is not None
    ]
    if not rows:
        return None
    return Chart(
        f"{title} by dose: {drawing.model}",
        "A line for each context; the filler names the same entities and says nothing about liking. "
        "Vertical lines are 95% intervals of single answers; intervals of claims rest on the assignment.",
        _lines(rows, "dose", "Dose of the arm", drawing.record.checks.unit or "share", ["arm"]),
        {"context": "Context", "arm": "Arm", "dose": "Dose", **_COLUMNS},
    )


def _following(drawing: Drawing, title: str, found: Mapping[str, Any]) -> Chart | None:
    """Return how often the preferred of two is chosen, by how far apart they are, a line for each context."""
    rows = [*_binned(drawing, found)]
    if not rows:
        return None
    return Chart(
        f"{title} against preference: {drawing.model}",
        "How often the preferred of two is chosen, a line for each context; at 50% choices do not follow preference. "
        "Vertical lines are 95% intervals of single answers.",
        _lines(rows, "apart", "Difference in preference (standard deviations)", "Preferred one chosen", []),
        {"context": "Context", "apart": "Apart", **_COLUMNS},
    )


def _shares(drawing: Drawing, title: str, found: Mapping[str, Any]) -> Chart | None:
    """Return the share in each context."""
    rows = [
        {"context": f"{context} ({found['roles'][context]})", **by_arm["all"]}
        for context, by_arm in found["by_arm"].items()
        if by_arm["all"]["value"] is not None
    ]
    if not rows:
        return None
    unit = drawing.record.checks.unit or "share"
    y = {"field": "context", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 250}}
    point = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
        "encoding": {"x": _share("value", unit), "tooltip": _tooltip(["context"])},
    }
    return Chart(
        f"{title} by context: {drawing.model}",
        "Lines are 95% intervals.",
        {
            "data": {"values": rows},
            "width": 330,
            "height": {"step": 22},
            "encoding": {"y": y},
            "layer": [bar("x"), point],
        },
        _COLUMNS,
    )


def _lines(rows: Sequence[Row], field: str, title: str, unit: str, more: Sequence[str]) -> Spec:
    legend = {"title": None, "orient": "top", "columns": 2, "symbolOpacity": 1}
    colour = {"field": "context", "type": "nominal", "legend": legend}
    x = {"field": field, "type": "quantitative", "title": title, "scale": {"zero": False}}
    point = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
        "encoding": {
            "y": _share("value", unit),
            "color": colour | {"scale": {"range": COLOURS}},
            "shape": colour | {"scale": {"range": SHAPES}},
            "tooltip": _tooltip(["context", *more]),
        },
    }
    line = {
        "mark": {"type": "line", "aria": False, "strokeWidth": 1.2, "color": "var(--rule)"},
        "encoding": {"y": _share("value", unit), "detail": {"field": "context", "type": "nominal"}},
    }
    return {
        "data": {"values": list(rows)},
        "width": 330,
        "height": 260,
        "encoding": {"x": x},
        "layer": [bar("y"), line, point],
    }


def _share(field: str, title: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "axis": {"format": "%"}, "scale": {"zero": False}}


def _tooltip(nominal: Sequence[str]) -> list[Spec]:
    named = [{"field": field, "type": "nominal", "title": field.capitalize()} for field in nominal]
    shares = [
        {"field": field, "type": "quantitative", "title": field.capitalize(), "format": ".1%"}
        for field in ("value", "low", "high")
    ]
    return [*named, *shares, {"field": "n", "type": "quantitative", "title": "Answers"}]


def _binned(drawing: Drawing, found: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the share of answers that choose the preferred of two, by context and by how far apart they are."""
    liked = {} if drawing.preference is None else drawing.preference.entities
    known = {entity: one.value for entity, one in liked.items() if one.value is not None}
    spread = pstdev(known.values()) if len(known) > 1 else 0.0
    columns = drawing.record.trials
    if not spread or not columns:
        return
    answers = list[tuple[float, str, float]]()
    for context, entities, score in zip(columns["context"], columns["entities"], columns["score"], strict=True):
        one, other = (known.get(entity, math.nan) for entity in entities)
        apart = (one - other) / spread
        if context in found["roles"] and score is not None and not math.isnan(apart):
            answers.append((abs(apart), context, score if apart >= 0 else 1 - score))
    answers.sort(key=lambda answer: answer[0])
    for number in range(BINS):
        part = answers[number * len(answers) // BINS : (number + 1) * len(answers) // BINS]
        for context, role in found["roles"].items():
            scores = [score for _, where, score in part if where == context]
            if not scores:
                continue
            low, high = Wilson(sum(scores), len(scores)).limits(0.95)
            yield {
                "context": f"{context} ({role})",
                "apart": sum(apart for apart, *_ in part) / len(part),
                "value": sum(scores) / len(scores),
                "low": low,
                "high": high,
                "n": len(scores),
            }
