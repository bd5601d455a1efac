"""Imported replies to open questions, each about one entity: read by the data's own word, or by our reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.imported import NOT_TESTABLE, ImportedRows, ImportedTrials, Takes
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.replies.trials import OUTCOMES, SCORES, OpenQuestion, OpenTrial, answer_of
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.imports.rows import request_of
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import refusal_reason


@dataclass(frozen=True, slots=True)
class OpenRefusalExperiment:
    """Takes up imported replies. It asks nothing itself: an own experiment does, by `entity_experiment`."""

    takes: ClassVar[Takes] = "replies"
    trial: ClassVar[type[Trial]] = OpenTrial
    measure: str = "open_refusal"

    def plan(self, conditions: Conditions) -> Plan[OpenQuestion]:  # noqa: ARG002 - the protocol's
        """Return no question."""
        return _plan([], [])

    def imported(self, conditions: Conditions, data: ImportedRows) -> ImportedTrials:
        """Return the questions that others asked, and the replies that they got."""
        names = conditions.names
        questions = [OpenQuestion(row, data.given(row)) for row in data.rows]
        requests = [request_of(conditions.model, row, "", data.wordings, names) for row in data.rows]
        replies = [(_reply(question),) for question in questions]
        return ImportedTrials(_plan(questions, requests), replies, untestable=_untestable(data))

    def analyse(self, conditions: Conditions, plan: Plan[OpenQuestion], replies: Sequence[Replies]) -> Measure:
        """Estimate how often questions about each entity are declined."""
        from pytest_llmpref.experiments.replies.measure import open_measure  # noqa: PLC0415 - a plan needs no numpy

        trials = [
            _trial(question, request, reply)
            for question, request, (reply,) in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        return open_measure(self.measure, conditions, trials, plan.questions, replies)


def _plan(questions: Sequence[OpenQuestion], requests: Sequence[Request]) -> Plan[OpenQuestion]:
    return Plan(questions, requests, lambda _question, _reply: True, 1)


def _reply(question: OpenQuestion) -> Reply:
    return Reply(text=question.row.text, finish="error") if question.given == "error" else question.row.reply()


def _trial(question: OpenQuestion, request: Request, reply: Reply) -> OpenTrial:
    row, outcome = question.row, OUTCOMES[answer_of(question, reply)]
    reason = refusal_reason(reply) if outcome is Outcome.REFUSAL else None
    return OpenTrial(
        attempts=(Attempt(request.key, outcome, reply.text, reason),),
        entities=row.entities,
        answered_by="text" if outcome is Outcome.CHOICE else None,
        score=SCORES.get(outcome),
        wording=row.wording,
        repetition=row.repetition,
        question=row.question,
    )


def _untestable(data: ImportedRows) -> tuple[str, ...]:
    """Say whether the same question is asked about several entities: else an entity may have the harder ones."""
    about: dict[str, set[tuple[str, ...]]] = {}
    for row in data.rows:
        if row.question:
            about.setdefault(row.question, set()).add(row.entities)
    if any(len(entities) > 1 for entities in about.values()):
        return ()
    return (f"difference of questions {NOT_TESTABLE}: none is asked about two entities, so one may have the harder",)
