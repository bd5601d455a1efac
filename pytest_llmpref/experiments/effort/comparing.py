"""A judge compares pieces for one task, blind, in both orders: those of the two arms, and exhorted with plain ones.

The judge is told the task and sees two texts in which no entity is named. Each question is one trial, which the judge
answers: recorded, replayed and counted like any.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pytest_llmpref.experiments.effort.prompts import LONGEST, WritingPrompts, writing_prompts
from pytest_llmpref.experiments.effort.trials import (
    EXHORTED,
    PLAIN,
    EffortTrial,
    PlannedJudgment,
    PlannedPiece,
    Shown,
)
from pytest_llmpref.experiments.effort.writing import planned_pieces
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.judging import CHARACTERS, TOKENS
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import NO_ARMS
from pytest_llmpref.experiments.trials import Replies, Trial, trials_as
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.thinking import without_thinking

OPTIONS = {"A": "text A", "B": "text B"}
NO_JUDGE = "no judge compares the pieces: name one by --llmpref-judge"


@dataclass(frozen=True, slots=True)
class ComparingExperiment:
    """Every piece for an entity of one arm against every one of the other's for the same task, and the control.

    Attributes
    ----------
    measure
        Name of the measure: for each entity, the share of judgments that its pieces win.
    prompts
        The wordings.
    """

    trial: ClassVar[type[Trial]] = EffortTrial

    measure: str
    prompts: WritingPrompts

    def plan(self, conditions: Conditions) -> Plan[PlannedJudgment]:
        """Return one trial a judgment: each two pieces in both orders; none without a judge."""
        texts = self._texts(conditions) if conditions.judge else {}
        asked = list(_judgments(texts, conditions))
        requests = [self._request(conditions.judge, one, texts) for one in asked]
        return Plan(asked, requests, lambda _one, _reply: True, attempts=1, of_judge=True)

    def analyse(self, conditions: Conditions, plan: Plan[PlannedJudgment], replies: Sequence[Replies]) -> Measure:
        """Return the share of judgments that each entity's pieces win."""
        from pytest_llmpref.experiments.effort.measure import effort_measure  # noqa: PLC0415 - a plan needs no numpy

        trials = [
            _trial(one, request, attempts[-1])
            for one, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        reasons = [] if conditions.judge else [NO_JUDGE]
        return effort_measure(self.measure, conditions, trials, replies, reasons)

    def _texts(self, conditions: Conditions) -> Mapping[PlannedPiece, str]:
        """Return the whole pieces, in which no entity is named; as long ones for a plan that only counts."""
        if conditions.basis is None:
            return dict.fromkeys(planned_pieces(conditions, self.prompts), "." * (CHARACTERS * LONGEST))
        names = conditions.names.values()
        return {
            trial.planned: self.prompts.blind(without_thinking(trial.text).strip(), names)
            for trial in trials_as(EffortTrial, conditions.basis.trials)
            if trial.outcome is Outcome.CHOICE
        }

    def _request(self, judge: str, one: PlannedJudgment, texts: Mapping[PlannedPiece, str]) -> Request:
        prompt = self.prompts.question(one.first.task, texts[one.first], texts[one.second])
        answers = tuple(OPTIONS) if lead_for(judge).prefill == "schema" else ()
        return Request(judge, (Message("user", prompt),), temperature=0.0, max_tokens=TOKENS, answers=answers)


def _judgments(texts: Mapping[PlannedPiece, str], conditions: Conditions) -> Iterator[PlannedJudgment]:
    """Yield what is compared, each two pieces in both orders."""
    arms = conditions.arms or NO_ARMS

    def both(one: PlannedPiece, other: PlannedPiece, shown: tuple[Shown, Shown]) -> Iterator[PlannedJudgment]:
        if other in texts:
            yield PlannedJudgment(one, other, shown[0])
            yield PlannedJudgment(other, one, shown[1])

    for one in texts:
        if one.condition == EXHORTED:
            plain = PlannedPiece(one.entity, one.task, PLAIN, one.repetition)
            yield from both(one, plain, ("exhorted first", "plain first"))
        elif one.entity in arms.top:
            for entity in arms.bottom:
                other = PlannedPiece(entity, one.task, PLAIN, one.repetition)
                yield from both(one, other, ("top first", "bottom first"))


def _trial(one: PlannedJudgment, request: Request, reply: Reply) -> EffortTrial:
    outcome, label = read_choice(reply, OPTIONS)
    return EffortTrial(
        attempts=(Attempt(request.key, outcome, reply.text or reply.refusal or ""),),
        entities=one.entities,
        answered_by="text" if outcome is Outcome.CHOICE else None,
        score=None if label is None else float(label == "A"),
        repetition=one.first.repetition,
        question=one.first.task,
        framing=one.shown,
    )


def comparing(measure: str) -> ComparingExperiment:
    """Return the experiment with the shipped wording.

    Parameters
    ----------
    measure
        Name of the measure.
    """
    return ComparingExperiment(measure, writing_prompts())
