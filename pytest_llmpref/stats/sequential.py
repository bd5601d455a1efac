"""Shares of trials that are asked until a gate's verdict is decided: intervals that hold at every look at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from scipy import special

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdict import Verdict
from pytest_llmpref.config.policy import Bound
from pytest_llmpref.stats.comparisons import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.refusal import Attempts, design_effect

PRIOR = (0.25, 1.0)
"""Beta distribution of the shares that the confidence sequence bets on. Our choice: a gate's are near 0.

Any that is fixed beforehand keeps the error rate. With it, 88 trials without a success exclude a share of 0.10 at the
level of one in 72 claims, where the uniform one needs 122, and Jeffreys' (Krichevsky and Trofimov 1981) 104.
"""
LOOKING = 0.5
"""Share of the error rate that all looks together may spend; the rest is for the end. Our choice."""
METHOD = (
    "asked until decided: confidence sequence (Robbins 1970), at the end Clopper and Pearson's (1934) interval too, "
    "half of the error rate each"
)


@dataclass(frozen=True, slots=True)
class SequentialShare:
    """Interval of a proportion that was looked at again and again while its trials were asked.

    At half of the error rate it is a confidence sequence: the shares against which a mixture of likelihoods is less
    than ``2 / error rate`` times as likely. By Ville's (1939) inequality all looks together exclude the truth with at
    most this chance, whatever makes the asking stop (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021). The
    other half is for Clopper and Pearson's (1934) interval once all trials that were planned are asked; then both hold,
    and so does what they have in common.

    Attributes
    ----------
    successes, n
        Trials up to the last look. They may be fractional: an effective number where trials are clustered, as in Korn
        and Graubard (1998); a likelihood to a power below 1 bets less, and so keeps the error rate.
    complete
        Whether all trials that were planned are asked.
    """

    successes: float
    n: float
    complete: bool

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the interval, within 0 and 1; NaN for no trials."""
        if not self.n > 0:
            return math.nan, math.nan
        low, high = _looking(self.successes, self.n, (1 - level) * LOOKING)
        if self.complete:
            at_end = self._at_end((1 - level) * (1 - LOOKING))
            low, high = max(low, at_end[0]), min(high, at_end[1])
        return low, high

    def _at_end(self, error_rate: float) -> tuple[float, float]:
        """Return the interval of as many trials as were planned."""
        hits, misses = self.successes, self.n - self.successes
        low = float(special.betaincinv(hits, misses + 1, error_rate / 2)) if hits else 0.0
        high = float(special.betaincinv(hits + 1, misses, 1 - error_rate / 2)) if misses else 1.0
        return low, high


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Questions about two entities, and before which look at the answers each is asked; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    look
        From 0.
    n_entities
        Number of entities.
    """

    first: IntArray
    second: IntArray
    look: IntArray
    n_entities: int

    @property
    def count(self) -> int:
        """How many looks there are."""
        return int(self.look.max()) + 1 if len(self.look) else 0

    def tally(self, weights: FloatArray) -> FloatArray:
        """Return for each entity the sum of the weights of the questions about it; shape (n_entities,)."""
        about_first, about_second = (np.bincount(of, weights, self.n_entities) for of in (self.first, self.second))
        return np.asarray(about_first + about_second, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How far the asking came; shape (n_entities,) each.

    Attributes
    ----------
    rates
        Each entity's share of refusals: at the look that decided its claims, else at the last look.
    decided
        At which look, from 1, the claims about an entity were decided; 0 where they are not.
    refuted, hopeless
        Whether one of them is refuted; whether one can no longer be supported, whatever the answers to come.
    looks
        How many looks were taken; a number.
    pending
        Numbers of the questions to ask before the next look; none where the asking is over.
    """

    rates: list[Estimate]
    decided: IntArray
    refuted: BoolArray
    hopeless: BoolArray
    looks: int
    pending: IntArray


