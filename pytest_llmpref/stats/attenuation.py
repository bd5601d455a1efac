"""What a correlation would be if its measures were free of noise (Spearman 1904).

References
----------
Bonett and Wright 2000
Hakstian, Schroeder and Rogers 1988
Moss 2026
Spearman 1904
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Unknown
from pytest_llmpref.stats.association import HasValues, spearman
from pytest_llmpref.stats.crossed import Crossed, crossed
from pytest_llmpref.stats.ranks import RhoInterval, within_reach
from pytest_llmpref.stats.reliability import SpearmanBrown, cut


def noise_ceiling(reliability_x: Estimate | None, reliability_y: Estimate | None) -> float:
    """Return the largest correlation that two measures of such reliability can show: ``sqrt(x * y)``.

    NaN if a reliability is missing or NaN, 0 if one is not above 0.

    Parameters
    ----------
    reliability_x, reliability_y
        Of the two measures.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal
    >>> from pytest_llmpref.stats.attenuation import noise_ceiling
    >>> x, y = (Estimate(value, 20, "entities", "by hand", Normal(value, 0.1)) for value in (0.81, 0.64))
    >>> round(noise_ceiling(x, y), 6)
    0.72
    """
    if reliability_x is None or reliability_y is None:
        return math.nan
    x, y = reliability_x.value, reliability_y.value
    return math.nan if math.isnan(x) or math.isnan(y) else math.sqrt(max(x, 0.0) * max(y, 0.0))


class HasReliability(HasValues, Protocol):
    """Values whose reliability was estimated."""

    @property
    def reliability(self) -> Estimate | None:
        """Reliability of the values, or ``None`` if it cannot be estimated."""
        ...


@dataclass(frozen=True, slots=True)
class Scale:
    """How exactly the scale of the true values is known that a measure's reliability gives.

    Attributes
    ----------
    spread
        Variance of the measured values, relative to a variance of 1 of the true values; at least 1.
    noise
        Squared standard error of the noise's part in it, times the number of entities.
    """

    spread: float
    noise: float

    @classmethod
    def of(cls, reliability: Estimate) -> "Scale":
        """Return what a reliability above 0 tells."""
        spread, method = 1 / min(reliability.value, 1.0), reliability.interval_method
        df = method.noise_df if isinstance(method, SpearmanBrown) else math.inf
        return cls(spread, 2 * (spread - 1) ** 2 * reliability.n / df)


@dataclass(frozen=True, slots=True)
class DisattenuatedRho:
    """Interval of a correlation divided by the noise ceiling, whose own error goes along with the correlation's.

    Where entities happen to differ more than usual, or their noise goes together, the correlation and the reliabilities
    are high together, so that the quotient varies less than the correlation does; where reliabilities are low, it
    varies more. The error of ``log(c / sqrt(a * b))``, for the covariance ``c`` of the measures and their true
    variances ``a`` and ``b``, is that of normal values by the delta method (as of Hakstian, Schroeder and Rogers 1988,
    and Moss 2026); of rho, the error of Bonett and Wright (2000) is changed in the same proportion.

    Attributes
    ----------
    rho
        Interval of the correlation.
    x, y
        The scales of the two measures.
    """

    rho: RhoInterval
    x: Scale
    y: Scale

    @property
    def ceiling(self) -> float:
        """The noise ceiling."""
        return 1 / math.sqrt(self.x.spread * self.y.spread)

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, cut to -1 and 1."""
        low, high = within_reach(self.rho.r, self.rho.largest, self._variance, level, self.rho.scatter.df)
        return cut(low / self.ceiling), cut(high / self.ceiling)

    def _variance(self, rho: float) -> float:
        """Return the variance of ``atanh(r)`` as far as it moves the quotient, where the population's rho is this."""
        return (self.rho.variance(rho) - self.rho.extra) * self._proportion(cut(rho / self.ceiling)) + self.rho.extra

    def _proportion(self, true: float) -> float:
        """Return the squared error of the quotient as a share of that of a correlation divided by what is known."""
        a, b, square = self.x.spread, self.y.spread, true**2
        known = (a * b - square) ** 2 / (a * b)
        if known <= 0:
            return 1.0
        scales = (a * a + b * b) / 2 - 2 * (a + b) + 1 + square + (self.x.noise + self.y.noise) / 4
        return max(0.0, a * b + square * scales) / known


