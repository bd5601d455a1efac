"""What a randomised assignment does: randomisation tests, and the intervals that come of inverting them.

The chance in these tests is that of the assignment, which we drew ourselves. Nothing is assumed of replies: if no
assignment changes any of them, then what was seen would have been seen under every assignment that could have been
drawn (Fisher 1935). This holds where entities sway each other too, as the two of a pair do.

Intervals hold what no such test rejects, for an effect that is the same for every entity (Ernst 2004). An effect per
unit of what the assignment moved first, such as of stated preference, takes the assignment for an instrument: the test
of Anderson and Rubin (1949), by randomisation (Imbens and Rosenbaum 2005). It holds however little the assignment
moves it; where that is too little to tell, the interval is unbounded, as Fieller's (1954) is.

References
----------
Anderson and Rubin 1949
Ernst 2004
Fieller 1954
Fisher 1935
Imbens and Rosenbaum 2005
Phipson and Smyth 2010
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Unknown
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.assignment import Assigned, Design

REDRAWN = 9_999
"""Assignments that are drawn again where there are too many for all. Our choice."""
MOST_COURSES = 10_000
"""Most ways of drawing that are all gone through. Our choice."""
FEWEST_UNITS = 4
"""Fewest entities: of fewer there are too few assignments. Our choice."""
_ROUNDING = 1e-9
"""Statistics that differ by no more are the same."""


Arms = NDArray[np.int8]
"""Numbers of arms, shape (assignments, drawings, units)."""


def redrawn(design: Design, assigned: Assigned) -> Arms:
    """Return the other assignments that could have been drawn: all of them, where they are few, or a sample.

    Parameters
    ----------
    design
        How assignments are drawn.
    assigned
        The assignment that was drawn.

    Returns
    -------
    Arms
        If all ways of drawing are enumerated, one that gives the assignment itself is left out, since the test counts
        it anyway.

    Raises
    ------
    ValueError
        If all ways are enumerated and none gives the assignment.
    """
    if design.courses > MOST_COURSES:
        return _sampled(design)
    every = _every(design)
    same = np.flatnonzero((every == np.array(assigned)).all(axis=(1, 2)))
    if not len(same):
        raise ValueError("no way of drawing gives this assignment: give the design that it was drawn by")
    return np.delete(every, same[0], axis=0)


@lru_cache(maxsize=4)
def _every(design: Design) -> Arms:
    return np.array(list(design.all()), dtype=np.int8)


@lru_cache(maxsize=4)
def _sampled(design: Design) -> Arms:
    """Draw as `Design.draw` does, all at once: one by one, it takes seconds."""
    rng = np.random.default_rng(0)
    group = np.unique(np.array(design.groups), return_inverse=True)[1]
    squares, units = (REDRAWN, design.squares), len(group)
    of_group = rng.random((*squares, int(group.max()) + 1)).argsort(axis=-1).argsort(axis=-1)
    places = (of_group[..., group] + rng.random((*squares, units))).argsort(axis=-1).argsort(axis=-1)
    start = places + rng.integers(design.arms, size=(*squares, 1))
    arms = (start[..., None, :] + np.arange(design.arms)[:, None]) % design.arms
    return arms.reshape(REDRAWN, design.drawings, units).astype(np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class InvertedTest:
    """Interval of the ratio of two contrasts: all ratios that a randomisation test does not reject, in either tail.

    Of a ratio b, the test compares ``outcome - b * treatment`` between the arms. One that is the treatment's effect
    leaves nothing that depends on the assignment. If the test accepts a ratio, however large, the interval is
    unbounded on both sides; a gap inside it is not shown.

    Attributes
    ----------
    outcome, treatment
        Contrasts under the assignment that was drawn.
    outcomes, treatments
        The same contrasts, of the same values, under the others; shape (assignments,) each.

    Examples
    --------
    Nobody of ten is affected but by the treatment, which the assignment moves by 1:

    >>> import numpy as np
    >>> from pytest_llmpref.stats.randomisation import InvertedTest
    >>> others = np.linspace(-0.9, 0.9, 99)
    >>> [round(limit, 6) for limit in InvertedTest(2.0, 1.0, 2 * others, others).limits(0.95)]
    [2.0, 2.0]
    """

    outcome: float
    treatment: float
    outcomes: FloatArray = field(repr=False)
    treatments: FloatArray = field(repr=False)

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval: what neither one-sided test rejects at half the error rate."""
        if math.isnan(self.outcome) or math.isnan(self.treatment):
            return math.nan, math.nan
        needed = (1 - level) / 2 * (len(self.outcomes) + 1) + _ROUNDING
        slopes, gaps = self.treatment - self.treatments, self.outcome - self.outcomes
        rising, falling = slopes > _ROUNDING, slopes < -_ROUNDING
        level_ = ~(rising | falling)
        above, below = int(np.sum(level_ & (gaps <= _ROUNDING))), int(np.sum(level_ & (gaps >= -_ROUNDING)))
        # As the ratio grows without limit, up or down, the tests become those of the treatment by itself; where that is
        # the same under another assignment, the outcome decides.
        rise, fall = int(rising.sum()), int(falling.sum())
        if max(min(above + rise, below + fall), min(above + fall, below + rise)) + 1 > needed:
            return -math.inf, math.inf
        up, down = (np.sort(gaps[one] / slopes[one]) for one in (rising, falling))
        ratios = np.r_[up, down]
        slack = _ROUNDING * (1 + np.abs(ratios))
        least = 1 + above + _at_most(up, ratios + slack) + _at_least(down, ratios - slack)
        most = 1 + below + _at_least(up, ratios - slack) + _at_most(down, ratios + slack)
        accepted = ratios[np.minimum(least, most) > needed]
        if not len(accepted):
            return math.nan, math.nan
        return float(accepted.min()), float(accepted.max())


