"""Charts that set models side by side: claims against their thresholds, preferences, checks of each measurement."""

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Literal

from pytest_llmpref.charts import Chart, Names, Row, Spec, quantities
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.registry import reference
from pytest_llmpref.report.claims import ModelVerdict, claimed
from pytest_llmpref.report.wording import words
from pytest_llmpref.results.diagnostics import Diagnostics, ShareRecord
from pytest_llmpref.results.schema import ClaimRecord, Results

CHECKS = {
    "coverage": ("Answered", 0.9),
    "position_bias": ("First chosen", 0.5),
    "label_bias": ("A chosen", 0.5),
    "decided_pairs": ("Orders agree", 0.5),
    "reliability": ("Reliability", 0.5),
}
"""Diagnostic -> heading, and where its reference line is: least coverage and reliability, no bias, chance."""
SIDES = ("above the model's mean", "below the model's mean")


def claims_chart(judged: Mapping[str, ModelVerdict], labels: Mapping[str, str]) -> Chart | None:
    """Return every claim about a model as a whole: estimate, interval and threshold, for each model."""
    rows = [
        claim_row(group.first, claim=f"{group.title}: {claimed(group.first)}", model=labels[model])
        for model, verdict in judged.items()
        for group in verdict.groups
        if not group.by_entity and group.first.estimate.value is not None
    ]
    if not rows:
        return None
    return Chart(
        "Claims against their thresholds",
        "Each claim about a model as a whole: its estimate and interval, and the threshold as a dashed line.",
        _claims_spec(rows),
        claim_columns("claim model"),
        "tall",
    )


def claim_row(claim: ClaimRecord, /, **beside: str) -> Row:
    """Return what a chart of claims shows of one, beside what it is told apart by."""
    return {
        **beside,
        "value": claim.estimate.value,
        "low": claim.estimate.low,
        "high": claim.estimate.high,
        "threshold": claim.threshold,
        "other_threshold": -claim.threshold if claim.relation == "abs <" else claim.threshold,
        "verdict": claim.verdict,
        "n": claim.estimate.n,
    }


def claim_columns(beside: str) -> dict[str, str]:
    """Return the columns of the table of such rows, and their headings; first those that they are told apart by."""
    fields = f"{beside} value low high threshold verdict n".split()
    return {field: field.capitalize() if field != "n" else field for field in fields}


_BY_VERDICT = {"field": "verdict", "type": "nominal", "legend": {"title": None, "orient": "top"}}
_BY_COLOUR = _BY_VERDICT | {"scale": {"domain": list(Verdict), "range": [f"var(--{verdict})" for verdict in Verdict]}}
_BY_SHAPE = _BY_VERDICT | {"scale": {"domain": list(Verdict), "range": ["circle", "cross", "diamond", "triangle-up"]}}


def claim_layers(
    along: Literal["x", "y"], scale: Spec, line: Spec, across: Spec, tooltip: Sequence[Spec]
) -> list[Spec]:
    """Return how claims are drawn, in every chart of several models or releases.

    Parameters
    ----------
    along
        The axis of the values.
    scale
        Its scale.
    line, across
        The mark of a threshold, and what places it on the other axis.
    tooltip
        What is shown of a claim that is pointed at.
    """
    thresholds: list[Spec] = [
        {
            "mark": {**line, "color": "var(--ink)", "strokeDash": [3, 3], "aria": False},
            "encoding": {along: {"field": field, **scale}, **across},
        }
        for field in ("threshold", "other_threshold")
    ]
    interval: Spec = {
        "mark": {"type": "rule", "strokeWidth": 2, "aria": False},
        "encoding": {along: {"field": "low", **scale}, f"{along}2": {"field": "high"}, "color": _BY_COLOUR},
    }
    value: Spec = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {
            along: {"field": "value", **scale},
            "color": _BY_COLOUR,
            "shape": _BY_SHAPE,
            "tooltip": tooltip,
            "description": {"field": "verdict"},
        },
    }
    return [*thresholds, interval, value]


def _claims_spec(rows: list[Row]) -> Spec:
    header = {"labelOrient": "top", "labelAnchor": "start", "labelLimit": 560, "labelPadding": 2}
    x = {"type": "quantitative", "title": None, "scale": {"zero": False}}
    whole: Spec = {"y": {"value": 0}, "y2": {"value": "height"}}
    shown = quantities(claim="Claim", model="Model", value="Value", low="Low", high="High", verdict="Verdict")
    order = list(dict.fromkeys(row["claim"] for row in rows))
    return {
        "data": {"values": rows},
        "facet": {"row": {"field": "claim", "type": "nominal", "sort": order, "title": None, "header": header}},
        "spacing": 14,
        "resolve": {"scale": {"x": "independent"}},
        "spec": {
            "width": 420,
            "height": {"step": 20},
            "encoding": {"y": {"field": "model", "type": "nominal", "axis": {"title": None, "labelLimit": 220}}},
            "layer": claim_layers("x", x, {"type": "rule"}, whole, shown),
        },
    }


def preferences_chart(results: Results, names: Names, labels: Mapping[str, str]) -> Chart | None:
    """Return the ranks of all entities by all models that have preferences, if there are two."""
    liked = reference().measure
    taken = {name: model.measures.get(liked) for name, model in results.models.items()}
    values = {
        model: {entity: one.value for entity, one in measure.entities.items() if one.value is not None}
        for model, measure in taken.items()
        if measure
    }
    values = {model: found for model, found in values.items() if len(found) > 1}
    if len(values) < 2:
        return None
    rows = [row for model, found in values.items() for row in _ranks(found, labels[model], names)]
    ranks: dict[str, list[int]] = {}
    for row in rows:
        ranks.setdefault(row["id"], []).append(row["rank"])
    for row in rows:
        row["mean_rank"] = fmean(ranks[row["id"]])
    rows.sort(key=lambda row: row["mean_rank"])
    return Chart(
        "Preferences of all models",
        "Rank of each entity (1 is the most preferred), ordered by mean rank; deeper colour is further from the mean.",
        _preferences_spec(rows),
        {"entity": "Entity", "group": "Group", "model": "Model", "rank": "Rank", "value": "Elo"},
    )