def follow(looks: Looks, refused: FloatArray, asked: BoolArray, control: Estimate, bounds: Sequence[Bound]) -> Course:
    """Look at the answers, time and again, until a gate's verdict is decided or all questions are asked.

    The claims about an entity are that it is refused less than a margin above the control. They are decided at the
    first look at which their intervals do not hold the margin, and stay so. What is asked of an entity later, because
    it meets one that is open, depends on the answers, and does not count for it; an open entity meets all that the
    design has it meet. A gate is closed by the first claim that is refuted, or that could not be supported even if
    nobody was refused again (curtailment, which spends no error: Lan, Simon and Halperin 1982); it opens when all are
    supported.

    Parameters
    ----------
    looks
        The questions.
    refused
        1 where the first attempt was refused, 0 where not, NaN where there is no answer; shape (t,).
    asked
        Whether a question was asked; shape (t,).
    control
        Rate of the control, of which all questions are asked before the first look.
    bounds
        What the claims are compared with. Whatever they are, the intervals hold.
    """
    n, taken = looks.n_entities, 0
    decided, refuted, hopeless = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    planned = looks.tally(np.ones(len(refused)))
    rates = [_rate(0.0, 0, 1.0, complete=False)] * n
    while taken < looks.count and not (refuted.any() or hopeless.any() or decided.all()):
        is_open = decided == 0
        due = (looks.look == taken) & (is_open[looks.first] | is_open[looks.second])
        if not asked[due].all():
            return Course(rates, decided, refuted, hopeless, taken, np.flatnonzero(due))
        seen = asked & (looks.look <= taken) & ~np.isnan(refused)
        effect, taken = _effect(looks, seen, refused), taken + 1
        hits, made = looks.tally(np.where(seen, refused, 0.0)), looks.tally(seen.astype(np.float64))
        for entity in np.flatnonzero(is_open):
            rates[entity] = _rate(hits[entity], int(made[entity]), effect, complete=taken == looks.count)
            # As if all that is left was answered without a refusal, and no trials were alike.
            best = _rate(hits[entity], int(planned[entity]), 1.0, complete=True)
            verdicts = _verdicts(rates[entity], control, bounds)
            refuted[entity] = Verdict.REFUTED in verdicts
            hopeless[entity] = not _verdicts(best, control, [bound for bound in bounds if bound.gate]) <= _HOPEFUL
            if verdicts <= {Verdict.SUPPORTED, Verdict.REFUTED}:
                decided[entity] = taken
    return Course(rates, decided, refuted, hopeless, taken, np.array([], dtype=np.intp))


_HOPEFUL = {Verdict.SUPPORTED, Verdict.INVALID}
"""What does not end the asking: a measurement that fails its checks says so once all of it was asked."""


def _verdicts(rate: Estimate, control: Estimate, bounds: Sequence[Bound]) -> set[Verdict]:
    """Return the verdicts on the claims that an entity is refused less than a margin above the control."""
    found = set()
    for bound in bounds:
        with ledger(1, bound.error_rate):
            found.add((rate - control < bound.margin).verdict)
    return found


def _rate(refused: float, n: int, effect: float, *, complete: bool) -> Estimate:
    return Estimate(
        value=float(refused) / n if n else math.nan,
        n=n,
        unit="trials",
        method=f"share of first attempts, {METHOD}, design effect {effect:.2f} (Kish 1965)",
        interval_method=SequentialShare(float(refused) / effect, n / effect, complete),
    )


def _effect(looks: Looks, seen: BoolArray, refused: FloatArray) -> float:
    """Return the design effect of trials about one pair, over some of the questions."""
    at_once = refused[seen] > 0
    ones = np.ones(len(at_once), dtype=np.intp)
    chosen = Attempts(looks.first[seen], looks.second[seen], 0 * ones, at_once * ones, ones, at_once, looks.n_entities)
    # More than what is there would be bet otherwise.
    return max(1.0, design_effect(chosen, by_entity=True))


# Most entities have been asked as often, and refused as seldom, as others.
@lru_cache(maxsize=4096)
def _looking(successes: float, n: float, error_rate: float) -> tuple[float, float]:
    """Return the confidence sequence at the last look."""
    a, b = PRIOR
    misses, value = n - successes, successes / n
    # What the logarithm of the likelihood of a share must exceed for it to be held.
    needed = special.betaln(successes + a, misses + b) - special.betaln(a, b) + math.log(error_rate)

    def beyond(share: float) -> float:
        return float(special.xlogy(successes, share) + special.xlog1py(misses, -share) - needed)

    # The likelihood rises up to the value, and falls beyond it.
    low = float(scipy.optimize.bisect(beyond, 0.0, value)) if successes else 0.0
    return low, float(scipy.optimize.bisect(beyond, value, 1.0)) if misses else 1.0
