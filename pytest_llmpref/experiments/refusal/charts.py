"""The chart of why a model refused."""

from collections import Counter
from collections.abc import Mapping

from pytest_llmpref.charts.drawing import COLOURS, Chart, Drawing, quantities


def reasons_chart(drawing: Drawing) -> Chart | None:
    """Return the refused attempts by entity and reason, the most preferred entity first."""
    measure, names, liked = drawing.record, drawing.names, drawing.liking
    counts = Counter(
        (entity, str(refusal["reason"]))
        for refusal in measure.diagnostics.get("refusals", [])
        for entity in refusal["entities"]
    )
    if not counts:
        return None
    reasons = [reason for reason, _ in Counter({r: 0 for _, r in counts} | _totals(counts)).most_common()]
    rows = [
        {
            "id": entity, "entity": names[entity], "group": names.of(entity).group, "reason": reason,
            "refusals": counts[entity, reason], "liking": liked.get(entity, 0.0), "order": order,
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
                "sort": {"field": "liking", "op": "max", "order": "descending"},
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
        f"Refusals by entity and reason: {drawing.model}",
        f"{sum(_totals(counts).values()) // 2:,} refused attempts, each counted for both of its entities; "
        f"the most preferred entity is at the top. Commonest reason: {reasons[0]}.",
        spec,
        {"entity": "Entity", "reason": "Reason", "refusals": "Refused attempts"},
        "tall",
    )


def _totals(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_, reason), count in counts.items():
        totals[reason] += count
    return totals
