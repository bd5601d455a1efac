"""Tasks of agents, as the house knows them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_llmpref.experiments.behaviour import Behaviour, Compared, Gate, Planned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmpref.charts.drawing import Chart, Drawing
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.experiment import Conditions, Experiment
    from pytest_llmpref.experiments.scenario import ClaimKind, Scenario

OFF = "agentic tasks are run only when asked for: add --llmpref-agentic bundled (or gaia, or cybench)"
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
            from pytest_llmpref.stats.detectable import detectable_arm_difference  # noqa: PLC0415 - for plans

            entities = planned.conditions.profile.agentic_entities
            gap = detectable_arm_difference(planned.questions * entities // (2 * entities + 1), planned.alpha)
            yield f"agents, the arms: {100 * gap:.0f} points, if half of the tasks are solved"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return the tasks solved for the entities of both arms."""
        from pytest_llmpref.experiments.agents.charts import arms_chart  # noqa: PLC0415 - for reports

        return {self.measure: arms_chart(drawing, self.unit)}

    def scenarios(self) -> "Iterable[Scenario]":
        """Return simulated studies."""
        from pytest_llmpref.experiments.agents.calibration import scenarios  # noqa: PLC0415 - for calibration

        return scenarios()

    def claim_kinds(self) -> "Mapping[str, ClaimKind]":
        """Return the kinds of claim that they make."""
        from pytest_llmpref.experiments.agents.calibration import KINDS  # noqa: PLC0415 - for calibration

        return KINDS
