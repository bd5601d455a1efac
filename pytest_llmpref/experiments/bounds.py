"""How far missing answers could move a correlation, whatever they would have said."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from pytest_llmpref.estimates import Estimate
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.stats.association import spearman


@dataclass(frozen=True, slots=True)
class MissingBounds:
    """Spearman's rho at the extremes.

    Attributes
    ----------
    low, high
        Rho had every missing answer pulled it down, and up. The interval of each carries the usual sampling noise, so
        a claim ``missing_bounds(x, y).low > 0.5`` holds against missing answers and noise together.
    """

    low: Estimate
    high: Estimate


@lru_cache(maxsize=64)
def missing_bounds(x: Measure, y: Measure) -> MissingBounds:
    """Return the correlation of two measures as it would be in the worst and in the best case.

    Each trial of a pair experiment that did not end in a choice gets the one that agrees, or disagrees, with the order
    that the other measure gives its two entities; each attempt that is neither an answer nor a refusal counts as
    refused where the other measure's mean over its two entities is above that of all, or where it is below. So each
    answer is taken at its own extreme (Manski 1990); measures of other kinds stay as they are.
    """
    return MissingBounds(
        low=_labelled(spearman(_pulled(x, y, up=False), _pulled(y, x, up=False)), "lowest"),
        high=_labelled(spearman(_pulled(x, y, up=True), _pulled(y, x, up=True)), "highest"),
    )


def missing_in(estimate: Estimate) -> MissingBounds | None:
    """Return the bounds of a correlation; ``None`` of anything else, and where no missing answer could move it."""
    if not estimate.of or not all(isinstance(measure, Measure) for measure in estimate.of):
        return None
    bounds = missing_bounds(*estimate.of)
    return None if bounds.low.value == bounds.high.value or math.isnan(bounds.low.value) else bounds


def _pulled(measure: Measure, other: Measure, *, up: bool) -> Measure:
    if measure.pulled is None:
        return measure
    order = {entity: value if up else -value for entity, value in other.values.items() if not math.isnan(value)}
    values = measure.pulled(order)
    estimates = {entity: replace(estimate, value=values[entity]) for entity, estimate in measure.estimates.items()}
    return replace(measure, estimates=estimates)


def _labelled(estimate: Estimate, extreme: str) -> Estimate:
    method = f"{estimate.method}; missing answers at their extremes (Manski 1990)"
    return replace(estimate, label=f"{extreme} {estimate.label}", method=method)
