"""Differences that are looked at a few times while their trials are asked: intervals that hold at all looks at once.

The error rate is spent as Lan and DeMets (1983) do with O'Brien and Fleming's (1979) bounds: hardly any of it early, so
that the last look costs next to nothing. The repeated intervals that belong to these bounds (Jennison and Turnbull
1989) hold at whichever look the asking ends, whatever ended it.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy
from scipy import special

from pytest_llmpref.claims.estimates import Estimate, Normal
from pytest_llmpref.stats.comparisons import FloatArray

METHOD = (
    "repeated interval over looks (Jennison and Turnbull 1989), error spent as by O'Brien and Fleming's bounds "
    "(Lan and DeMets 1983)"
)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(120)
"""Where, and how much, a density is summed up between two bounds."""
_FARTHEST = 30.0
"""No bound is sought beyond so many standard errors."""


@dataclass(frozen=True, slots=True)
class RepeatedInterval:
    """Interval of a difference at one of several looks.

    The bound of a normal test is taken over to Student's t by its tail (Jennison and Turnbull 2000, section 4.4).

    Attributes
    ----------
    value, se, df
        The difference at this look, its standard error, and the degrees of freedom of that.
    fractions
        Which part of the planned information each look had, up to this one; rising, the last look of all has 1.
    """

    value: float
    se: float
    df: float
    fractions: tuple[float, ...]

    @property
    def once(self) -> Normal:
        """Student's interval, had the trials been looked at once."""
        return Normal(self.value, self.se, self.df)

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the interval, in the unit of the value."""
        tail = float(special.ndtr(-boundaries(self.fractions, 1 - level)[-1]))
        reach = -float(special.stdtrit(self.df, tail)) * self.se if tail > 0 else math.inf
        return self.value - reach, self.value + reach


def spent(fraction: float, alpha: float) -> float:
    """Return which part of a two-sided error rate may be spent up to a fraction of the information."""
    return float(4 * special.ndtr(special.ndtri(alpha / 4) / math.sqrt(fraction)))


@lru_cache(maxsize=4096)
def boundaries(fractions: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Return by how many standard errors a difference must differ from the truth at each look to be wrong about it.

    All looks together are wrong with the chance ``alpha``. By recursive integration (Armitage, McPherson and Rowe 1969)
    over the sum of what the looks add, which is normal with independent increments.

    Raises
    ------
    ValueError
        If the fractions do not rise from above 0 to at most 1.
    """
    if not fractions or fractions[0] <= 0 or fractions[-1] > 1 or any(np.diff(fractions) <= 0):
        raise ValueError(f"fractions={fractions}: give how much of the information each look has, rising up to 1")
    found: list[float] = []
    at, density = np.zeros(1), np.ones(1)
    before, used = 0.0, 0.0
    for fraction in fractions:
        allowed, step = spent(fraction, alpha) - used, math.sqrt(fraction - before)
        bound = _bound(at, density, step, math.sqrt(fraction), allowed)
        used += _beyond(at, density, step, bound * math.sqrt(fraction))
        reach = bound * math.sqrt(fraction)
        moved = reach * _NODES
        kernel = np.exp(-(((moved[:, None] - at[None, :]) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        at, density = moved, reach * _WEIGHTS * (kernel @ density)
        before = fraction
        found.append(bound)
    return tuple(found)


def _bound(at: FloatArray, density: FloatArray, step: float, root: float, allowed: float) -> float:
    """Return the bound that is passed with the chance allowed, in standard errors."""
    if _beyond(at, density, step, _FARTHEST * root) >= allowed:
        return _FARTHEST
    return float(scipy.optimize.brentq(lambda z: _beyond(at, density, step, z * root) - allowed, 0.0, _FARTHEST))


def _beyond(at: FloatArray, density: FloatArray, step: float, bound: float) -> float:
    """Return the chance that the sum goes beyond the bound, either way, at the next look."""
    return float(density @ (special.ndtr((at - bound) / step) + special.ndtr((-at - bound) / step)))


def looked_at(estimate: Estimate, fractions: tuple[float, ...]) -> Estimate:
    """Return a difference with an interval that holds at all looks; its present one is `Normal`, or there is none.

    Parameters
    ----------
    estimate
        As of the present look.
    fractions
        As in `RepeatedInterval`.
    """
    recipe = estimate.interval_method
    if not isinstance(recipe, Normal):
        return estimate
    repeated = RepeatedInterval(recipe.mean, recipe.se, recipe.df, fractions)
    return replace(estimate, interval_method=repeated, method=f"{estimate.method}; {METHOD}")


def chance_of_equivalence(found: RepeatedInterval, planned: tuple[float, ...], bound: float, alpha: float) -> float:
    """Return the chance that ``abs(difference) < bound`` is supported at the end, were there no difference at all.

    The conditional power (Lan, Simon and Halperin 1982) under the truth that favours the claim most, and with the
    least standard error that the one found is compatible with (one-sided, 99%). So a claim of which it is all but 0 is
    as good as lost.

    Parameters
    ----------
    found
        The difference at the present look.
    planned
        Which part of the information each of all looks has.
    bound, alpha
        The claim's, tested by two one-sided tests at ``alpha``.
    """
    now = found.fractions[-1]
    at_end = found.se * math.sqrt(now * found.df / float(special.chdtri(found.df, 0.01)))
    tail = float(special.ndtr(-boundaries(planned, 2 * alpha)[-1]))
    room = bound + float(special.stdtrit(found.df, tail)) * at_end
    if room <= 0:
        return 0.0
    centre, spread = found.value * now, at_end * math.sqrt(1 - now)
    if spread == 0:
        return float(abs(centre) < room)
    return float(special.ndtr((room - centre) / spread) - special.ndtr((-room - centre) / spread))
