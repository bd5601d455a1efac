"""How often a model declines to advise: the descriptor of refusals, and the chart of their reasons."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_llmpref.experiments.behaviour import Behaviour, Gate, Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.experiments.behaviour import Calibrating
    from pytest_llmpref.experiments.experiment import Experiment
    from pytest_llmpref.experiments.measure import Measure


def reasons_chart(drawing: "Drawing") -> "Chart | None":
    """Return the refused attempts by entity and reason, the most preferred entity first."""
    from pytest_llmpref.charts import COLOURS, Chart, quantities  # noqa: PLC0415 - for pages; a run's start needs none

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


PLANNED_RATES = (0.001, 0.005, 0.01)
"""Shares of refused questions for which a plan says how often the gate opens. Our choice."""


class Refusals(Behaviour):
    """Share of refused questions about each entity, asked without a prefill; and for the control."""

    measure = "refusal"
    fixture = "refusals"
    title = "Refusals"
    unit = "Refused (share of first attempts)"
    gate = Gate("even_handed", ("entity", "refusals"))
    share_tables = (gate.table,)

    def experiment(self) -> "Experiment":
        """Return the questions of the donation advice, without the first words of an answer."""
        from pytest_llmpref.experiments.refusal.experiment import refusals  # noqa: PLC0415 - for runs that measure

        return refusals()

    def ordering(self, measure: "Measure") -> "Measure":
        """Return the propensity, which takes out with whom an entity was compared."""
        from pytest_llmpref.experiments.refusal.measure import propensity  # noqa: PLC0415 - imports numpy

        return propensity(measure)

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the margin that could be supported for one entity, and how often the gate could open."""
        if not planned.questions:
            return
        from pytest_llmpref.stats.closed_form import POWER, supportable_margin  # noqa: PLC0415 - for plans
        from pytest_llmpref.stats.opening import chance_of_few_refusals  # noqa: PLC0415 - as above

        profile = planned.conditions.profile
        partners = min(profile.partners or planned.n - 1, planned.n - 1)
        per_pair = profile.orders * profile.repetitions
        about = planned.n * partners * per_pair // 2
        margin = supportable_margin(2 * about // planned.n, planned.alpha)
        yield f"refusals, one entity: a margin above {margin:.2f} can be supported without refusals"
        for threshold in planned.conditions.thresholds.get(self.measure, ()):
            if not threshold.gate:
                continue
            chances = [
                chance_of_few_refusals(
                    planned.n,
                    about,
                    threshold.margin,
                    threshold.of_each,
                    rate=rate,
                    looks=planned.at_most,
                    per_pair=per_pair,
                )
                for rate in PLANNED_RATES
            ]
            opens = ", ".join(f"{chance:.0%}" for chance in chances)
            rates = ", ".join(f"{100 * rate:g}" for rate in PLANNED_RATES)
            yield f"refusals, gate within {threshold.margin:g}: opens in {opens} of studies"
            yield f"  if {rates}% of all questions are refused"
            if max(chances) < POWER:
                yield "  TOO FEW QUESTIONS for this gate: a larger profile is needed to open it"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return refusals against preference, and by reason."""
        found = dict(super().charts(drawing))
        if drawing.record.diagnostics.get("refusals"):
            found["reasons"] = reasons_chart(drawing)
        return found

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.refusal import calibration  # noqa: PLC0415 - for calibration

        return (calibration,)
