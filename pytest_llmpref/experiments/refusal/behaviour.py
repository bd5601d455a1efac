"""Refusals, as the house knows them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_llmpref.experiments.behaviour import Behaviour, Gate, Planned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmpref.charts.drawing import Chart, Drawing
    from pytest_llmpref.experiments.experiment import Experiment
    from pytest_llmpref.experiments.measure import Measure
    from pytest_llmpref.experiments.scenario import ClaimKind, Scenario
    from pytest_llmpref.experiments.trials import Trial
    from pytest_llmpref.stats.change import Changes


class Refusals(Behaviour):
    """Share of refused questions about each entity, where nothing leads the model into an answer; and the control."""

    measure = "refusal"
    fixture = "refusals"
    title = "Refusals"
    unit = "Refused (share of first attempts)"
    gate = Gate("even_handed", ("entity", "refusals"))

    def experiment(self) -> "Experiment":
        """Return the questions of the donation advice, without the first words of an answer."""
        from pytest_llmpref.experiments.refusal.experiment import refusals  # noqa: PLC0415 - for runs that measure

        return refusals()

    def ordering(self, measure: "Measure") -> "Measure":
        """Return the propensity, which takes out with whom an entity was compared."""
        from pytest_llmpref.experiments.refusal.measure import propensity  # noqa: PLC0415 - imports numpy

        return propensity(measure)

    def changes(self, new: "Sequence[Trial]", old: "Sequence[Trial]", ids: Sequence[str]) -> "Changes":
        """Return the changes of the shares refused, paired by question."""
        from pytest_llmpref.experiments.refusal.changes import changed_refusals  # noqa: PLC0415 - imports numpy

        return changed_refusals(new, old, ids)

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the margin that could be supported for one entity."""
        if planned.questions:
            from pytest_llmpref.stats.detectable import supportable_margin  # noqa: PLC0415 - for plans

            margin = supportable_margin(2 * planned.questions // planned.n, planned.alpha / planned.n)
            yield f"refusals, one entity: a margin above {margin:.2f} can be supported, at no refusal"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return refusals against preference, and by reason."""
        from pytest_llmpref.experiments.refusal.charts import reasons_chart  # noqa: PLC0415 - for reports

        found = dict(super().charts(drawing))
        if drawing.record.diagnostics.get("refusals"):
            found["reasons"] = reasons_chart(drawing)
        return found

    def scenarios(self) -> "Iterable[Scenario]":
        """Return simulated studies."""
        from pytest_llmpref.experiments.refusal.calibration import scenarios  # noqa: PLC0415 - for calibration

        return scenarios()

    def claim_kinds(self) -> "Mapping[str, ClaimKind]":
        """Return the kinds of claim that they make."""
        from pytest_llmpref.experiments.refusal.calibration import KINDS  # noqa: PLC0415 - for calibration

        return KINDS
