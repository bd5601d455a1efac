"""The interval of an effect in log-odds of which few trials went one way: the error of such a one is skewed.

References
----------
Berry and Armitage 1995
"""

import math
from dataclasses import dataclass

from scipy import special

from pytest_llmpref.claims.intervals import Normal, OneSided
from pytest_llmpref.stats.roots import root

FEWEST_OF_EITHER = 5
"""Fewest successes, and fewest failures, with which the error is taken as normal. Our choice."""
FEWEST_TO_BOUND = 2
"""Fewest successes, or failures, with which an interval has an end on that side. Our choice: with fewer, 4 partners and
sharp strengths, the most and the least preferred of 72 were held in 68%, and are in 96% (80 studies)."""
_FARTHEST = 50.0
"""Log-odds that no end lies beyond."""


@dataclass(frozen=True, slots=True)
class Skewed:
    """A normal interval with each end as much further out as the mid-P interval of the share is beside Wald's.

    Wald's interval, in log-odds, is taken as normal like the inner one. The mid-P interval (Berry and Armitage 1995)
    is that of the binomial distribution. With few successes or failures, and at the level of one claim among many,
    the former is far too narrow.

    Attributes
    ----------
    inner
        The normal interval of the effect.
    successes, failures
        Of the trials that the effect rests on; at least one each.

    Examples
    --------
    >>> from pytest_llmpref.claims.intervals import Normal
    >>> from pytest_llmpref.stats.few_outcomes import Skewed
    >>> [round(end, 2) for end in Normal(2.7, 0.6).limits(0.95)]
    [1.52, 3.88]
    >>> [round(end, 2) for end in Skewed(Normal(2.7, 0.6), successes=45, failures=3).limits(0.95)]
    [1.52, 4.11]
    """

    inner: Normal
    successes: int
    failures: int

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval; never narrower than the inner one."""
        low, high = self.inner.limits(level)
        error = (1 - level) / 2
        log_odds = math.log(self.successes / self.failures)
        reach = -float(special.ndtri(error)) * math.sqrt(1 / self.successes + 1 / self.failures)
        below = (log_odds - _least(self.successes, self.failures, error)) / reach
        above = (-_least(self.failures, self.successes, error) - log_odds) / reach
        value = self.inner.mean
        return value - (value - low) * max(1.0, below), value + (high - value) * max(1.0, above)


def _least(successes: int, failures: int, error: float) -> float:
    """Return the lower end of the mid-P interval in log-odds: half of the chance of the very count is left out."""

    def beyond(log_odds: float) -> float:
        share = special.expit(log_odds)
        as_many = special.betainc(successes, failures + 1, share)
        more = special.betainc(successes + 1, failures, share)
        return float(as_many + more) / 2 - error

    return root(beyond, -_FARTHEST, _FARTHEST)


def interval(inner: Normal, successes: float, failures: float) -> Normal | Skewed | OneSided:
    """Return the interval of an effect: without an end where only a prior keeps it from lying further.

    Parameters
    ----------
    inner
        The normal interval.
    successes, failures
        Of the trials that the effect rests on, all of them drawn: whole numbers.
    """
    fewest = min(successes, failures)
    if fewest >= FEWEST_OF_EITHER or not successes + failures:
        return inner
    if fewest < FEWEST_TO_BOUND and successes != failures:
        return OneSided(inner, "low" if successes > failures else "high")
    return Skewed(inner, round(successes), round(failures))
