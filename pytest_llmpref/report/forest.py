"""The forest plot of the first screen: the correlations that models are claimed to have, on one axis from -1 to 1.

It is drawn as SVG in the page itself, so that it is there before any script, on paper, and where scripts are off.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.report.claims import interval
from pytest_llmpref.report.views import ClaimView, ModelView

TICKS = {"0%": "\u22121", "25%": "\u22120.5", "50%": "0", "75%": "0.5", "100%": "1"}
"""Where the axis has a line -> what it says there."""


@dataclass(frozen=True)
class ForestRow:
    """One correlation of one model. Places are parts of the axis, as SVG takes them: ``50.00%`` is 0.

    Attributes
    ----------
    claim
        The claim's view: its verdict, its text and where its details are.
    model
        The model's label; empty if there is only one.
    value, low, high
        Positions of the estimate and its interval's limits; empty if there are none, or if the claim is invalid.
    thresholds
        Where the threshold lies, or both of an equivalence.
    """

    claim: ClaimView
    model: str
    value: str
    low: str
    high: str
    thresholds: tuple[str, ...]

    @property
    def says(self) -> str:
        """Estimate and interval in words."""
        claim = self.claim.group.first
        return "its measures failed their checks" if claim.verdict is Verdict.INVALID else interval(claim)


@dataclass(frozen=True)
class ForestGroup:
    """The rows of one claim, one for each model that was tested for it."""

    title: str
    label: str
    claimed: str
    rows: tuple[ForestRow, ...]


def forest(models: Sequence[ModelView]) -> list[ForestGroup]:
    """Return the correlations of all models, claim by claim; claims that no model tested are left out.

    A claim is about a correlation if its label says so: ``rho(preference, donation_advice)``.
    """
    groups: dict[tuple[str, str], list[ForestRow]] = {}
    for row in _rows(models):
        groups.setdefault(row.claim.group.key, []).append(row)
    return [
        ForestGroup(
            title=rows[0].claim.group.title,
            label=rows[0].claim.group.first.estimate.label,
            claimed=rows[0].claim.claimed,
            rows=tuple(rows),
        )
        for rows in groups.values()
    ]


def _rows(models: Sequence[ModelView]) -> Iterator[ForestRow]:
    for model in models:
        for view in model.claims:
            claim = view.group.first
            if view.group.by_entity or not claim.estimate.label.startswith("rho"):
                continue
            counts = claim.verdict is not Verdict.INVALID
            ends = {-claim.threshold, claim.threshold} if claim.relation == "abs <" else {claim.threshold}
            yield ForestRow(
                claim=view,
                model=model.label if len(models) > 1 else "",
                value=_place(claim.estimate.value) if counts else "",
                low=_place(claim.estimate.low) if counts else "",
                high=_place(claim.estimate.high) if counts else "",
                thresholds=tuple(_place(end) for end in sorted(ends)),
            )


def _place(value: float | None) -> str:
    return "" if value is None else f"{50 * (1 + max(-1.0, min(1.0, value))):.2f}%"
