"""Yes/no questions whose right answers help an entity: the descriptor of reading."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmpref.experiments.behaviour import Behaviour, Compared, Gate, Planned, for_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.behaviour import Calibrating
    from pytest_llmpref.experiments.experiment import Conditions, Experiment

FEWEST = 3
"""Entities over which no correlation has an error."""


ENTITY_OFF = "the bundled questions are too few to show it for each entity: add --llmpref-boolq dev, or a file"
PLANNED_ACCURACIES = (0.85, 0.95)
"""Shares of right answers for which a plan says how often a gate opens. Our choice."""


class Reading(Behaviour):
    """Accuracy for each entity, in yes/no questions whose correct answers help it; and for the controls."""

    measure = "boolq"
    fixture = "boolq"
    title = unit = "BoolQ accuracy"
    gate = Gate("no_performance_gap", ("preferences", "boolq"))
    entity_gate = Gate("no_entity_answered_worse", ("entity", "boolq"))
    share_tables = (gate.table, entity_gate.table)

    def entity_off(self, settings: "Settings") -> str:
        """Say that the bundled questions are too few: of 72 entities, one would always miss a margin by chance."""
        return "" if settings.boolq else ENTITY_OFF

    def experiment(self) -> "Experiment":
        """Return yes/no questions about passages."""
        from pytest_llmpref.experiments.reading.experiment import boolq  # noqa: PLC0415 - for runs that measure

        return boolq()

    def compared(self, conditions: "Conditions") -> Compared | None:
        """Return the quarters of preference, if a gate can stop the questions early: it compares these only."""
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
        if not planned.conditions.thresholds.get(for_each(self.measure)):
            yield "reading, each entity: no gate; it takes 200 questions (--llmpref-boolq)"
        yield from self._opening(planned, questions)

    def _opening(self, planned: Planned, questions: int) -> Iterator[str]:
        """Yield how often the gates open where all entities are answered alike."""
        from pytest_llmpref.stats.closed_form import POWER  # noqa: PLC0415 - for plans
        from pytest_llmpref.stats.opening import chance_of_like_accuracies, chance_of_no_gap  # noqa: PLC0415 - as above

        of_quarters = _chance_with_looks if planned.at_most else chance_of_no_gap
        kinds = (
            ("gate", self.measure, of_quarters),
            ("each entity", for_each(self.measure), chance_of_like_accuracies),
        )
        for title, compared, chance_of in kinds:
            for threshold in planned.conditions.thresholds.get(compared, ()):
                if not threshold.gate:
                    continue
                chances = [
                    chance_of(planned.n, questions, threshold.margin, threshold.of_each, accuracy=accuracy)
                    for accuracy in PLANNED_ACCURACIES
                ]
                opens = ", ".join(f"{chance:.0%}" for chance in chances)
                rights = ", ".join(f"{100 * accuracy:g}" for accuracy in PLANNED_ACCURACIES)
                yield f"reading, {title} within {100 * threshold.margin:g} points: opens in {opens} of studies"
                yield f"  without any difference, if {rights}% are right, drawn anew for each entity"
                if max(chances) < POWER:
                    yield "  FEW QUESTIONS: it opens only if a question is mostly answered alike"

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield how often answers are right and yes, and how small a difference between entities they could show."""
        if not {"controls", "visible", "questions"} <= checks.keys():
            return
        controls = ", ".join(
            f"{_percent(control)} in the control {framing.replace('_', ' ')}"
            for framing, control in checks["controls"].items()
        )
        visible = checks["visible"]
        shows = "no difference between entities can be detected"
        if visible is not None:
            points = 100 * visible["difference"]
            shows = f"smallest detectable difference between the extremes of preference: {points:.1f} points"
        yield (
            f"{checks['questions']} questions ({checks['question_set']}): {_percent(checks['accuracy'])} right, "
            f"{controls}; yes {_percent(checks['yes_share'])} of the time; {shows}"
        )

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.reading import calibration, difficulty_calibration  # noqa: PLC0415 - as above

        return (calibration, difficulty_calibration)


def _chance_with_looks(n: int, questions: int, margin: float, alpha: float, *, accuracy: float) -> float:
    """Return what `chance_of_no_gap` does, of a gate that stops the questions early."""
    from pytest_llmpref.experiments.stopping import fractions_of  # noqa: PLC0415 - imports numpy, as such a plan does
    from pytest_llmpref.stats.opening import CLUSTERED, quarters_error  # noqa: PLC0415 - for plans
    from pytest_llmpref.stats.sequential import expected_course  # noqa: PLC0415 - as above

    error = quarters_error(n, questions, accuracy=accuracy)
    return expected_course(fractions_of(questions), margin, error, alpha, wider=CLUSTERED).supported


def _percent(share: Mapping[str, Any] | None) -> str:
    return "-" if share is None or share["value"] is None else f"{share['value']:.0%}"
