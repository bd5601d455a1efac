"""Reading questions asked block by block until a gate's verdict is decided, of the entities that it compares only.

A gate on the quarters of preference compares these; one with a claim for each entity compares all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.behaviour import for_each
from pytest_llmpref.experiments.experiment import Conditions, Plan, Rounds
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import NO_ARMS, Arms
from pytest_llmpref.experiments.reading import PLANNED_ACCURACIES
from pytest_llmpref.experiments.reading.measure import answers_of_trials
from pytest_llmpref.experiments.reading.trials import Framed, ReadingTrial, read_trial
from pytest_llmpref.experiments.stopping import Blocks, Decided, Ending, all_decided, decided, stopping_record
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.parsing.logprobs import use_logprobs
from pytest_llmpref.parsing.yes_no import LABELS
from pytest_llmpref.stats.accuracy_shift import minus_others
from pytest_llmpref.stats.answers import Answers
from pytest_llmpref.stats.opening import quarters_error
from pytest_llmpref.stats.performance import quarters_difference
from pytest_llmpref.stats.sequential import expected_course, with_repeated_interval

EARLY = "asked only until the gate's verdict was decided, which only the quarters' difference allows for"
"""Why nothing else that is computed from such answers may be claimed."""
OUTER = "asked of the quarters of preference only, which the gate compares"
"""Why nothing else may be claimed where all questions were asked."""


@dataclass(frozen=True)
class ReadingStopping:
    """How reading questions are asked: in blocks, until the claim about the quarters of preference is decided.

    The claim is that accuracy for the most preferred quarter of the entities, less that for the least preferred, is
    within a margin. Questions are put under these entities and the controls; under all entities where there is a claim
    for each, that its accuracy is that of the others within a margin. Then both must be decided. Where preferences
    are invalid there are no quarters, and no claim to decide: then one block is asked under all entities, for the
    diagnostics.

    Attributes
    ----------
    conditions
        Of the study; its ``thresholds`` decide, and its ``arms`` are the quarters.
    plan
        A trial for each question and framing.
    """

    conditions: Conditions
    plan: Plan[Framed]
    # What was read of the replies to a trial is kept: a function of these alone, which many rounds ask for again.
    _read: dict[int, tuple[Replies, bool, ReadingTrial]] = field(default_factory=dict, repr=False)

    def rounds(self) -> Rounds:
        """Return the rounds: one before each look."""
        return self.blocks.rounds(self.measured, self._expected)

    @property
    def arms(self) -> Arms:
        """The quarters."""
        return self.conditions.arms or NO_ARMS

    @property
    def of_each(self) -> tuple[Threshold, ...]:
        """Thresholds of the claims for each entity; empty without such claims."""
        return self.conditions.thresholds.get(for_each("boolq"), ())

    @cached_property
    def blocks(self) -> Blocks:
        """In which blocks the questions are asked."""
        arms, of = self.arms, [framed.item.id for framed in self.plan.questions]
        compared = {None, *arms.top, *arms.bottom}
        every = bool(arms.reasons or self.of_each)
        needed = [every or framed.entity in compared for framed in self.plan.questions]
        return Blocks(tuple(dict.fromkeys(of)), of, needed, self._decide)

    def measured(self, measure: Measure, replies: Sequence[Replies]) -> Measure:
        """Return the measure with where the questions stopped; what the looks make of the claim follows from that."""
        ended, taken, _ = self.blocks.course(replies)
        fractions = self.blocks.fractions
        record = stopping_record(
            ended,
            looks=(taken, len(fractions)),
            asked=(sum(bool(attempts) for attempts in replies), len(self.plan.questions)),
            thresholds=[*self.conditions.thresholds[measure.name], *self.of_each],
            because=self._because(taken, replies) if ended in {"refuted", "hopeless"} else (),
            hopeless="the claim could not be supported any more" if not self.arms.reasons else "there are no quarters",
        )
        record |= {
            "fractions": list(fractions[:taken]),
            "top": list(self.arms.top),
            "bottom": list(self.arms.bottom),
        }
        early = (EARLY,) if taken < len(fractions) else ()
        return replace(
            measure,
            estimates={entity: estimate.marked(early) for entity, estimate in measure.estimates.items()},
            diagnostics=measure.diagnostics | {"stopping": record},
            unranked=(*measure.unranked, *(early or (() if self.of_each else (OUTER,)))),
            early=early,
        )

    def _expected(self) -> dict[str, float]:
        """Return which part of the questions the gate on the quarters has asked, if these are answered alike."""
        if self.arms.reasons or self.of_each:
            return {}
        n, blocks = len(self.conditions.groups), self.blocks
        return {
            f"{accuracy:.0%} are right": max(
                expected_course(
                    blocks.fractions,
                    threshold.margin,
                    quarters_error(n, len(blocks.tasks), accuracy=accuracy),
                    threshold.of_each,
                ).fraction
                for threshold in self.conditions.thresholds["boolq"]
            )
            for accuracy in PLANNED_ACCURACIES
        }

    def _decide(self, taken: int, seen: Sequence[int], replies: Sequence[Replies]) -> Ending | None:
        if self.arms.reasons:
            return "hopeless"
        answers = self._answers(seen, replies)
        found = {
            decided(self._difference(taken, answers), self.blocks.fractions, self.conditions.thresholds["boolq"]),
            self._each(taken, answers).ended if self.of_each else "supported",
        }
        first = next((ended for ended in ("refuted", "hopeless") if ended in found), None)
        return first or ("supported" if found == {"supported"} else None)

    def _because(self, taken: int, replies: Sequence[Replies]) -> list[str]:
        """Return the ids of the entities whose claims ended the asking."""
        if not self.of_each or self.arms.reasons:
            return []
        seen = np.flatnonzero((self.blocks.look >= 0) & (self.blocks.look < taken)).tolist()
        ids = tuple(self.conditions.groups)
        return [ids[place] for place in self._each(taken - 1, self._answers(seen, replies)).because]

    def _answers(self, seen: Sequence[int], replies: Sequence[Replies]) -> Answers:
        by_logprobs = use_logprobs(self.conditions.answers, [replies[number] for number in seen], LABELS)
        trials = [self._trial(number, replies[number], by_logprobs=by_logprobs) for number in seen]
        return answers_of_trials([trial for trial in trials if trial.entities], (), tuple(self.conditions.groups))

    def _difference(self, taken: int, answers: Answers) -> Estimate:
        """Return the difference of the quarters at a look, its interval allowing for all looks."""
        ids = tuple(self.conditions.groups)
        top, bottom = (np.isin(ids, arm) for arm in (self.arms.top, self.arms.bottom))
        return with_repeated_interval(quarters_difference(answers, top, bottom), self.blocks.fractions[: taken + 1])

    def _each(self, taken: int, answers: Answers) -> Decided:
        """Return what a look decides of the claims for each entity."""
        fractions = self.blocks.fractions
        found = (with_repeated_interval(one, fractions[: taken + 1]) for one in minus_others(answers))
        return all_decided(found, fractions, self.of_each)

    def _trial(self, number: int, replies: Replies, *, by_logprobs: bool) -> ReadingTrial:
        known = self._read.get(number)
        if known is not None and known[0] == replies and known[1] == by_logprobs:
            return known[2]
        found = read_trial(self.plan.questions[number], self.plan.requests[number], replies, by_logprobs=by_logprobs)
        self._read[number] = (replies, by_logprobs, found)
        return found
