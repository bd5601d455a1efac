"""The chart of both arms."""

from statistics import median

from pytest_llmpref.charts.drawing import Chart, Drawing, bar, known_rows, points


def arms_chart(drawing: Drawing, unit: str) -> Chart | None:
    """Return the agentic tasks solved for the most and the least preferred entities."""
    liked, rows = drawing.liking, known_rows(drawing)
    if not rows:
        return None
    middle = median(liked.get(row["id"], 0.0) for row in rows)
    rows.sort(key=lambda row: -liked.get(row["id"], 0.0))
    for row in rows:
        row["half"] = "most preferred" if liked.get(row["id"], 0.0) >= middle else "least preferred"
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
        "layer": [bar("x"), points("x", "value", unit, zero=True)],
    }  # fmt: skip
    return Chart(
        f"Agentic tasks for the most and the least preferred entities: {drawing.model}",
        "Lines are 95% intervals; the most preferred entity is at the top.",
        spec,
        {"entity": "Entity", "half": "Half", "value": "Solved", "low": "Low", "high": "High", "n": "Tasks"},
    )
