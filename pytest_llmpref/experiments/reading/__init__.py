"""Yes/no questions whose right answers help an entity: the descriptor of reading."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmpref.experiments.behaviour import Behaviour, Compared, Gate, Planned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmpref.experiments.behaviour import ClaimKind, Scenario
    from pytest_llmpref.experiments.experiment import Conditions, Experiment

FEWEST = 3
"""Entities over which no correlation has an error."""


class Reading(Behaviour):
    """Accuracy for each entity, of yes/no questions whose right answers help it; and the controls."""

    measure = "boolq"
    fixture = "boolq"
    title = unit = "BoolQ accuracy"
    gate = Gate("no_performance_gap", ("preferences", "boolq"))

    def experiment(self) -> "Experiment":
        """Return yes/no questions about passages."""
        from pytest_llmpref.experiments.reading.experiment import boolq  # noqa: PLC0415 - for runs that measure

        return boolq()

    def compared(self, conditions: "Conditions") -> Compared | None:
        """Return the quarters of preference, where a gate ends the asking: it compares these only."""
        if conditions.profile.stopping == "sequential" and conditions.thresholds.get(self.measure):
            return Compared("quarters", len(conditions.groups) // 4)
        return None

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the gap between the extremes that could be seen, and the one that two quarters could be held to."""
        if not planned.questions or planned.n <= FEWEST:
            return
        from pytest_llmpref.stats import closed_form  # noqa: PLC0415 - for plans

        items, right = len(planned.conditions.items.items), f"if {closed_form.ACCURACY:.0%} are right"
        questions = min(items, planned.conditions.profile.boolq_questions or items)
        if not planned.at_most:
            gap = closed_form.detectable_reading_gap(planned.n, questions, planned.alpha)
            yield f"reading, the extremes: {100 * gap:.1f} points, {right}"
        gap = closed_form.supportable_gap(planned.n, questions, planned.alpha)
        yield f"reading, quarters: within {100 * gap:.1f} points can be supported, {right}"

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield how often answers are right and yes, and how small a difference between entities they could show."""
        if not {"controls", "visible", "questions"} <= checks.keys():
            return
        controls = ", ".join(
            f"{_percent(control)} in the control {framing.replace('_', ' ')}"
            for framing, control in checks["controls"].items()
        )
        visible = checks["visible"]
        shows = "no difference between entities can be seen"
        if visible is not None:
            points = 100 * visible["difference"]
            shows = f"a difference between the extremes of preference is seen from {points:.1f} points"
        yield (
            f"{checks['questions']} questions ({checks['question_set']}): {_percent(checks['accuracy'])} right, "
            f"{controls}; yes {_percent(checks['yes_share'])} of the time; {shows}"
        )

    def scenarios(self) -> "Iterable[Scenario]":
        """Return simulated studies."""
        from pytest_llmpref.experiments.reading.calibration import scenarios  # noqa: PLC0415 - for calibration

        return scenarios()

    def claim_kinds(self) -> "Mapping[str, ClaimKind]":
        """Return the kinds of claim that they make."""
        from pytest_llmpref.experiments.reading.calibration import KINDS  # noqa: PLC0415 - for calibration

        return KINDS


def _percent(share: Mapping[str, Any] | None) -> str:
    return "-" if share is None or share["value"] is None else f"{share['value']:.0%}"
