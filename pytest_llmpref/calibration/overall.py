"""All rows of a calibration together: whether any is beyond what is promised, once many are looked at.

References
----------
Clopper and Pearson 1934
Holm 1979
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scipy import special

from pytest_llmpref.calibration.rows import Row
from pytest_llmpref.claims.claim import DEFAULT_ALPHA
from pytest_llmpref.stats.change import holm_adjusted

MOST_BEYOND = 0.04
"""Share of rates that may lie beyond the nominal one and two standard errors: chance takes 2.3% there."""
MOST_NAMED = 8
"""Rates that a summary names."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of false alarms and what was promised.

    Attributes
    ----------
    row
        Name of its row, and of what it is where that is of a family.
    rate, nominal
        Found and promised.
    studies
        Studies that it is over.
    error
        Standard error over studies; of a claim that each study makes once, it is the binomial one at the nominal rate.
    p
        Chance of as many false alarms if the nominal rate is right.
    """

    row: str
    rate: float
    nominal: float
    studies: int
    error: float
    p: float

    @property
    def beyond(self) -> bool:
        """Whether it lies beyond the nominal rate by more than two standard errors."""
        return self.rate > self.nominal + 2 * self.error


@dataclass(frozen=True, slots=True)
class Overall:
    """All rates of a calibration.

    Attributes
    ----------
    rates
        Of every row, and of every family.
    rejected
        Those beyond the nominal rate after Holm's correction over all.
    beyond
        Those beyond it by two standard errors.
    uncovered
        Rows whose intervals hold the truth less often than 93.5 or more often than 96.5%.
    """

    rates: tuple[Rate, ...]
    rejected: tuple[Rate, ...]
    beyond: tuple[Rate, ...]
    uncovered: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether no rate is beyond after Holm, and at most 4% by two standard errors."""
        return not self.rejected and len(self.beyond) <= MOST_BEYOND * len(self.rates)


def overall(rows: Sequence[Row]) -> Overall:
    """Judge all rows together.

    Parameters
    ----------
    rows
        Of one calibration.

    Returns
    -------
    Overall
        Rows without a rate, such as of a claim that cannot be false there, are left out.
    """
    rates = tuple(rate for row in rows for rate in _rates(row))
    adjusted = holm_adjusted([rate.p for rate in rates])
    return Overall(
        rates=rates,
        rejected=tuple(rate for rate, p in zip(rates, adjusted, strict=True) if p < DEFAULT_ALPHA),
        beyond=tuple(rate for rate in rates if rate.beyond),
        uncovered=tuple(row for row in rows if any(miss.startswith("intervals") for miss in row.misses)),
    )


def _rates(row: Row) -> Iterator[Rate]:
    if not math.isnan(row.false_alarms):
        yield _rate(
            row.id, row.false_alarms, row.nominal, row.studies, row.false_alarm_error if row.of_entity else None
        )
    if not math.isnan(row.family_alarms):
        yield _rate(f"{row.id}, family", row.family_alarms, DEFAULT_ALPHA, row.studies, None)


def _rate(name: str, rate: float, nominal: float, studies: int, error: float | None) -> Rate:
    if error is None:
        # Chance of as many or more of a binomial number (Clopper and Pearson 1934), by the incomplete beta function.
        count = round(rate * studies)
        p = float(special.betainc(count, studies - count + 1, nominal)) if count else 1.0
        return Rate(name, rate, nominal, studies, math.sqrt(nominal * (1 - nominal) / studies), p)
    p = float(special.ndtr((nominal - rate) / error)) if error > 0 else float(rate <= nominal)
    return Rate(name, rate, nominal, studies, error, p)


def summary(found: Overall) -> Iterator[str]:
    """Yield the summary in Markdown."""
    share = len(found.beyond) / max(len(found.rates), 1)
    yield "## All rows together\n"
    yield (
        f"- **Beyond the promised rate of false alarms, after Holm's correction over {len(found.rates)} rates: "
        f"{len(found.rejected)}** (target: none){_named(found.rejected)}."
    )
    yield (
        f"- **Beyond it by more than two standard errors: {len(found.beyond)}, or {share:.1%}** (target: at most "
        f"{MOST_BEYOND:.0%}; by chance 2.3% if all were exactly as promised){_named(found.beyond)}."
    )
    coverages = [row.coverage for row in found.uncovered]
    span = f", from {min(coverages):.1%} to {max(coverages):.1%}" if coverages else ""
    yield f"- **Coverage outside 93.5 to 96.5%: {len(found.uncovered)} rows**{span}; each says so below.\n"


def _named(rates: Sequence[Rate]) -> str:
    """Name the worst of some rates."""
    worst = sorted(rates, key=lambda rate: rate.p)[:MOST_NAMED]
    named = "; ".join(f"{rate.row} {rate.rate:.1%} for {rate.nominal:.1%}" for rate in worst)
    more = f"; and {len(rates) - len(worst)} more" if len(rates) > len(worst) else ""
    return f": {named}{more}" if worst else ""
