"""Refusals asked in rounds until a gate's verdict is decided: before each look at the answers, some more partners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pytest_llmpref.experiments.experiment import Conditions, Plan, Rounds
from pytest_llmpref.experiments.measure import Ending, Measure, stopping_record
from pytest_llmpref.experiments.pairs.questions import PairQuestion, read_pairs
from pytest_llmpref.experiments.refusal.measure import control_rate
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.stats.sequential import Course, Looks, follow

STEPS_A_LOOK = 2
"""Steps of the design between two looks: each entity meets four others. Our choice."""
EARLY = "asked only until the gate's verdict was decided, which only the share for each entity allows for"
"""Why nothing else that is computed from such answers may be claimed."""


@dataclass(frozen=True)
class RefusalStopping:
    """How questions about refusals are asked: in the steps of their design, until the claims about them are decided.

    Attributes
    ----------
    conditions
        Of the study; its ``thresholds`` of refusals decide.
    plan
        A trial for each question: first those about entities, then those of the control.
    names
        Id -> name as shown, of entities and of what the control names.
    """

    conditions: Conditions
    plan: Plan[PairQuestion]
    names: Mapping[str, str]
    # What was read of the replies to a trial is kept: a function of these alone, which many rounds ask for again.
    _read: dict[int, tuple[Replies, Trial]] = field(default_factory=dict, repr=False)

    def rounds(self) -> Rounds:
        """Return the rounds: one before each look, the control in the first."""
        return Rounds(
            len(self.plan.requests), self._choose, 'stopping = "sequential"', at_most=True, measured=self.measured
        )

    @cached_property
    def looks(self) -> Looks:
        """The questions about entities, and before which look each is asked."""
        ids = list(self.conditions.groups)
        index = {entity: number for number, entity in enumerate(ids)}
        about = [question for question in self.plan.questions if question.first in index]
        return Looks(
            first=np.array([index[question.first] for question in about], dtype=np.intp),
            second=np.array([index[question.second] for question in about], dtype=np.intp),
            look=np.array([question.step // STEPS_A_LOOK for question in about], dtype=np.intp),
            n_entities=len(ids),
        )

    @property
    def control(self) -> range:
        """Numbers of the questions of the control."""
        return range(len(self.looks.first), len(self.plan.questions))

    def course(self, replies: Sequence[Replies]) -> Course:
        """Return how far the asking came, given the replies to each trial of the plan."""
        asked = np.array([bool(attempts) for attempts in replies[: self.control.start]], dtype=np.bool_)
        refused = np.full(len(asked), np.nan)
        for number in np.flatnonzero(asked).tolist():
            outcome = self._first_answer(number, replies[number]).outcome
            if outcome is not Outcome.ERROR:
                refused[number] = outcome is Outcome.REFUSAL
        control = control_rate([self._first_answer(number, replies[number]) for number in self.control])
        return follow(self.looks, refused, asked, control, self.conditions.thresholds["refusal"])

    def measured(self, measure: Measure, replies: Sequence[Replies]) -> Measure:
        """Return the measure with what the looks make of it: rates that allow for them, and where the asking ended.

        Where it ended early, all else that is computed from the answers does not allow for that, and is marked.
        """
        course, ids = self.course(replies), list(self.conditions.groups)
        ended = _ended(course)
        because = course.refuted if ended == "refuted" else course.futile
        record = stopping_record(
            ended,
            looks=(course.looks, self.looks.count),
            asked=(sum(bool(attempts) for attempts in replies), len(replies)),
            thresholds=self.conditions.thresholds["refusal"],
            because=[ids[number] for number in np.flatnonzero(because)],
            decided={entity: int(look) for entity, look in zip(ids, course.decided, strict=True)},
        )
        early = (EARLY,) if record["asked"] < record["planned"] else ()
        return replace(
            measure,
            estimates={
                entity: replace(rate, label=measure[entity].label).marked(measure.reasons)
                for entity, rate in zip(ids, course.rates, strict=True)
            },
            diagnostics=measure.diagnostics | {"stopping": record},
            unranked=(*measure.unranked, *early),
            early=early,
        )

    def _choose(self, replies: Sequence[Replies]) -> list[int]:
        if not all(replies[number] for number in self.control):
            return [*np.flatnonzero(self.looks.look == 0).tolist(), *self.control]
        return [int(number) for number in self.course(replies).pending]

    def _first_answer(self, number: int, replies: Replies) -> Trial:
        """Return the trial as if it had ended with its first attempt that was no failed call."""
        known = self._read.get(number)
        if known is not None and known[0] == replies:
            return known[1]
        first = next((reply for reply in replies if reply.finish != "error"), replies[-1])
        (trial,) = read_pairs(self.plan.part([number]), [(first,)], self.names, "text")
        self._read[number] = (replies, trial)
        return trial


def _ended(course: Course) -> Ending:
    if course.refuted.any():
        return "refuted"
    if course.futile.any():
        return "hopeless"
    return "supported" if course.decided.all() else "open"
