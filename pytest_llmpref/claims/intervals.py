"""Confidence intervals: small frozen recipes that give the limits at any level.

Loaded in every pytest run, so numpy and scipy are imported where they are needed and not before.

References
----------
Newcombe 1998
Wilson 1927
Zou 2007
Zou and Donner 2008
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; its limits are NaN if they cannot be estimated."""

    low: float
    high: float
    level: float

    def __str__(self) -> str:
        return f"[{short_number(self.low)}, {short_number(self.high)}]"


class IntervalMethod(Protocol):
    """How an estimate's interval is computed at any level."""

    def limits(self, level: float) -> tuple[float, float]:
        """Return the two-sided interval at ``level`` (0 to 1) as (low, high); NaN if it cannot be estimated."""
        ...


@runtime_checkable
class RepeatedlyTested(IntervalMethod, Protocol):
    """An interval that is wider than its trials make it, since it holds at several interim analyses."""

    @property
    def fixed_sample(self) -> IntervalMethod:
        """The interval of the same trials in a study with a fixed sample size, without interim analyses."""
        ...


def fixed_sample(method: IntervalMethod) -> IntervalMethod:
    """Return an interval as it would be with a fixed sample size, without interim analyses.

    Parameters
    ----------
    method
        Any interval.

    Returns
    -------
    IntervalMethod
        The same, unless it is `RepeatedlyTested`.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import Normal, fixed_sample
    >>> fixed_sample(Normal(0.5, 0.1))
    Normal(mean=0.5, se=0.1, df=inf)
    """
    return method.fixed_sample if isinstance(method, RepeatedlyTested) else method


@dataclass(frozen=True, slots=True)
class Unknown:
    """No interval can be estimated."""

    def limits(self, level: float) -> tuple[float, float]:  # noqa: ARG002 - unknown at every level
        """Return NaN for both limits."""
        return math.nan, math.nan


@dataclass(frozen=True, slots=True)
class Exact:
    """A known constant: the interval is the value itself."""

    value: float

    def limits(self, level: float) -> tuple[float, float]:  # noqa: ARG002 - known at every level
        """Return the value twice."""
        return self.value, self.value


@dataclass(frozen=True, slots=True)
class Wilson:
    """Score interval of a proportion (Wilson 1927), which also works at 0% and 100%.

    ``successes`` and ``n`` may be fractional, such as an effective sample size if trials are clustered.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import Wilson
    >>> low, high = Wilson(0, 40).limits(0.95)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.0876)
    """

    successes: float
    n: float

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, within 0 and 1; NaN for no trials."""
        if not self.n > 0:
            return math.nan, math.nan
        p, z2 = self.successes / self.n, _normal_quantile(level) ** 2
        centre = (p + z2 / (2 * self.n)) / (1 + z2 / self.n)
        half = math.sqrt(z2 * (p * (1 - p) / self.n + z2 / (4 * self.n**2))) / (1 + z2 / self.n)
        # Rounding must not push a threshold past the value at 0% and 100%.
        return min(max(0.0, centre - half), p), max(min(1.0, centre + half), p)


@dataclass(frozen=True, slots=True)
class Normal:
    """Mean plus or minus a quantile of the normal, or of Student's t with ``df`` degrees of freedom, times ``se``.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import Normal
    >>> low, high = Normal(mean=0.0, se=1.0).limits(0.95)
    >>> round(low, 3), round(high, 3)
    (-1.96, 1.96)
    >>> low, high = Normal(mean=0.0, se=1.0, df=10).limits(0.95)
    >>> round(low, 3), round(high, 3)
    (-2.228, 2.228)
    """

    mean: float
    se: float
    df: float = math.inf

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval."""
        half = self.se * (_normal_quantile(level) if math.isinf(self.df) else _t_quantile(level, self.df))
        return self.mean - half, self.mean + half


