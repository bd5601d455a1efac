"""From tallies to rows: one kind of claim in one cell, its rates, and which of its targets it misses."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pytest_llmpref.calibration.findings import (
    COVERAGE,
    COVERAGE_TOLERANCE,
    Sums,
    Tally,
    claim_kinds,
    nominal_rate,
    scenarios,
)
from pytest_llmpref.calibration.running import Calibration
from pytest_llmpref.claims.claim import DEFAULT_ALPHA
from pytest_llmpref.claims.verdicts import Relation, Verdict
from pytest_llmpref.experiments.behaviour import ClaimKind, PredictedStudy

POWER_TOLERANCE = 0.05
WIDE = "intervals too wide"
FEWEST_VALID = 100
"""Fewest valid studies that a power, or a coverage of the valid, is given for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of claim in one cell; rates are over studies, NaN if they are not defined.

    Attributes
    ----------
    cell, kind
        Names.
    studies
        Studies.
    truth
        The estimand; of claims about entities, its mean.
    coverage, coverage_of_valid, too_high, too_low
        Shares of 95% intervals that cover the truth, the same of valid measurements alone, lie above it, lie below it.
    false_alarms, false_alarms_of_valid, false_alarm_error
        Share of claims bounded by the truth that are supported, the same of valid measurements alone, and the standard
        error of the first.
    nominal
        What the method promises for that: half of alpha for a claim on one side, alpha for equivalence.
    family_alarms
        Share of studies in which any claim of an entity-level family is so, Bonferroni-corrected.
    threshold
        The threshold asked about.
    verdicts
        Shares of verdicts with that threshold.
    power, predicted
        Share supported, of the valid, where the claim asked about is true; and what a power analysis predicts.
    misses
        Targets that are missed.
    of_entity
        Whether a study makes the claim for each entity.
    """

    cell: str
    kind: str
    studies: int
    truth: float
    coverage: float
    coverage_of_valid: float
    too_high: float
    too_low: float
    false_alarms: float
    false_alarms_of_valid: float
    false_alarm_error: float
    nominal: float
    family_alarms: float
    threshold: float
    verdicts: dict[str, float]
    power: float
    predicted: float
    misses: tuple[str, ...]
    of_entity: bool

    @property
    def id(self) -> str:
        """Name that stays from one calibration to the next, to compare them by."""
        return f"{self.cell}: {self.kind}"

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, which has no NaN."""
        return {"id": self.id} | {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(self).items()
        }


def rows(calibration: Calibration) -> Iterator[Row]:
    """Yield the rows, by kind of claim and then by cell."""
    for kind, about in claim_kinds().items():
        for cell, tallies in calibration.tallies.items():
            if kind in tallies:
                yield _row(cell, kind, about, tallies[kind], calibration.taken[cell])


def _row(cell: str, kind: str, about: ClaimKind, tally: Tally, studies: int) -> Row:
    def mean(quantity: str) -> float:
        return tally.sums.get(quantity, Sums()).mean

    truth, threshold = mean("truth"), mean("threshold")
    alarms, coverage = tally.sums.get("false_alarm", Sums()), mean("covered")
    valid = 1 - mean(Verdict.INVALID)
    asked = not about.of_entity and is_true(truth, about.relation, threshold) and valid * studies >= FEWEST_VALID
    power = mean(Verdict.SUPPORTED) / valid if asked else math.nan
    study = scenarios()[cell].study
    predicted = study.predicted_power(kind) if isinstance(study, PredictedStudy) and asked else math.nan
    family = tally.sums.get("family_alarm", Sums())
    return Row(
        cell=cell,
        kind=kind,
        studies=studies,
        truth=truth,
        coverage=coverage,
        coverage_of_valid=tally.sums.get("covered_valid", Sums()).mean if valid * studies >= FEWEST_VALID else math.nan,
        too_high=mean("too_high"),
        too_low=mean("too_low"),
        false_alarms=alarms.mean,
        false_alarms_of_valid=mean("false_alarm_valid") if valid * studies >= FEWEST_VALID else math.nan,
        false_alarm_error=alarms.error,
        nominal=nominal_rate(about),
        family_alarms=family.mean,
        threshold=threshold,
        verdicts={verdict.value: mean(verdict) for verdict in Verdict},
        power=power,
        predicted=predicted,
        misses=_misses(coverage if about.covers else math.nan, alarms, family, power, predicted),
        of_entity=about.of_entity,
    )


def is_true(truth: float, relation: Relation, threshold: float) -> bool:
    """Return whether a claim is true of the truth."""
    return truth > threshold if relation == ">" else truth < threshold if relation == "<" else abs(truth) < threshold


def too_often(alarms: Sums) -> bool:
    """Return whether a share of false alarms is above alpha by more than two standard errors of alpha."""
    return alarms.mean > DEFAULT_ALPHA + 2 * math.sqrt(DEFAULT_ALPHA * (1 - DEFAULT_ALPHA) / max(alarms.n, 1))


def _misses(coverage: float, alarms: Sums, family: Sums, power: float, predicted: float) -> tuple[str, ...]:
    found = []
    if too_often(alarms):
        found.append("false alarms")
    if too_often(family):
        found.append("family's false alarms")
    if coverage < COVERAGE - COVERAGE_TOLERANCE:
        found.append("intervals too narrow")
    if coverage > COVERAGE + COVERAGE_TOLERANCE:
        found.append(WIDE)
    if abs(power - predicted) > POWER_TOLERANCE:
        found.append("power")
    return tuple(found)
