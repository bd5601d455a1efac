"""What would decide a claim: more trials, or a measurement that is mended.

Loaded in every pytest run, so only the standard library is imported.

References
----------
Hoenig and Heisey 2001
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmpref.claims.intervals import fixed_sample
from pytest_llmpref.claims.verdicts import Verdict, is_claimed

if TYPE_CHECKING:
    from pytest_llmpref.claims.claim import Claim


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would decide a claim.

    Attributes
    ----------
    said
        In words; empty if the claim is decided.
    needed
        Approximate sample size that would decide it if the measured value were the true one; ``None`` if no size would,
        or none is known.
    """

    said: str
    needed: int | None = None


def what_would_decide(claim: "Claim") -> Forecast:
    """Return about how many trials would decide a claim, or what to mend.

    Parameters
    ----------
    claim
        The claim.
    """
    if claim.verdict is Verdict.INVALID:
        return Forecast(
            "fix the measurement (see the reasons) and record it again; until then no threshold can be tested"
        )
    if claim.verdict is not Verdict.INCONCLUSIVE:
        return Forecast("")
    estimate, value = claim.estimate, claim.estimate.value
    # What interim analyses cost says nothing of how many trials a decision takes.
    interval = replace(estimate, interval_method=fixed_sample(estimate.interval_method)).interval(claim.level)
    low_margin, high_margin = _margins(claim)
    if min(low_margin, high_margin) <= 0:
        return Forecast("nothing at the present value, which equals the threshold: no n would settle it")
    if math.isinf(interval.low) or math.isinf(interval.high):
        if math.isinf(interval.low) and math.isinf(interval.high):
            return Forecast(f"the interval is unbounded: what number of {estimate.unit} would bound it cannot be said")
        return Forecast("more trials: the answers so far do not tell how far the value may lie on that side")
    shrink = max((value - interval.low) / low_margin, (interval.high - value) / high_margin, 1.0)
    needed = _round_up(estimate.n * shrink**2)
    # This is power at the effect that was observed, so it says no more than the interval does.
    number, supposed = f"about {needed} {estimate.unit} (now {estimate.n})", f"if {value:.3g} were the true value"
    if is_claimed(value, claim.relation, claim.threshold):
        return Forecast(f"{number}, {supposed}", needed)
    wrong = f"the value is on the wrong side: {supposed}, {number} would refute the claim, not support it"
    return Forecast(wrong, needed)


def _margins(claim: "Claim") -> tuple[float, float]:
    """Return how far the low and the high end of a decided claim's interval may lie from the value."""
    value, threshold = claim.estimate.value, claim.threshold
    if claim.relation != "abs <":
        return (value - threshold, math.inf) if value > threshold else (math.inf, threshold - value)
    if is_claimed(value, claim.relation, threshold):
        return value + threshold, threshold - value
    return (value - threshold, math.inf) if value > 0 else (math.inf, -threshold - value)


def _round_up(n: float) -> int:
    """Round up to two significant digits: the forecast is no better than that."""
    step = 10.0 ** max(0, math.floor(math.log10(max(n, 1))) - 1)
    return int(math.ceil(n / step) * step)