@dataclass(frozen=True, slots=True)
class NormalShare(Normal):
    """The interval of a share whose error is taken as normal: it ends at 0 and at 1.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import NormalShare
    >>> low, high = NormalShare(0.75, 0.2).limits(0.95)
    >>> round(low, 3), high
    (0.358, 1.0)
    """

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, cut to what a share can be."""
        low, high = Normal.limits(self, level)
        return max(0.0, low), min(1.0, high)


@dataclass(frozen=True, slots=True)
class OneSided:
    """An interval with one end: how far the truth may lie on the other side is not known.

    Attributes
    ----------
    inner
        The interval that provides the limit and the standard error.
    end
        Which end is known.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import Normal, OneSided
    >>> low, high = OneSided(Normal(0.0, 1.0), "low").limits(0.95)
    >>> round(low, 3), high
    (-1.96, inf)
    """

    inner: Normal
    end: Literal["low", "high"]

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, infinite to one side."""
        low, high = self.inner.limits(level)
        return (low, math.inf) if self.end == "low" else (-math.inf, high)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What several intervals cover together: the truth lies in it whichever of them is right.

    Attributes
    ----------
    methods
        The intervals.
    """

    methods: tuple[IntervalMethod, ...]

    def limits(self, level: float) -> tuple[float, float]:
        """Return the lowest and the highest limit; NaN if one of the intervals lacks it."""
        lows, highs = zip(*(method.limits(level) for method in self.methods), strict=True)
        # Python's own minimum takes or leaves NaN by where it stands.
        low = math.nan if any(map(math.isnan, lows)) else min(lows)
        return low, math.nan if any(map(math.isnan, highs)) else max(highs)


class HasInterval(Protocol):
    """A value with its interval: every estimate is."""

    @property
    def value(self) -> float:
        """Point estimate."""
        ...

    def interval(self, level: float = 0.95) -> Interval:
        """Return the two-sided confidence interval."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """Interval of the difference of two estimates from their own intervals (MOVER).

    Zou and Donner (2008); Zou (2007) for estimates that correlate. For two Wilson intervals it is Newcombe's (1998)
    method 10, for two normal ones the usual interval.

    Attributes
    ----------
    a, b
        The estimates.
    correlation
        Of their sampling errors, -1 to 1; 0 if they are independent.

    Examples
    --------
    Two shares of 56 of 70 and 48 of 80, as in Newcombe (1998, table II, method 10):

    >>> from pytest_llmpref import Estimate, Wilson
    >>> from pytest_llmpref.claims.intervals import Difference
    >>> a, b = (Estimate(x / n, n, "trials", "Wilson", Wilson(x, n)) for x, n in ((56, 70), (48, 80)))
    >>> low, high = Difference(a, b).limits(0.95)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """

    a: HasInterval
    b: HasInterval
    correlation: float = 0.0

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval of ``a - b``."""
        a, b, value = self.a.interval(level), self.b.interval(level), self.a.value - self.b.value
        low = self._reach(self.a.value - a.low, b.high - self.b.value)
        high = self._reach(a.high - self.a.value, self.b.value - b.low)
        return value - low, value + high

    def _reach(self, a: float, b: float) -> float:
        if math.isinf(a) or math.isinf(b):
            return math.inf
        square = a**2 + b**2 - 2 * self.correlation * a * b
        # Rounding may leave less than nothing; NaN stays NaN.
        return 0.0 if square < 0 else math.sqrt(square)


@dataclass(frozen=True, slots=True)
class MeanOf:
    """Interval of the mean of independent estimates from their own intervals (MOVER, Zou and Donner 2008).

    Attributes
    ----------
    parts
        The estimates.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Wilson
    >>> from pytest_llmpref.claims.intervals import MeanOf
    >>> parts = [Estimate(x / 50, 50, "trials", "Wilson", Wilson(x, 50)) for x in (5, 10, 15)]
    >>> low, high = MeanOf(tuple(parts)).limits(0.95)
    >>> round(low, 3), round(high, 3)
    (0.15, 0.274)
    """

    parts: tuple[HasInterval, ...]

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval of the mean; NaN for none."""
        if not (k := len(self.parts)):
            return math.nan, math.nan
        mean = sum(part.value for part in self.parts) / k
        found = [(part.value, part.interval(level)) for part in self.parts]
        low = math.sqrt(sum((value - interval.low) ** 2 for value, interval in found)) / k
        high = math.sqrt(sum((interval.high - value) ** 2 for value, interval in found)) / k
        return mean - low, mean + high


@dataclass(frozen=True, slots=True)
class Reported:
    """The interval that a report gives at one level, widened or narrowed to others as a normal one is.

    Exact for `Normal` without degrees of freedom, and close to others as long as the level is.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import Reported
    >>> low, high = Reported(0.5, 0.4, 0.6).limits(0.99)
    >>> round(low, 4), round(high, 4)
    (0.3686, 0.6314)
    """

    value: float
    low: float
    high: float
    level: float = 0.95

    def limits(self, level: float) -> tuple[float, float]:
        """Return the scaled interval."""
        scale = _normal_quantile(level) / _normal_quantile(self.level)
        return self.value - scale * (self.value - self.low), self.value + scale * (self.high - self.value)


def _normal_quantile(level: float) -> float:
    from statistics import NormalDist  # noqa: PLC0415 - slow to import

    return NormalDist().inv_cdf((1 + level) / 2)


def _t_quantile(level: float, df: float) -> float:
    from scipy import special  # noqa: PLC0415 - slow to import

    return float(special.stdtrit(df, (1 + level) / 2))


def short_number(value: float) -> str:
    """Write a number with four significant digits, and Elo points in full: 1720, 12345.

    Parameters
    ----------
    value
        Any number.

    Returns
    -------
    str
        Without trailing zeros.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import short_number
    >>> short_number(0.123456), short_number(1720.4), short_number(12345.6)
    ('0.1235', '1720', '12346')
    """
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
