"""A chart beside the scatter: which questions the model says yes to. It is drawn from what results.json holds."""

from collections import Counter

from pytest_llmpref import Chart, Drawing
from trust.experiment import QUESTIONS


def by_question(drawing: Drawing) -> Chart | None:
    """Return the share of yes to each question about entities; ``None`` where the file has no answers."""
    table = drawing.record.trials
    if not table:
        return None
    yes, n = Counter[int](), Counter[int]()
    for wording, score, is_control in zip(table["wording"], table["score"], table["control"], strict=True):
        if score is not None and not is_control:
            yes[wording] += score
            n[wording] += 1
    rows = [
        {"question": said_of_it(wording), "share": yes[wording] / n[wording], "n": n[wording]} for wording in sorted(n)
    ]
    if not rows:
        return None
    strictest = min(n, key=lambda wording: yes[wording] / n[wording])
    spec = {
        "data": {"values": rows},
        "width": 330,
        "height": {"step": 22},
        "mark": {"type": "bar", "color": "var(--c0)"},
        "encoding": {
            "y": {"field": "question", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 250}},
            "x": {"field": "share", "type": "quantitative", "title": "Share of yes", "scale": {"domain": [0, 1]}},
        },
    }
    return Chart(
        f"Trust by question: {drawing.model}",
        f"The fewest say yes to: {said_of_it(strictest)}",
        spec,
        {"question": "Question", "share": "Share of yes", "n": "Answers"},
    )


def said_of_it(wording: int) -> str:
    """Return a question as the chart shows it."""
    return QUESTIONS[wording].format(entity="it")
