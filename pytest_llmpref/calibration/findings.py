"""The scenarios of all behaviours, and what simulated studies found in one, held against the planted truth.

A cell has been simulated often enough when each of its rows is settled, whichever side of its limits. The rule is
stated, and looked at after fixed numbers of studies only, so the same command takes the same studies.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np

from pytest_llmpref.claims.claim import DEFAULT_ALPHA, ledger, make_claim
from pytest_llmpref.claims.verdicts import Relation, Verdict
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.behaviour import Behaviour, ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.registry import behaviours


class CalibrationError(LLMPrefError):
    """A calibration that cannot be run, or resumed."""


def matching(pattern: str | None) -> list[Scenario]:
    """Return the scenarios whose names match a shell pattern, or, without wildcards, contain it; all for ``None``.

    Raises
    ------
    CalibrationError
        If there are none.
    """
    if pattern is None:
        return list(scenarios().values())
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = [cell for cell in scenarios().values() if fnmatchcase(cell.name, wanted)]
    if not found:
        raise CalibrationError(f"--cells {pattern}: no cell matches; there are: {', '.join(scenarios())}")
    return found


def scenarios() -> Mapping[str, Scenario]:
    """Return every behaviour's scenarios, by name."""
    return _scenarios(tuple(behaviours().values()))


@lru_cache(maxsize=2)
def _scenarios(planted: tuple[Behaviour, ...]) -> Mapping[str, Scenario]:
    # Studies keep what they computed once, such as their design.
    return {one.name: one for behaviour in planted for part in behaviour.calibration() for one in part.scenarios()}


def claim_kinds() -> Mapping[str, ClaimKind]:
    """Return every behaviour's kinds of claim, by name."""
    parts = (part for behaviour in behaviours().values() for part in behaviour.calibration())
    return {name: kind for part in parts for name, kind in part.KINDS.items()}


NEAR_ZERO = 1e-3
"""A truth this small cannot be the threshold of an equivalence: no interval would ever fit between the two."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Number, sum and sum of squares of a quantity, one value a study; these add up over chunks of studies."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """Mean over studies; NaN without any."""
        return self.total / self.n if self.n else math.nan

    @property
    def error(self) -> float:
        """Standard error of the mean; studies are independent."""
        if self.n < 2:
            return math.nan
        return math.sqrt(max(self.squares - self.total**2 / self.n, 0.0) / (self.n - 1) / self.n)


@dataclass(slots=True)
class Tally:
    """Sums over studies, by quantity: shares of the findings of one kind in each study.

    ``covered``, ``too_high`` and ``too_low``: the truth lies in the 95% interval, below it, above it; of the findings
    with an interval, valid or not; ``covered_valid``: of the valid alone. ``false_alarm``: a claim whose threshold is
    the truth itself is supported, which is the null hypothesis at its hardest; ``false_alarm_valid``: the same of the
    valid alone. ``family_alarm``: any such claim of the study is, at the level that its family gets. ``supported`` to
    ``invalid``: verdicts of the claims with the threshold asked about. ``truth``, ``threshold`` and ``value``: as they
    are.
    """

    sums: dict[str, Sums] = field(default_factory=dict)

    def add(self, quantity: str, values: Iterable[float]) -> None:
        """Add one study's mean over its findings; nothing without any."""
        known = [value for value in values if not math.isnan(value)]
        if known:
            mean = float(np.mean(known))
            self.sums[quantity] = self.sums.get(quantity, Sums()) + Sums(1, mean, mean * mean)

    def __add__(self, other: "Tally") -> "Tally":
        names = dict.fromkeys((*self.sums, *other.sums))
        return Tally({name: self.sums.get(name, Sums()) + other.sums.get(name, Sums()) for name in names})


def count(findings: Iterable[Finding], relations: Mapping[str, Relation], tallies: dict[str, Tally]) -> None:
    """Add the findings of one study to the tallies, by kind of claim."""
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    for kind, group in by_kind.items():
        _count_kind(group, relations[kind], tallies.setdefault(kind, Tally()))