def _at_most(ordered: FloatArray, limits: FloatArray) -> IntArray:
    """Return how many of some ordered numbers are no larger than each limit."""
    return np.asarray(np.searchsorted(ordered, limits, side="right"), dtype=np.intp)


def _at_least(ordered: FloatArray, limits: FloatArray) -> IntArray:
    """Return how many of some ordered numbers are no smaller than each limit."""
    return len(ordered) - np.asarray(np.searchsorted(ordered, limits, side="left"), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class RandomisedStudy:
    """A randomised study: who got what, and what came of it.

    Attributes
    ----------
    design
        How the arms were assigned.
    assigned
        The assignment that was drawn.
    doses
        Of each arm.
    outcome
        Outcome of each unit in each drawing, shape (drawings, units); NaN if unknown.
    """

    design: Design
    assigned: Assigned
    doses: tuple[float, ...]
    outcome: FloatArray


def effect_of_assignment(study: RandomisedStudy, label: str, *, per_dose: bool = False) -> Estimate:
    """Return the effect of being in the arm with the highest dose instead of the lowest.

    Parameters
    ----------
    study
        What was seen.
    label
        What is estimated.
    per_dose
        Whether the effect of one unit of dose is meant: the slope over all arms.

    Returns
    -------
    Estimate
        Invalid for fewer than `FEWEST_UNITS` units.
    """
    doses = np.array(study.doses)
    received = doses if per_dose else (doses - doses.min()) / np.ptp(doses)
    arms = np.array(study.assigned, dtype=np.intp)
    kind = "slope on the dose" if per_dose else "difference of arms"
    return _ratio(study, received[arms], label, kind)


def effect_per_unit(study: RandomisedStudy, moved: FloatArray, label: str) -> Estimate:
    """Return what one unit of something that the assignment moved does to the outcome: Wald's ratio.

    The assignment is the instrument. So it must sway the outcome by nothing but what it moved: else the ratio is that
    of two effects, and no more.

    Parameters
    ----------
    study
        What was seen.
    moved
        The intermediate outcome that the assignment moved, shape (drawings, units); NaN if unknown.
    label
        As in `effect_of_assignment`.
    """
    return _ratio(study, moved, label, "ratio of two effects (Wald), assignment as instrument")


def _ratio(study: RandomisedStudy, received: FloatArray, label: str, kind: str) -> Estimate:
    known = ~(np.isnan(study.outcome) | np.isnan(received))
    units = int(np.sum(known.any(axis=0)))
    reasons, value = list[str](), math.nan
    interval_method: IntervalMethod = Unknown()
    exact = study.design.courses <= MOST_COURSES
    if units < FEWEST_UNITS:
        reasons.append(f"{units} entities are too few: a randomisation test needs at least {FEWEST_UNITS}")
    else:
        outcome, outcomes = _contrasts(study, np.where(known, study.outcome, np.nan))
        treatment, treatments = _contrasts(study, np.where(known, received, np.nan))
        interval_method = InvertedTest(outcome, treatment, outcomes, treatments)
        value = outcome / treatment if abs(treatment) > _ROUNDING else math.nan
        if math.isnan(value):
            reasons.append("the assignment did not move what the effect is to be a part of")
    every = "all assignments" if exact else f"{REDRAWN:,} assignments drawn again"
    return Estimate(
        value=value,
        n=units,
        unit="entities",
        method=f"{kind}, interval by inverting the randomisation test over {every} (Imbens and Rosenbaum 2005)",
        interval_method=interval_method,
        invalid=tuple(reasons),
        label=label,
    )


def _contrasts(study: RandomisedStudy, values: FloatArray) -> tuple[float, FloatArray]:
    """Return how values go with the dose, under the assignment that was drawn and under the others."""
    apart = beside_means(values).ravel()
    drawn = _weights(np.array(study.assigned, dtype=np.int8)[None], study.doses)
    if study.design.courses > MOST_COURSES:
        others = _sampled_weights(study.design, study.doses)
    else:
        others = _weights(redrawn(study.design, study.assigned), study.doses)
    scale = float(np.sum(drawn**2)) or 1.0
    return float((drawn @ apart)[0]) / scale, np.asarray(others @ apart / scale, dtype=np.float64)


@lru_cache(maxsize=2)
def _sampled_weights(design: Design, doses: tuple[float, ...]) -> FloatArray:
    return _weights(_sampled(design), doses)


def _weights(arms: Arms, doses: tuple[float, ...]) -> FloatArray:
    """Return the dose of each place, beside the mean dose; shape (assignments, places)."""
    centred = np.array(doses, dtype=np.float64) - np.mean(doses)
    return np.asarray(centred[arms].reshape(len(arms), -1), dtype=np.float64)


def beside_means(values: FloatArray) -> FloatArray:
    """Return values beside the means of their drawing and of their unit; 0 if one is not known.

    Parameters
    ----------
    values
        Shape (drawings, units); NaN where not known.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.randomisation import beside_means
    >>> beside_means(np.array([[1.0, 2.0], [2.0, 3.0]])).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    known = ~np.isnan(values)
    left = np.where(known, values, 0.0)
    # Where values are missing, the two means sway each other: taking them out by turns settles that.
    for _ in range(1 if known.all() else 20):
        for axis in (0, 1):
            counts = np.maximum(known.sum(axis=axis, keepdims=True), 1)
            left = np.where(known, left - left.sum(axis=axis, keepdims=True) / counts, 0.0)
    return np.asarray(left, dtype=np.float64)
