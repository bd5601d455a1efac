"""Reading questions asked block by block until a gate's verdict is decided, of the entities that it compares only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmpref.estimates import Estimate, Verdict, ledger
from pytest_llmpref.experiments.arms import NO_ARMS, Arms
from pytest_llmpref.experiments.asking import Plan, Replies, Rounds
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.logprobs import use_logprobs
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.stopping import Ending, stopping_record
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.experiments.yes_no import LABELS
from pytest_llmpref.policy import Bound
from pytest_llmpref.stats.comparisons import IntArray
from pytest_llmpref.stats.group_sequential import RepeatedInterval, chance_of_equivalence, looked_at
from pytest_llmpref.stats.performance import quarters_difference

if TYPE_CHECKING:
    from pytest_llmpref.experiments.boolq import Framed

BLOCKS = 8
"""Parts that the questions are asked in. Our choice."""
FIRST_LOOK = 2
"""Parts before the first look at the answers: a quarter of the questions, before which hardly anything is decided."""
FEWEST_QUESTIONS = 16
"""Questions that are asked in one go, since the parts of fewer would tell nothing. Our choice."""
HOPELESS = 0.01
"""Chance of being supported at the end, at best, below which a claim is given up. Our choice."""
EARLY = "asked only until the gate's verdict was decided, which only the quarters' difference allows for"
"""Why nothing else that is computed from such answers may be claimed."""
OUTER = "asked of the quarters of preference only, which the gate compares"
"""Why nothing else may be claimed where all questions were asked."""


@dataclass(frozen=True)
class ReadingStopping:
    """How reading questions are asked: in blocks, until the claim about the quarters of preference is decided.

    The claim is that accuracy for the most preferred quarter of the entities, less that for the least preferred, is
    within a margin. Questions are put under these entities and the controls. Where preferences are invalid there are
    no quarters, and no claim to decide: then one block is asked under all entities, for the diagnostics.

    Attributes
    ----------
    conditions
        Of the study; its ``bounds`` decide, and its ``arms`` are the quarters.
    plan
        A trial for each question and framing.
    framed
        These, in the order of the plan.
    """

    conditions: Conditions
    plan: Plan
    framed: Sequence["Framed"]
    # What was read of the replies to a trial is kept: a function of these alone, which many rounds ask for again.
    _read: dict[int, tuple[Replies, bool, Trial]] = field(default_factory=dict, repr=False)

    def rounds(self) -> Rounds:
        """Return the rounds: one before each look."""
        return Rounds(int(np.sum(self.look >= 0)), self._choose, 'stopping = "sequential"', at_most=True)

    @property
    def arms(self) -> Arms:
        """The quarters."""
        return self.conditions.arms or NO_ARMS

    @cached_property
    def fractions(self) -> tuple[float, ...]:
        """Which part of the questions has been asked at each look."""
        _, count = np.unique(list(self._look_of.values()), return_counts=True)
        return tuple((np.cumsum(count) / len(self._look_of)).tolist())

    @cached_property
    def look(self) -> IntArray:
        """Before which look each trial of the plan is asked, shape (t,); -1 for never."""
        compared = {*self.arms.top, *self.arms.bottom}
        return np.array(
            [self._look_of[one.item.id] if self._is_asked(one.entity, compared) else -1 for one in self.framed],
            dtype=np.intp,
        )

    def measured(self, measure: Measure, replies: Sequence[Replies]) -> Measure:
        """Return the measure with where the asking ended; what the looks make of the claim follows from that."""
        ended, taken, _ = self._course(replies)
        record = stopping_record(
            ended,
            looks=(taken, len(self.fractions)),
            asked=(sum(bool(attempts) for attempts in replies), len(self.framed)),
            bounds=self.conditions.bounds[measure.name],
            hopeless="the claim could not be supported any more" if not self.arms.reasons else "there are no quarters",
        )
        record |= {
            "fractions": list(self.fractions[:taken]),
            "top": list(self.arms.top),
            "bottom": list(self.arms.bottom),
        }
        early = (EARLY,) if taken < len(self.fractions) else ()
        return replace(
            measure,
            estimates={entity: estimate.marked(early) for entity, estimate in measure.estimates.items()},
            diagnostics=measure.diagnostics | {"stopping": record},
            unranked=(*measure.unranked, *(early or (OUTER,))),
            early=early,
        )

    @cached_property
    def _look_of(self) -> Mapping[str, int]:
        """Question id -> the look before which it is asked."""
        ids = list(dict.fromkeys(one.item.id for one in self.framed))
        if len(ids) < FEWEST_QUESTIONS:
            return dict.fromkeys(ids, 0)
        return {id_: max(0, place * BLOCKS // len(ids) - FIRST_LOOK + 1) for place, id_ in enumerate(ids)}

    def _is_asked(self, entity: str | None, compared: set[str]) -> bool:
        return entity is None or bool(self.arms.reasons) or entity in compared

    def _choose(self, replies: Sequence[Replies]) -> list[int]:
        return self._course(replies)[2]

    def _course(self, replies: Sequence[Replies]) -> tuple[Ending, int, list[int]]:
        """Return how the asking ended, after how many looks, and the trials to ask before the next; none at the end."""
        for taken in range(len(self.fractions)):
            due = np.flatnonzero(self.look == taken).tolist()
            if not all(replies[number] for number in due):
                return "open", taken, due
            ended = self._ended(taken, replies)
            if ended is not None:
                return ended, taken + 1, []
        return "open", len(self.fractions), []

    def _ended(self, taken: int, replies: Sequence[Replies]) -> Ending | None:
        if self.arms.reasons:
            return "hopeless"
        return decided(self._difference(taken, replies), self.fractions, self.conditions.bounds["boolq"])

    def _difference(self, taken: int, replies: Sequence[Replies]) -> Estimate:
        """Return the difference of the quarters at a look, its interval allowing for all looks."""
        seen = np.flatnonzero((self.look >= 0) & (self.look <= taken)).tolist()
        by_logprobs = use_logprobs(self.conditions.answers, [replies[number] for number in seen], LABELS)
        trials = [self._trial(number, replies[number], by_logprobs=by_logprobs) for number in seen]
        ids = tuple(self.conditions.groups)
        from pytest_llmpref.experiments.boolq_measure import answers_of_trials  # noqa: PLC0415 - which imports this

        answers = answers_of_trials([trial for trial in trials if trial.entities], (), ids)
        top, bottom = (np.isin(ids, arm) for arm in (self.arms.top, self.arms.bottom))
        return looked_at(quarters_difference(answers, top, bottom), self.fractions[: taken + 1])

    def _trial(self, number: int, replies: Replies, *, by_logprobs: bool) -> Trial:
        known = self._read.get(number)
        if known is not None and known[0] == replies and known[1] == by_logprobs:
            return known[2]
        from pytest_llmpref.experiments.boolq import read_trial  # noqa: PLC0415 - which imports this

        found = read_trial(self.framed[number], self.plan.requests[number], replies, by_logprobs=by_logprobs)
        self._read[number] = (replies, by_logprobs, found)
        return found


def decided(difference: Estimate, planned: tuple[float, ...], bounds: Sequence[Bound]) -> Ending | None:
    """Return what a look decides of the claims that a difference is within their bounds; ``None`` for nothing yet.

    Parameters
    ----------
    difference
        As of the look, its interval a `RepeatedInterval`.
    planned
        Which part of the information each of all looks has.
    bounds
        What the claims compare it with.
    """
    verdicts = set()
    for bound in bounds:
        with ledger(1, bound.error_rate):
            verdicts.add((abs(difference) < bound.margin).verdict)
    if Verdict.REFUTED in verdicts:
        return "refuted"
    if verdicts == {Verdict.SUPPORTED}:
        return "supported"
    recipe = difference.interval_method
    if not isinstance(recipe, RepeatedInterval) or len(recipe.fractions) == len(planned):
        return None
    lost = (
        chance_of_equivalence(recipe, planned, bound.margin, bound.error_rate) < HOPELESS
        for bound in bounds
        if bound.gate
    )
    return "hopeless" if any(lost) else None