def _ranks(values: Mapping[str, float], model: str, names: Names) -> list[Row]:
    mean, spread = fmean(values.values()), pstdev(values.values()) or 1.0
    return [
        {
            "id": entity,
            "entity": names[entity],
            "group": names.of(entity).group,
            "model": model,
            "rank": rank,
            "value": values[entity],
            "size": abs(values[entity] - mean) / spread,
            "side": SIDES[values[entity] < mean],
        }
        for rank, entity in enumerate(sorted(values, key=lambda entity: -values[entity]), start=1)
    ]


def _preferences_spec(rows: list[Row]) -> Spec:
    sides = {"domain": list(SIDES), "range": ["var(--above)", "var(--below)"]}
    size = {"domain": [0, 2], "range": [0.04, 0.62], "clamp": True}
    cell = {
        "mark": {"type": "rect", "stroke": "var(--paper)", "cursor": "pointer"},
        "encoding": {
            "color": {
                "field": "side", "type": "nominal", "scale": sides, "legend": {"title": None, "orient": "bottom"},
            },
            "opacity": {"field": "size", "type": "quantitative", "scale": size, "legend": None},
            "tooltip": quantities(entity="Entity", group="Group", model="Model", rank="Rank", value="Elo"),
            "description": {"field": "entity"},
        },
    }  # fmt: skip
    rank = {
        "mark": {"type": "text", "fontSize": 10, "aria": False, "color": "var(--ink)"},
        "encoding": {"text": {"field": "rank", "type": "quantitative"}},
    }
    bare = {"title": None, "ticks": False, "domain": False}
    by_mean = {"field": "mean_rank", "op": "min"}
    return {
        "data": {"values": rows},
        "width": {"step": 84},
        "height": {"step": 15},
        "encoding": {
            "y": {"field": "entity", "type": "nominal", "sort": by_mean, "axis": bare | {"labelLimit": 250}},
            "x": {
                "field": "model",
                "type": "nominal",
                "axis": bare | {"orient": "top", "labelAngle": -25, "labelLimit": 200},
            },
        },
        "layer": [cell, rank],
    }


def checks_chart(results: Results, labels: Mapping[str, str]) -> Chart | None:
    """Return position bias, label bias, agreement of orders, reliability and coverage of every measure."""
    rows = [
        row
        for model, record in results.models.items()
        for name, measure in record.measures.items()
        for row in _check_rows(measure.checks, labels[model], words(name))
    ]
    if not rows:
        return None
    return Chart(
        "Position bias and reliability",
        "Questions answered, how often the option shown first and label A are chosen, pairs decided alike in both "
        "orders, and split-half reliability. Dashed lines: what a valid measure needs at least, no bias, and chance.",
        _checks_spec(rows),
        {"model": "Model", "measure": "Measure", "check": "Check", "value": "Value", "low": "Low", "high": "High"},
        "wide",
    )


def _check_rows(checks: Diagnostics, model: str, measure: str) -> list[Row]:
    rows = []
    for check, (heading, ideal) in CHECKS.items():
        found: ShareRecord | float | None = getattr(checks, check)
        one = ShareRecord(found) if isinstance(found, float) else found
        if one is not None and one.value is not None:
            place = {"model": model, "measure": measure, "row": f"{model} \u00b7 {measure}"}
            interval = {"value": one.value, "low": one.low, "high": one.high}
            rows.append({**interval, **place, "check": heading, "reference": ideal})
    return rows


def _checks_spec(rows: list[Row]) -> Spec:
    # A reliability may lie below 0.
    ends = [row[end] for row in rows for end in ("value", "low", "high") if row[end] is not None]
    domain = [min(0, *ends), max(1, *ends)]
    x = {"type": "quantitative", "title": None, "scale": {"domain": domain}, "axis": {"tickCount": 3}}
    reference = {
        "mark": {"type": "rule", "color": "var(--muted)", "strokeDash": [3, 3], "aria": False},
        "encoding": {"x": {"field": "reference", **x}, "y": {"value": 0}, "y2": {"value": "height"}},
    }
    interval: Spec = {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "rule", "color": "var(--rule)", "strokeWidth": 2, "aria": False},
        "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}},
    }
    shown = quantities(model="Model", measure="Measure", check="Check", value="Value", low="Low", high="High")
    value: Spec = {
        "mark": {"type": "point", "filled": True, "size": 55, "color": "var(--c0)", "opacity": 1},
        "encoding": {"x": {"field": "value", **x}, "tooltip": shown, "description": {"field": "row"}},
    }
    headings = [heading for heading, _ in CHECKS.values()]
    header = {"labelLimit": 150, "labelPadding": 4}
    order = list(dict.fromkeys(row["row"] for row in rows))
    axis = {"title": None, "labelLimit": 260, "grid": True}
    return {
        "data": {"values": rows},
        "facet": {"column": {"field": "check", "type": "nominal", "sort": headings, "title": None, "header": header}},
        "spacing": 16,
        "spec": {
            "width": 130,
            "height": {"step": 18},
            "encoding": {"y": {"field": "row", "type": "nominal", "sort": order, "axis": axis}},
            "layer": [reference, interval, value],
        },
    }
