"""What would decide a claim: more trials, or a measurement that is mended.

Loaded in every pytest run, so only the standard library is imported.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmpref.claims.intervals import fixed_sample
from pytest_llmpref.claims.verdicts import Verdict, is_claimed

if TYPE_CHECKING:
    from pytest_llmpref.claims.claim import Claim


def what_would_decide(claim: "Claim") -> str:
    """Return how many trials, about, would decide a claim, or what to mend; empty where it is decided.

    Parameters
    ----------
    claim
        The claim.
    """
    if claim.verdict is Verdict.INVALID:
        return "fix the measurement (see the reasons) and record it again; until then no threshold can be tested"
    if claim.verdict is not Verdict.INCONCLUSIVE:
        return ""
    estimate, value = claim.estimate, claim.estimate.value
    # What interim analyses cost says nothing of how many trials a decision takes.
    interval = replace(estimate, interval_method=fixed_sample(estimate.interval_method)).interval(claim.level)
    low_margin = high_margin = math.inf  # how far each end of the interval may lie from the value
    if claim.relation == "abs <":
        inside = is_claimed(value, claim.relation, claim.threshold)
        if inside:
            low_margin, high_margin = value + claim.threshold, claim.threshold - value
        elif value > 0:
            low_margin = value - claim.threshold
        else:
            high_margin = -claim.threshold - value
    else:
        inside = is_claimed(value, claim.relation, claim.threshold)
        if value > claim.threshold:
            low_margin = value - claim.threshold
        else:
            high_margin = claim.threshold - value
    if min(low_margin, high_margin) <= 0:
        return "nothing at the present value, which equals the threshold: no n would settle it"
    if math.isinf(interval.low) or math.isinf(interval.high):
        if math.isinf(interval.low) and math.isinf(interval.high):
            return f"the interval is unbounded: what number of {estimate.unit} would bound it cannot be said"
        return "more trials: the answers so far do not tell how far the value may lie on that side"
    shrink = max((value - interval.low) / low_margin, (interval.high - value) / high_margin, 1.0)
    needed = f"about {_round_up(estimate.n * shrink**2)} {estimate.unit} (now {estimate.n}) at the present value"
    return needed if inside else f"the value is on the wrong side: {needed} would refute the claim, not support it"


def _round_up(n: float) -> int:
    """Round up to two significant digits: the forecast is no better than that."""
    step = 10.0 ** max(0, math.floor(math.log10(max(n, 1))) - 1)
    return int(math.ceil(n / step) * step)
