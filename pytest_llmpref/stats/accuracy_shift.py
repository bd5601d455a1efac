"""Difference in accuracy, one entity minus the others, over questions of different difficulty: a score interval.

References
----------
Miettinen and Nurminen 1985
Wilson 1927
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Unknown
from pytest_llmpref.stats.answers import Answers
from pytest_llmpref.stats.arrays import FloatArray, means_by
from pytest_llmpref.stats.roots import root

_FARTHEST = 12.0
"""Log-odds by which questions are at most made harder, or easier: what is left of any chance is nothing."""
_MOST_STEPS = 10
"""Steps of the secant; about four are taken."""
_REST = 1e-14
"""Length of a step, in log-odds, at which it has come to rest."""


@dataclass(frozen=True, eq=False)
class AccuracyShift:
    """Interval of the mean difference in accuracy between an entity and the others.

    The error is taken where the limit lies, not at the estimate, as in Wilson's (1927) interval of one share and in
    Miettinen and Nurminen's (1985) of a difference: an entity that was lucky has few errors, and by its own scatter
    would be too sure of them. To make the entity better or worse, the log-odds of all questions shift alike. Questions
    are a sample of their kind, so that how far the shift moves each of them is part of the error.

    Attributes
    ----------
    value
        The difference, over the questions that the entity answered.
    chances
        Share of right answers to each of these questions under the others, shape (n,); never 0 or 1.
    others
        Under how many others it was asked.
    """

    value: float
    chances: FloatArray = field(repr=False)
    others: float

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, within what the questions allow."""
        # Claims, their families and reports ask for the same few levels again and again.
        if level not in self._known:
            reach = float(special.ndtri((1 + level) / 2))
            self._known[level] = self._limit(reach), self._limit(-reach)
        return self._known[level]

    @cached_property
    def _known(self) -> dict[float, tuple[float, float]]:
        """Level -> limits, as far as they were asked for."""
        return {}

    @cached_property
    def _log_odds(self) -> FloatArray:
        return np.asarray(special.logit(self.chances))

    @cached_property
    def _noise_of_others(self) -> float:
        return float(self.chances @ (1 - self.chances)) / self.others

    @property
    def se(self) -> float:
        """Standard error where the entity is as good as the others."""
        return self._moments(0.0)[1]

    def _limit(self, reach: float) -> float:
        """Return the difference from which the value is so many standard errors away, those of that difference."""

        @cache
        def beyond(shift: float) -> float:
            mean, error = self._moments(shift)
            return self.value - mean - reach * error

        # As far as the questions allow, if the value is not so many errors away from there.
        for end, sign in ((-_FARTHEST, 1), (_FARTHEST, -1)):
            if sign * beyond(end) <= 0:
                return self._moments(end)[0]
        found = self._nearby(beyond)
        return self._moments(root(beyond, -_FARTHEST, _FARTHEST) if found is None else found)[0]

    def _nearby(self, beyond: Callable[[float], float]) -> float | None:
        """Return where a function of the shift is 0, by the secant from no shift; ``None`` where that leads nowhere.

        Most limits are a few tenths away, where half as many steps are taken as from one end to the other.
        """
        before, at_before = 0.0, beyond(0.0)
        shift = at_before * len(self.chances) / float(self.chances @ (1 - self.chances))
        for _ in range(_MOST_STEPS):
            if not abs(shift) < _FARTHEST or (at := beyond(shift)) == at_before:
                return None
            step = at * (shift - before) / (at - at_before)
            before, at_before, shift = shift, at, shift - step
            if abs(step) <= _REST:
                return shift
        return None

    def _moments(self, shift: float) -> tuple[float, float]:
        """Return the mean difference if the entity's log-odds are shifted, and the standard error of the value."""
        # A search for a limit comes here a dozen times, for each entity: the sums are spelt out, as they cost least.
        shifted = special.expit(self._log_odds + shift)
        moved = shifted - self.chances
        n = len(moved)
        mean = float(moved.sum()) / n
        scatter = moved - mean
        noise = float(shifted @ (1 - shifted)) + self._noise_of_others
        return mean, math.sqrt(noise + float(scatter @ scatter)) / n


def minus_others(answers: Answers, *, invalid: Iterable[str] = ()) -> list[Estimate]:
    """Estimate each entity's accuracy minus the mean of the others, paired by question; 0.01 is one percentage point.

    An average over entities hides a single one that is answered worse; this does not. The mean of the others has next
    to no noise of its own, where a control is one answer to each question. The interval is `AccuracyShift`.

    Parameters
    ----------
    answers
        The trials.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    list of Estimate
        One for each entity, in order.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
    >>> from pytest_llmpref.stats.accuracy_shift import minus_others
    >>> effects = np.r_[-1.0, np.zeros(19)]
    >>> answers = simulate_answers(ReadingDesign(20, 200), np.random.default_rng(1), effects=effects)
    >>> [round(estimate.value, 2) for estimate in minus_others(answers)[:2]]
    [-0.07, -0.02]
    """
    entities, questions = answers.n_entities, int(answers.question.max(initial=-1)) + 1
    cell = answers.entity * questions + answers.question
    right = means_by(cell, answers.correct, entities * questions).reshape(entities, questions)
    known = ~np.isnan(right)
    others = known.sum(axis=0) - known
    total = np.nansum(right, axis=0) - np.nan_to_num(right)
    both = known & (others > 0)
    return [
        _less_the_others(right[row][both[row]], total[row][both[row]], others[row][both[row]], tuple(invalid))
        for row in range(entities)
    ]


def _less_the_others(right: FloatArray, total: FloatArray, others: FloatArray, reasons: tuple[str, ...]) -> Estimate:
    """Return the mean difference over questions with right answers under so many of so many others."""
    n, label = len(right), "difference in accuracy, entity minus mean of the others"
    method = "mean difference by question, score interval (as Miettinen and Nurminen 1985), questions being independent"
    if n < 2:
        reasons += (f"{n} questions were answered both under the entity and under another; at least 2 are needed",)
        return Estimate(math.nan, n, "questions", method, Unknown(), tuple(dict.fromkeys(reasons)), label)
    # Half a right and half a wrong answer more: no question is so easy that nobody ever fails.
    chances = (total + 0.5) / (others + 1)
    value = float((right - total / others).mean())
    return Estimate(value, n, "questions", method, AccuracyShift(value, chances, float(others.mean())), reasons, label)
