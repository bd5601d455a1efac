"""When a cell has been simulated often enough: where each of its rows is settled, whichever side of its limits.

The rule is stated, and looked at after fixed numbers of studies only, so the same command takes the same studies.
"""

import math
from collections.abc import Iterator, Mapping

from pytest_llmpref.calibration.findings import Sums, Tally
from pytest_llmpref.claims.claim import DEFAULT_ALPHA
from pytest_llmpref.experiments.behaviour import ClaimKind

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
