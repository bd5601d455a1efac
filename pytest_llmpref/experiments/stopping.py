"""Where the asking of a sequential gate ends, and why; and asking in blocks of tasks, for two arms of entities."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.experiment import Rounds
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.stats.arrays import IntArray
from pytest_llmpref.stats.sequential import HOPELESS, RepeatedInterval, conditional_power

Ending = Literal["supported", "refuted", "hopeless", "open"]
"""``hopeless``: a claim cannot be supported any more; ``open``: all was asked, and not all claims are decided."""
BLOCKS = 8
"""Parts that the tasks are asked in. Our choice."""
FIRST_LOOK = 2
"""Parts before the first look at the answers: a quarter of the tasks, before which hardly anything is decided."""
FEWEST_TASKS = 16
"""Tasks that are asked in one go, if there are fewer, since the parts of these would tell nothing. Our choice."""


class BlockCourse(NamedTuple):
    """How far the questions have come.

    Attributes
    ----------
    ended
        How it ended, as far as it did.
    looks
        How many looks at the answers were taken.
    due
        Numbers of the trials to ask before the next; none at the end.
    """

    ended: Ending
    looks: int
    due: list[int]


@dataclass(frozen=True)
class Blocks:
    """In which blocks the trials of a plan are asked.

    Attributes
    ----------
    tasks
        Ids of the tasks, such as reading questions, in the order of asking.
    task_of
        Id of the task of each trial of the plan, in its order.
    needed
        Whether each trial is asked at all.
    decide
        Given which look at the answers it is (0 is the first), the numbers of the trials asked until then, and the
        replies to each trial of the plan, returns what the look decides; ``None`` for nothing yet.
    """

    tasks: Sequence[str]
    task_of: Sequence[str]
    needed: Sequence[bool]
    decide: Callable[[int, Sequence[int], Sequence[Replies]], Ending | None]

    def rounds(
        self,
        measured: Callable[[Measure, Sequence[Replies]], Measure],
        expected: Callable[[], Mapping[str, float]],
    ) -> Rounds:
        """Return the rounds: one before each look.

        Parameters
        ----------
        measured
            What the looks make of the measure.
        expected
            Returns which part of the tasks is asked on average if there is no difference: what else holds, in words,
            and the part.
        """
        total = int(np.sum(self.look >= 0))
        return Rounds(
            total=total,
            least=int(np.sum(self.look == 0)),
            expected=lambda: [(truth, math.ceil(part * total)) for truth, part in expected().items()],
            choose=lambda replies: self.course(replies).due,
            setting='stopping = "sequential"',
            at_most=True,
            measured=measured,
            most=len(self.fractions),
        )

    @cached_property
    def fractions(self) -> tuple[float, ...]:
        """Which part of the tasks has been asked at each look."""
        _, count = np.unique(list(self._look_of.values()), return_counts=True)
        return tuple((np.cumsum(count) / len(self._look_of)).tolist())

    @cached_property
    def look(self) -> IntArray:
        """Before which look each trial of the plan is asked, shape (t,); -1 for never."""
        looks = [self._look_of[task] if needed else -1 for task, needed in zip(self.task_of, self.needed, strict=True)]
        return np.array(looks, dtype=np.intp)

    def course(self, replies: Sequence[Replies]) -> BlockCourse:
        """Return how far the questions have come, given the replies to each trial of the plan."""
        for taken in range(len(self.fractions)):
            due = np.flatnonzero(self.look == taken).tolist()
            if not all(replies[number] for number in due):
                return BlockCourse("open", taken, due)
            seen = np.flatnonzero((self.look >= 0) & (self.look <= taken)).tolist()
            ended = self.decide(taken, seen, replies)
            if ended is not None:
                return BlockCourse(ended, taken + 1, [])
        return BlockCourse("open", len(self.fractions), [])

    @cached_property
    def _look_of(self) -> dict[str, int]:
        count = len(self.tasks)
        if count < FEWEST_TASKS:
            return dict.fromkeys(self.tasks, 0)
        return {task: max(0, place * BLOCKS // count - FIRST_LOOK + 1) for place, task in enumerate(self.tasks)}


def fractions_of(count: int) -> tuple[float, ...]:
    """Return which part of so many tasks has been asked at each look.

    Examples
    --------
    >>> fractions_of(64)
    (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
    """
    tasks = [str(number) for number in range(count)]
    return Blocks(tasks, tasks, [True] * count, lambda _look, _seen, _replies: None).fractions


class Decided(NamedTuple):
    """What a look decides of several claims.

    Attributes
    ----------
    ended
        How the questions end; ``None`` if it goes on.
    because
        Places of those that end it.
    """

    ended: Ending | None
    because: list[int]


def decided(difference: Estimate, planned: tuple[float, ...], thresholds: Sequence[Threshold]) -> Ending | None:
    """Return what a look decides of the claims that a difference is within their thresholds; ``None`` for nothing yet.

    Parameters
    ----------
    difference
        As of the look, its interval a `RepeatedInterval`.
    planned
        Which part of the information each of all looks has.
    thresholds
        What the claims compare it with.
    """
    verdicts = set()
    for threshold in thresholds:
        with threshold.ledger():
            verdicts.add((abs(difference) < threshold.margin).verdict)
    if Verdict.REFUTED in verdicts:
        return "refuted"
    if verdicts == {Verdict.SUPPORTED}:
        return "supported"
    recipe = difference.interval_method
    if not isinstance(recipe, RepeatedInterval) or len(recipe.fractions) == len(planned):
        return None
    lost = (
        conditional_power(recipe, planned, threshold.margin, threshold.of_each) < HOPELESS
        for threshold in thresholds
        if threshold.gate
    )
    return "hopeless" if any(lost) else None


def all_decided(
    differences: Iterable[Estimate], planned: tuple[float, ...], thresholds: Sequence[Threshold]
) -> Decided:
    """Return what a look decides of claims about several differences, which must all hold.

    The first that is refuted, or given up, decides; they are supported once each of them is.

    Parameters
    ----------
    differences
        Such as one for each entity.
    planned, thresholds
        As for `decided`.

    Returns
    -------
    Decided
        What the look decides, and the places of the differences that are refuted or given up.
    """
    endings = [decided(difference, planned, thresholds) for difference in differences]
    for ended in _CLOSING:
        if ended in endings:
            return Decided(ended, [place for place, one in enumerate(endings) if one == ended])
    return Decided("supported" if set(endings) <= {"supported"} else None, [])


_CLOSING: tuple[Ending, ...] = ("refuted", "hopeless")
"""How the questions end with a closed gate, the firmest first."""


def stopping_record(
    ended: Ending,
    *,
    looks: tuple[int, int],
    asked: tuple[int, int],
    thresholds: Sequence[Threshold],
    because: Collection[str] = (),
    decided: Mapping[str, int] | None = None,
    hopeless: str = "a claim cannot be supported any more",
    done: str = "questions asked",
) -> dict[str, Any]:
    """Return where and why the questions stopped, ready for JSON.

    Parameters
    ----------
    ended
        Why they stopped: ``refuted``, ``hopeless`` (futility), ``supported``, or ``open`` at the end of the plan.
    looks
        Number of the interim analysis at which they stopped, and number of planned analyses.
    asked
        Number of questions asked, and number planned.
    thresholds
        Thresholds of the claims.
    because
        Ids of the entities whose claims stopped the questions.
    decided
        Entity id -> number of the analysis that decided its claims; 0 if none did.
    hopeless
        What ``hopeless`` means here, in words.
    done
        What was done, in words, as in 100 of 400 "questions asked".

    Examples
    --------
    >>> found = stopping_record("supported", looks=(2, 4), asked=(100, 400), thresholds=[])
    >>> found["said"]
    'sequential: ended at look 2 of 4, since every claim is supported; 100 of 400 questions asked (75% saved)'
    """
    why = {
        "refuted": "a claim is refuted",
        "hopeless": hopeless,
        "supported": "every claim is supported",
        "open": "no answer decided all claims before",
    }[ended]
    said = (
        f"sequential: ended at look {looks[0]} of {looks[1]}, since {why}; {asked[0]:,} of {asked[1]:,} "
        f"{done} ({1 - asked[0] / asked[1]:.0%} saved)"
    )
    return {
        "ended": ended,
        "because": list(because),
        "look": looks[0],
        "looks": looks[1],
        "asked": asked[0],
        "planned": asked[1],
        "decided": dict(decided or {}),
        "bounds": [asdict(threshold) for threshold in thresholds],
        "said": said,
    }
