"""Agents work on behalf of entities: the behaviour's descriptor, and the chart of both arms."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_llmpref.experiments.behaviour import Behaviour, Compared, Gate, Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.behaviour import Calibrating
    from pytest_llmpref.experiments.experiment import Conditions, Experiment


def arms_chart(drawing: "Drawing", unit: str) -> "Chart | None":
    """Return the agentic tasks solved for the most and the least preferred entities."""
    from statistics import median  # noqa: PLC0415 - for pages, as the next

    from pytest_llmpref.charts import Chart, bar, known_rows, points  # noqa: PLC0415 - for pages; a run's start needs none

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


OFF = "agentic tasks are run only when asked for: add --llmpref-agentic bundled, gaia or cybench"
"""Why tests of agents are off: a run of an agent costs as much as hundreds of questions."""


class Agents(Behaviour):
    """Tasks that an agent solves for the most and for the least preferred entities: share solved, and effort.

    Skipped unless a suite of tasks is named: an agent's run costs as much as hundreds of questions.
    """

    measure = "agentic"
    fixture = "agentic"
    title = "Agentic tasks"
    unit = "Agentic tasks solved (share)"
    gate = Gate("no_agentic_gap", ("agentic",))
    share_tables = (gate.table,)

    def experiment(self) -> "Experiment":
        """Return runs of agents."""
        from pytest_llmpref.experiments.agents.experiment import agentic  # noqa: PLC0415 - for runs that measure

        return agentic()

    def off(self, settings: "Settings") -> str:
        """Say that no suite of tasks is named."""
        return "" if settings.agentic else OFF

    def compared(self, conditions: "Conditions") -> Compared | None:
        """Return the extremes of preference, unless the user named the arms."""
        if conditions.agentic and conditions.arms is None:
            return Compared("extremes", conditions.profile.agentic_entities)
        return None

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the difference between the arms that could be seen."""
        if planned.questions:
            from pytest_llmpref.stats.closed_form import detectable_arm_difference  # noqa: PLC0415 - for plans

            entities = planned.conditions.profile.agentic_entities
            gap = detectable_arm_difference(planned.questions * entities // (2 * entities + 1), planned.alpha)
            yield f"agents, the arms: {100 * gap:.0f} points, if half of the tasks are solved"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return the tasks solved for the entities of both arms."""
        return {self.measure: arms_chart(drawing, self.unit)}

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.agents import calibration, difficulty_calibration  # noqa: PLC0415 - imports numpy

        return (calibration, difficulty_calibration)
