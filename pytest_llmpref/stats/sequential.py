"""Group-sequential tests: trials asked until a gate's verdict is decided, with intervals that hold at every look.

Each interim analysis spends a part of the error rate, as Lan and DeMets (1983) do with O'Brien and Fleming's (1979)
boundaries: hardly any of it early, so that the last look costs next to nothing. The repeated confidence intervals that
belong to these boundaries (Jennison and Turnbull 1989) hold at whichever look the asking ends, whatever ended it.

References
----------
Armitage, McPherson and Rowe 1969
Clopper and Pearson 1934
Howard, Ramdas, McAuliffe and Sekhon 2021
Jennison and Turnbull 1989
Jennison and Turnbull 2000
Korn and Graubard 1998
Krichevsky and Trofimov 1981
Lan and DeMets 1983
Lan, Simon and Halperin 1982
O'Brien and Fleming 1979
Robbins 1970
Ville 1939
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Normal
from pytest_llmpref.stats.accuracy_shift import AccuracyShift
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.closed_form import CONFIDENCE_SEQUENCE, REPEATED_INTERVAL

REPEATED_METHOD = (
    f"{REPEATED_INTERVAL} (Jennison and Turnbull 1989), error spent as by O'Brien and Fleming's boundaries "
    "(Lan and DeMets 1983)"
)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(120)
"""Where, and how much, a density is summed up between two boundaries."""
_FARTHEST = 30.0
"""No boundary is sought beyond so many standard errors."""


@dataclass(frozen=True, slots=True)
class RepeatedInterval:
    """Interval of a difference at one of several looks.

    The boundary of a normal test is taken over to Student's t by its tail (Jennison and Turnbull 2000, section 4.4).

    Attributes
    ----------
    value, se, df
        The difference at this look, its standard error, and the degrees of freedom of that.
    fractions
        Fraction of the planned information at each look up to this one, increasing; the last look of all has 1.
    """

    value: float
    se: float
    df: float
    fractions: tuple[float, ...]

    @property
    def fixed_sample(self) -> Normal:
        """Student's interval, as for a study with a fixed sample size."""
        return Normal(self.value, self.se, self.df)

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, in the unit of the value."""
        tail = float(special.ndtr(-boundaries(self.fractions, 1 - level)[-1]))
        reach = -float(special.stdtrit(self.df, tail)) * self.se if tail > 0 else math.inf
        return self.value - reach, self.value + reach


@dataclass(frozen=True, slots=True)
class RepeatedScore(RepeatedInterval):
    """The same for a score interval, whose error depends on where its limits lie.

    Attributes
    ----------
    score
        The interval for a study with a fixed sample size.
    """

    score: IntervalMethod

    @property
    def fixed_sample(self) -> IntervalMethod:  # type: ignore[override] # of another kind, and as good
        """The score interval."""
        return self.score

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, in the unit of the value."""
        return self.score.limits(1 - 2 * float(special.ndtr(-boundaries(self.fractions, 1 - level)[-1])))


def spent(fraction: float, alpha: float) -> float:
    """Return how much of a two-sided error rate may be spent up to a fraction of the information.

    Parameters
    ----------
    fraction
        Of the information, above 0 and at most 1.
    alpha
        Two-sided error rate of all looks.

    Returns
    -------
    float
        At most ``alpha``.

    Examples
    --------
    >>> from pytest_llmpref.stats.sequential import spent
    >>> [round(spent(fraction, 0.05), 5) for fraction in (0.25, 0.5, 1.0)]
    [1e-05, 0.00305, 0.05]
    """
    return float(4 * special.ndtr(special.ndtri(alpha / 4) / math.sqrt(fraction)))