def attenuation_corrected(x: HasReliability, y: HasReliability) -> Estimate:
    """Return Spearman's rho between two measures, corrected for attenuation: as if both were free of noise.

    Measures of the same pairs share the noise of pairs. So they are correlated over different halves of the pairs, and
    the result is divided by the reliabilities of the halves (`stats.crossed`).

    Parameters
    ----------
    x, y
        Measures of the same entities, with reliabilities.

    Returns
    -------
    Estimate
        From -1 to 1.

    Examples
    --------
    >>> from pytest_llmpref import attenuation_corrected, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     attenuation_corrected(study.preferences, study.donation_advice)
    <rho(preference, donation_advice) corrected for attenuation 1, 95% [0.633..., 1], n=72 entities>
    """
    rho = spearman(x, y)
    return _over_halves(disattenuated(rho, x.reliability, y.reliability), rho, crossed(x, y))


def _over_halves(estimate: Estimate, plain: Estimate, found: Crossed | None) -> Estimate:
    """Return a corrected correlation with the value that different halves of the pairs give it, where there are any."""
    inner = estimate.interval_method
    if found is None or not isinstance(inner, DisattenuatedRho):
        return estimate
    if math.isnan(found.corrected):
        reasons = (*estimate.invalid, "no correction for attenuation: halves of the pairs do not agree")
        return replace(estimate, value=math.nan, interval_method=Unknown(), invalid=reasons)
    # As that of the plain one, it scatters over what another study would draw anew: entities, or whole groups.
    rho = replace(inner.rho, r=cut(found.corrected * inner.ceiling))
    return replace(
        estimate,
        value=cut(found.corrected),
        method=f"Spearman over different halves of the pairs, {found.between:.3f}, divided by the reliability of "
        f"halves ({found.x:.3f} and {found.y:.3f}; Spearman 1904; mean of {found.splits} splits), whose error is "
        "counted (delta method, Hakstian, Schroeder and Rogers 1988), in addition to the error of rho: " + plain.method,
        interval_method=replace(inner, rho=rho),
    )


def disattenuated(estimate: Estimate, reliability_x: Estimate | None, reliability_y: Estimate | None) -> Estimate:
    """Return a correlation divided by the noise ceiling of its two measures (Spearman 1904).

    The interval counts that the reliabilities are estimated from the same entities: see `DisattenuatedRho`. Value and
    interval are cut to -1 and 1, and the method says so. Where a reliability is missing, or not above 0, the estimate
    is invalid.

    Parameters
    ----------
    estimate
        A correlation.
    reliability_x, reliability_y
        Of its two measures.

    Returns
    -------
    Estimate
        From -1 to 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.association import spearman_estimate
    >>> from pytest_llmpref.stats.attenuation import disattenuated
    >>> from pytest_llmpref.stats.reliability import of_halves
    >>> reliability = of_halves([0.6], 20, halved="pairs", noise_df=100, otherwise="")
    >>> rho = spearman_estimate(range(20), [*range(5, 10), *range(5), *range(15, 20), *range(10, 15)])
    >>> round(rho.value, 3), round(disattenuated(rho, reliability, reliability).value, 3)
    (0.624, 0.832)
    """
    ceiling = noise_ceiling(reliability_x, reliability_y)
    label = f"{estimate.label} corrected for attenuation"
    if reliability_x is None or reliability_y is None or not ceiling > 0:
        reasons = (*estimate.invalid, "no correction for attenuation: a reliability is missing or not above 0")
        return Estimate(math.nan, estimate.n, estimate.unit, estimate.method, Unknown(), reasons, label)
    value, inner = estimate.value / ceiling, estimate.interval_method
    interval: IntervalMethod = Unknown()
    if isinstance(inner, RhoInterval):
        interval = DisattenuatedRho(inner, Scale.of(reliability_x), Scale.of(reliability_y))
    clipped = f", cut from {value:.2f}" if abs(value) > 1 else ""
    return Estimate(
        value=cut(value),
        n=estimate.n,
        unit=estimate.unit,
        method=f"{estimate.method}; divided by the noise ceiling {ceiling:.3f} (Spearman 1904){clipped}, whose error "
        "is counted (delta method, Hakstian, Schroeder and Rogers 1988)",
        interval_method=interval,
        invalid=estimate.invalid,
        label=label,
    )
