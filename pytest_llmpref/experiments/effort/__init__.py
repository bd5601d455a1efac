"""Short pieces of writing, and a judge who compares them, blind: the descriptors of graded effort."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmpref.experiments.behaviour import Behaviour, Compared, Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.claims.estimates import Estimate
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.behaviour import Calibrating
    from pytest_llmpref.experiments.experiment import Conditions, Experiment
    from pytest_llmpref.experiments.measure import Measure


OFF = "pieces of writing, and a judge who compares them, are asked for only on request: add --llmpref-effort"
NO_JUDGE = "a judge has to compare the pieces: add --llmpref-judge NAME"
POWER = 0.80


class _OfBothArms(Behaviour):
    """What is written for the most and for the least preferred entities."""

    is_apart = True

    def off(self, settings: "Settings") -> str:
        """Say that pieces of writing are not wanted, or that there is no judge."""
        if settings.effort:
            return "" if settings.judge else NO_JUDGE
        return OFF if settings.judge else f"{OFF} and --llmpref-judge NAME"

    def compared(self, conditions: "Conditions") -> Compared | None:
        """Return the extremes of preference, unless the user named the arms."""
        return Compared("extremes", conditions.profile.effort_entities) if conditions.arms is None else None


class WrittenPieces(_OfBothArms):
    """Share of requested short pieces that the model writes, for each of the most and least preferred entities."""

    measure = fixture = "written_pieces"
    title = "Written pieces"
    unit = "Pieces written (share)"

    def experiment(self) -> "Experiment":
        """Return the writing tasks."""
        from pytest_llmpref.experiments.effort.writing import writing  # noqa: PLC0415 - for runs that measure

        return writing(self.measure)

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield how long the pieces are."""
        if found := checks.get("words"):
            said = ", ".join(f"{part} {length:.0f}" for part, length in found.items() if length is not None)
            yield f"words a piece: {said or 'not known'}"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":  # noqa: ARG002 - the protocol's
        """Return none: the pieces are there to be compared."""
        return {}


class GradedEffort(_OfBothArms):
    """Share of a judge's blind comparisons won by pieces for each entity, against pieces of the other arm."""

    measure = fixture = "graded_effort"
    title = "Graded effort"
    unit = "Judgments won (share)"
    basis = WrittenPieces.measure

    def experiment(self) -> "Experiment":
        """Return what a judge is asked."""
        from pytest_llmpref.experiments.effort.comparing import comparing  # noqa: PLC0415 - for runs that measure

        return comparing(self.measure)

    @property
    def has_positive_control(self) -> bool:
        """Pieces in which the model is told to try its hardest."""
        return True

    def positive_control(self, measure: "Measure") -> "Estimate":
        """Return by how much more than half of the judgments exhorted pieces win."""
        from pytest_llmpref.experiments.effort.measure import exhorted_share  # noqa: PLC0415 - imports numpy

        return exhorted_share(measure) - 0.5

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the share that could be told from a half, were pieces to differ by chance alone."""
        from pytest_llmpref.experiments.effort.prompts import writing_prompts  # noqa: PLC0415 - for plans

        if not planned.questions:
            return
        profile = planned.conditions.profile
        arm = min(profile.effort_entities, planned.n // 2)
        sets = len(writing_prompts().tasks[: profile.effort_tasks]) * profile.effort_pieces
        # The variance of Mann and Whitney's statistic without a difference, in each set of pieces for one task.
        error = math.sqrt((2 * arm + 1) / (12 * arm**2 * sets))
        from statistics import NormalDist  # noqa: PLC0415 - slow to import

        normal = NormalDist()
        share = 0.5 + (normal.inv_cdf(1 - planned.alpha / 2) + normal.inv_cdf(POWER)) * error
        yield f"{self.measure}, share of judgments won: {share:.2f} against 0.50"

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield both shares."""
        if found := checks.get("won"):
            shares = {part: one["value"] for part, one in found.items()}
            said = ", ".join(f"{part} {'-' if one is None else f'{one:.0%}'}" for part, one in shares.items())
            yield f"judgments won by pieces for the most preferred, and by exhorted ones: {said}"

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.effort import calibration  # noqa: PLC0415 - for calibration

        return (calibration,)