def _count_kind(findings: list[Finding], relation: Relation, tally: Tally) -> None:
    covered, too_high, too_low = zip(*(_place(finding) for finding in findings), strict=True)
    tally.add("covered", covered)
    valid = [c for c, finding in zip(covered, findings, strict=True) if not finding.estimate.invalid]
    tally.add("covered_valid", valid)
    tally.add("too_high", too_high)
    tally.add("too_low", too_low)
    verdicts = [make_claim(finding.estimate, relation, finding.threshold).verdict for finding in findings]
    for verdict in Verdict:
        tally.add(verdict.value, [float(found is verdict) for found in verdicts])
    alarms = [_alarm(finding, relation) for finding in findings]
    tally.add("false_alarm", alarms)
    # A claim is made of valid measurements alone, and what makes one valid may go with what is claimed.
    tally.add(
        "false_alarm_valid", [a for a, finding in zip(alarms, findings, strict=True) if not finding.estimate.invalid]
    )
    if len(findings) > 1:
        with ledger(len(findings)):
            family = [_alarm(finding, relation) for finding in findings]
        if not all(map(math.isnan, family)):
            tally.add("family_alarm", [float(np.nanmax(family))])
    tally.add("truth", [finding.truth for finding in findings])
    tally.add("threshold", [finding.threshold for finding in findings])
    tally.add("value", [finding.estimate.value for finding in findings])


def _place(finding: Finding) -> tuple[float, float, float]:
    """Say whether the interval covers the truth, lies above it, or below it; NaN if there is no interval."""
    interval = finding.estimate.interval()
    if math.isnan(interval.low) or math.isnan(interval.high) or math.isnan(finding.truth):
        return math.nan, math.nan, math.nan
    above, below = interval.low > finding.truth, interval.high < finding.truth
    return float(not (above or below)), float(above), float(below)


def _alarm(finding: Finding, relation: Relation) -> float:
    """Say whether a claim bounded by the truth is supported; NaN if no such claim can be made."""
    threshold = abs(finding.truth) if relation == "abs <" else finding.truth
    if math.isnan(threshold) or (relation == "abs <" and threshold < NEAR_ZERO):
        return math.nan
    return float(make_claim(finding.estimate, relation, threshold).verdict is Verdict.SUPPORTED)


COVERAGE, COVERAGE_TOLERANCE = 0.95, 0.015
LOOKS = (250, 500, 1000)
"""Studies of a cell after which its rows are looked at. Our choice."""
FAR = 2.0
"""Standard errors by which a rate lies on one side of a limit, to be settled."""
ALARMS_TOLERANCE = 0.01
"""False alarms beyond the nominal rate that would matter; a rate that is exactly nominal is never far from it."""


def nominal_rate(kind: ClaimKind) -> float:
    """Return the rate of false alarms that the method promises: half of alpha on one side, alpha for equivalence."""
    return DEFAULT_ALPHA if kind.relation == "abs <" else DEFAULT_ALPHA / 2


def stages(studies: int) -> Iterator[int]:
    """Yield after how many studies of a cell to look, the most last."""
    yield from (look for look in LOOKS if look < studies)
    yield studies


def settled(tallies: Mapping[str, Tally], kinds: Mapping[str, ClaimKind]) -> bool:
    """Return whether every row of a cell lies two standard errors to one side of each of its limits.

    Parameters
    ----------
    tallies
        Of the cell, by kind of claim.
    kinds
        The kinds.
    """
    return all(_row_settled(tally.sums, kinds[kind]) for kind, tally in tallies.items())


def _row_settled(sums: Mapping[str, Sums], kind: ClaimKind) -> bool:
    limits = (
        ("covered", COVERAGE - COVERAGE_TOLERANCE),
        ("covered", COVERAGE + COVERAGE_TOLERANCE),
        ("false_alarm", nominal_rate(kind) + ALARMS_TOLERANCE),
        ("family_alarm", DEFAULT_ALPHA + ALARMS_TOLERANCE),
    )
    return all(_far(sums[quantity], limit) for quantity, limit in limits if quantity in sums)


def _far(found: Sums, limit: float) -> bool:
    # A share that is 0 or 1 in all studies has no error of its own: that at the limit stands in.
    error = found.error if found.error > 0 else math.sqrt(limit * (1 - limit) / found.n)
    return abs(found.mean - limit) > FAR * error