@lru_cache(maxsize=4096)
def boundaries(fractions: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Return by how many standard errors a difference must differ from the truth at each look to be wrong about it.

    All looks together are wrong with the chance ``alpha``. By recursive integration (Armitage, McPherson and Rowe 1969)
    over the sum of what the looks add, which is normal with independent increments.

    Parameters
    ----------
    fractions
        Which part of the planned information each look has.
    alpha
        Two-sided error rate of all looks.

    Returns
    -------
    tuple of float
        One for each look.

    Raises
    ------
    ValueError
        If the fractions do not rise from above 0 to at most 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.sequential import boundaries
    >>> [round(z, 3) for z in boundaries((0.5, 1.0), 0.05)]
    [2.963, 1.969]
    """
    if not fractions or fractions[0] <= 0 or fractions[-1] > 1 or any(np.diff(fractions) <= 0):
        raise ValueError(f"fractions={fractions}: give how much of the information each look has, rising up to 1")
    found: list[float] = []
    at, density = np.zeros(1), np.ones(1)
    before, used = 0.0, 0.0
    for fraction in fractions:
        allowed, step = spent(fraction, alpha) - used, math.sqrt(fraction - before)
        boundary = _boundary(at, density, step, math.sqrt(fraction), allowed)
        used += _beyond(at, density, step, boundary * math.sqrt(fraction))
        reach = boundary * math.sqrt(fraction)
        moved = reach * _NODES
        kernel = np.exp(-(((moved[:, None] - at[None, :]) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        at, density = moved, reach * _WEIGHTS * (kernel @ density)
        before = fraction
        found.append(boundary)
    return tuple(found)


def _boundary(at: FloatArray, density: FloatArray, step: float, root: float, allowed: float) -> float:
    """Return the boundary that is passed with the chance allowed, in standard errors."""
    if _beyond(at, density, step, _FARTHEST * root) >= allowed:
        return _FARTHEST
    return float(scipy.optimize.brentq(lambda z: _beyond(at, density, step, z * root) - allowed, 0.0, _FARTHEST))


def _beyond(at: FloatArray, density: FloatArray, step: float, boundary: float) -> float:
    """Return the chance that the sum goes beyond the boundary, either way, at the next look."""
    return float(density @ (special.ndtr((at - boundary) / step) + special.ndtr((-at - boundary) / step)))


def with_repeated_interval(estimate: Estimate, fractions: tuple[float, ...]) -> Estimate:
    """Return a difference with a repeated confidence interval, which holds at all looks.

    Its own is `Normal`, a score interval, or none.

    Parameters
    ----------
    estimate
        As of the present look.
    fractions
        As in `RepeatedInterval`.

    Returns
    -------
    Estimate
        The same where there is no interval.
    """
    recipe = estimate.interval_method
    if isinstance(recipe, Normal):
        repeated = RepeatedInterval(recipe.mean, recipe.se, recipe.df, fractions)
    elif isinstance(recipe, AccuracyShift):
        repeated = RepeatedScore(recipe.value, recipe.se, math.inf, fractions, recipe)
    else:
        return estimate
    return replace(estimate, interval_method=repeated, method=f"{estimate.method}; {REPEATED_METHOD}")


def conditional_power(found: RepeatedInterval, planned: tuple[float, ...], threshold: float, alpha: float) -> float:
    """Return the chance that ``abs(difference) < threshold`` is supported at the end, were there no difference at all.

    The conditional power (Lan, Simon and Halperin 1982) under the truth that favours the claim most, and with the
    least standard error that the one found is compatible with (one-sided, 99%). Where it is all but 0, going on is
    futile.

    Parameters
    ----------
    found
        The difference at the present look.
    planned
        Which part of the information each of all looks has.
    threshold, alpha
        The claim's, tested by two one-sided tests at ``alpha``.

    Returns
    -------
    float
        Between 0 and 1.
    """
    now = found.fractions[-1]
    at_end = found.se * math.sqrt(now * found.df / float(special.chdtri(found.df, 0.01)))
    tail = float(special.ndtr(-boundaries(planned, 2 * alpha)[-1]))
    room = threshold + float(special.stdtrit(found.df, tail)) * at_end
    if room <= 0:
        return 0.0
    centre, spread = found.value * now, at_end * math.sqrt(1 - now)
    if spread == 0:
        return float(abs(centre) < room)
    return float(special.ndtr((room - centre) / spread) - special.ndtr((-room - centre) / spread))


HOPELESS = 0.01
"""Chance of being supported at the end, at best, below which a claim is given up. Our choice."""


class Expected(NamedTuple):
    """What becomes of a sequential study if there is no difference.

    Attributes
    ----------
    fraction
        Which part of the information it uses on average.
    supported
        How often it ends with the claim supported, at any look.
    """

    fraction: float
    supported: float


def expected_course(
    fractions: tuple[float, ...], threshold: float, error: float, alpha: float, *, wider: float = 1.0
) -> Expected:
    """Return what becomes of a study that asks until ``abs(difference) < threshold`` is decided.

    There is no difference, and its estimate is normal with a known error. The study ends at the first look at which the
    claim is supported, refuted, or hopeless. By recursive integration, as for `boundaries`, over a grid of a walk.

    Parameters
    ----------
    fractions
        Which part of the planned information each of all looks has.
    threshold, alpha
        The claim's, tested by two one-sided tests at ``alpha``.
    error
        Standard error of the difference at the last look, above 0.
    wider
        How many times as wide the interval is as that of a normal estimate.

    Returns
    -------
    Expected
        Of one claim.

    Examples
    --------
    >>> from pytest_llmpref.stats.sequential import expected_course
    >>> looks = (0.25, 0.5, 0.75, 1.0)
    >>> for threshold in (1.0, 3.0, 6.0):
    ...     fraction, supported = expected_course(looks, threshold, 1.0, 0.05)
    ...     print(f"{fraction:.2f} {supported:.2f}")
    0.25 0.00
    0.89 0.81
    0.52 1.00
    """
    at = np.linspace(-_WIDEST, _WIDEST, _GRID)
    density = (np.arange(_GRID) == _GRID // 2).astype(np.float64)  # all of it at 0, before anything is asked
    before, mean, supported, wide = 0.0, 0.0, 0.0, threshold / error
    limits = [wider * boundary for boundary in boundaries(fractions, 2 * alpha)]
    room = wide - limits[-1]
    for fraction, boundary in zip(fractions, limits, strict=True):
        # Those that were not decided before ask for this part too.
        mean += (fraction - before) * float(density.sum())
        kernel = np.exp(-((at[:, None] - at[None, :]) ** 2) / (2 * (fraction - before)))
        density = (kernel / kernel.sum(axis=0)) @ density
        reach = boundary * math.sqrt(fraction)
        within = np.abs(at) < fraction * wide - reach
        supported += float(density[within].sum())
        ends = within | (np.abs(at) > fraction * wide + reach)
        if fraction < 1:
            left = math.sqrt(1 - fraction)
            at_end = special.ndtr((room - at) / left) - special.ndtr((-room - at) / left)
            ends |= at_end < HOPELESS
        density, before = np.where(ends, 0.0, density), fraction
    return Expected(mean, supported)


_WIDEST, _GRID = 5.0, 501
"""Where Brownian motion is followed, up to five standard deviations of its end, and at how many points."""


PRIOR = (0.1, 1.0)
"""Beta distribution of the shares that the confidence sequence bets on. Our choice: a gate's are near 0.

Any that is fixed beforehand keeps the error rate. With it, 39 trials without a success exclude a share of 0.10 at the
level of 5%, where the uniform one needs 77, and Jeffreys' (Krichevsky and Trofimov 1981) 60.
"""
INTERIM_SHARE = 0.5
"""Share of the error rate that all looks together may spend; the rest is for the end. Our choice."""
CONFIDENCE_SEQUENCE_METHOD = (
    f"{CONFIDENCE_SEQUENCE}: confidence sequence (Robbins 1970), at the end Clopper and Pearson's (1934) interval too, "
    "half of the error rate each"
)


@dataclass(frozen=True, slots=True)
class SequentialShare:
    """Interval of a proportion that stays valid under repeated interim analyses.

    Half of the error rate goes to a confidence sequence: all shares against which a mixture of likelihoods is less than
    ``2 / error rate`` times as likely. By Ville's (1939) inequality, all analyses together exclude the truth with at
    most this probability, whatever the stopping rule (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021). The
    other half goes to Clopper and Pearson's (1934) interval, once all planned trials are asked. Then both intervals
    hold, and so does their intersection.

    Attributes
    ----------
    successes, n
        Numbers up to the last interim analysis. They may be fractional, such as effective sample sizes of clustered
        trials (Korn and Graubard 1998): a likelihood raised to a power below 1 keeps the error rate.
    complete
        Whether all planned trials are asked.
    """

    successes: float
    n: float
    complete: bool

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, within 0 and 1; NaN for no trials."""
        if not self.n > 0:
            return math.nan, math.nan
        low, high = _confidence_sequence(self.successes, self.n, (1 - level) * INTERIM_SHARE)
        if self.complete:
            at_end = self._at_end((1 - level) * (1 - INTERIM_SHARE))
            low, high = max(low, at_end[0]), min(high, at_end[1])
        return low, high

    def _at_end(self, error_rate: float) -> tuple[float, float]:
        """Return the interval of as many trials as were planned."""
        hits, misses = self.successes, self.n - self.successes
        low = float(special.betaincinv(hits, misses + 1, error_rate / 2)) if hits else 0.0
        high = float(special.betaincinv(hits + 1, misses, 1 - error_rate / 2)) if misses else 1.0
        return low, high


_NEAREST = 1e-15
"""How near the limits of a confidence sequence are found: of few successes, the lower one is nearly 0."""


# Most entities have been asked as often, and refused as seldom, as others.
@lru_cache(maxsize=4096)
def _confidence_sequence(successes: float, n: float, error_rate: float) -> tuple[float, float]:
    """Return the confidence sequence at the last look."""
    a, b = PRIOR
    misses, value = n - successes, successes / n
    # What the logarithm of the likelihood of a share must exceed for it to be held.
    needed = special.betaln(successes + a, misses + b) - special.betaln(a, b) + math.log(error_rate)

    def beyond(share: float) -> float:
        return float(special.xlogy(successes, share) + special.xlog1py(misses, -share) - needed)

    # The likelihood rises up to the value, and falls beyond it.
    low = float(scipy.optimize.bisect(beyond, 0.0, value, xtol=_NEAREST)) if successes else 0.0
    return low, float(scipy.optimize.bisect(beyond, value, 1.0, xtol=_NEAREST)) if misses else 1.0
