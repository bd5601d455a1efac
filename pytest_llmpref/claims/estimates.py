"""Estimates: values with intervals, whose comparison with a number makes a claim.

Loaded in every pytest run, so numpy and scipy are imported where they are needed and not before.

References
----------
Zou and Donner 2008
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import ClassVar, NoReturn

from pytest_llmpref.claims.claim import Claim, make_claim
from pytest_llmpref.claims.intervals import (
    Difference,
    Exact,
    Interval,
    IntervalMethod,
    short_number,
)
from pytest_llmpref.claims.verdicts import Relation


@dataclass(frozen=True, slots=True, repr=False)
class Estimate:
    """A value with its confidence interval, sample size and method.

    Compare it with a number or another estimate to make a `Claim`. Subtract to estimate a difference: the two estimates
    are assumed to be independent.

    Attributes
    ----------
    value
        Point estimate; NaN if there is none.
    n
        Sample size; for a difference, the smaller of the two.
    unit
        What ``n`` counts: ``"entities"``, ``"trials"``, ``"pairs"``.
    method
        How the value and interval were computed, with the reference.
    interval_method
        Computes the interval at any level.
    invalid
        Reasons why the measurement failed its checks. If there is one, every claim about the estimate is invalid.
    label
        What is estimated, as failure messages name it.
    insensitive
        Reasons why the study could not have detected an effect. A claim that would hold without an effect is then
        invalid, unless it is refuted: an effect that was found was detected.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Wilson
    >>> share = Estimate(0.75, 40, "trials", "Wilson", Wilson(30, 40), label="share of agreement")
    >>> share
    <share of agreement 0.75, 95% [0.5981, 0.8581], n=40 trials>
    >>> print((share > 0.5).verdict, (share > 0.7).verdict)
    supported inconclusive
    >>> share - 0.5
    <share of agreement - 0.5 0.25, 95% [0.09806, 0.3581], n=40 trials>
    """

    value: float
    n: int
    unit: str
    method: str
    interval_method: IntervalMethod
    invalid: tuple[str, ...] = ()
    label: str = ""
    insensitive: tuple[str, ...] = ()

    # numpy would otherwise turn `np.float64(0.5) < estimate` into an array of one.
    __array_ufunc__: ClassVar[None] = None

    def interval(self, level: float = 0.95) -> Interval:
        """Return the two-sided confidence interval.

        Parameters
        ----------
        level
            Confidence level, between 0 and 1.

        Returns
        -------
        Interval
            Its limits are NaN if they cannot be estimated.

        Raises
        ------
        ValueError
            If ``level`` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level={level!r}: a confidence level lies between 0 and 1, such as 0.95")
        low, high = self.interval_method.limits(level)
        # numpy's floats would reach reports and JSON otherwise.
        return Interval(float(low), float(high), level)

    def marked(self, reasons: Iterable[str]) -> "Estimate":
        """Return the estimate with additional reasons why its measurement is invalid.

        Parameters
        ----------
        reasons
            Added in this order, without duplicates.

        Returns
        -------
        Estimate
            Every claim about it is invalid if it has a reason.
        """
        return replace(self, invalid=tuple(dict.fromkeys((*self.invalid, *reasons))))

    def __sub__(self, other: "Estimate | float") -> "Estimate":
        if isinstance(other, Real):
            constant = float(other)
            name = short_number(constant)
            other = Estimate(constant, self.n, self.unit, f"constant {name}", Exact(constant), label=name)
        if not isinstance(other, Estimate):
            return NotImplemented
        return Estimate(
            value=self.value - other.value,
            n=min(self.n, other.n),
            unit=self.unit if self.unit == other.unit else f"{self.unit} or {other.unit}",
            method="difference (MOVER, Zou and Donner 2008) of: "
            + "; ".join(dict.fromkeys((self.method, other.method))),
            interval_method=Difference(self, other),
            label=f"{self.label or 'estimate'} - {other.label or 'estimate'}",
            insensitive=tuple(dict.fromkeys((*self.insensitive, *other.insensitive))),
        ).marked((*self.invalid, *other.invalid))

    def __abs__(self) -> "AbsoluteEstimate":
        return AbsoluteEstimate(self)

    def __gt__(self, other: "Estimate | float") -> "Claim":
        return self._claim(">", other)

    def __lt__(self, other: "Estimate | float") -> "Claim":
        return self._claim("<", other)

    def _claim(self, relation: Relation, other: object) -> "Claim":
        if isinstance(other, Estimate):
            return make_claim(self - other, relation, 0.0)
        return make_claim(self, relation, other)

    def __ge__(self, other: object) -> NoReturn:
        _refuse(">=", "an interval lies beyond a threshold or not: write `estimate > threshold`")

    def __le__(self, other: object) -> NoReturn:
        _refuse("<=", "an interval lies beyond a threshold or not: write `estimate < threshold`")

    def __eq__(self, other: object) -> bool:
        """Compare two estimates field by field; never a claim, and refused for a number."""
        if isinstance(other, Real):
            _refuse("==", "an interval is never equal to a number: write `abs(estimate - number) < margin`")
        return _fields(self) == _fields(other) if isinstance(other, Estimate) else NotImplemented

    def __hash__(self) -> int:
        return hash(_fields(self))

    def __bool__(self) -> NoReturn:
        # An estimate would be true whatever its value, so `assert spearman(a, b)` would pass and claim nothing.
        raise TypeError(f"{self.label or 'an estimate'} is neither true nor false; {_CLAIM_ADVICE}")

    def __repr__(self) -> str:
        if math.isnan(self.value):
            return f"<{self.label or 'estimate'} without a value, n={self.n} {self.unit}>"
        return f"<{self.label or 'estimate'} {short_number(self.value)}, 95% {self.interval()}, n={self.n} {self.unit}>"


_CLAIM_ADVICE = "compare it with a threshold: write `assert estimate > threshold`"


def _fields(estimate: Estimate) -> tuple[object, ...]:
    return tuple(getattr(estimate, name) for name in Estimate.__slots__)


_EQUIVALENCE_ADVICE = "write `assert abs(estimate) < margin`"


@dataclass(frozen=True, slots=True, eq=False)
class AbsoluteEstimate:
    """The size of an estimate, for a claim of equivalence: ``abs(estimate) < threshold``, and no other."""

    estimate: Estimate
    __array_ufunc__: ClassVar[None] = None

    def __lt__(self, threshold: float) -> "Claim":
        return make_claim(self.estimate, "abs <", threshold)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"abs(estimate) is neither true nor false; {_EQUIVALENCE_ADVICE}")

    def __gt__(self, threshold: object) -> NoReturn:
        _refuse("abs() >", "only equivalence is tested on both sides: write `abs(estimate) < threshold`")

    def __ge__(self, threshold: object) -> NoReturn:
        _refuse("abs() >=", "write `abs(estimate) < threshold`")

    def __le__(self, threshold: object) -> NoReturn:
        _refuse("abs() <=", "write `abs(estimate) < threshold`")


def _refuse(relation: str, advice: str) -> NoReturn:
    raise TypeError(f"{relation} makes no claim about an estimate; {advice}")
