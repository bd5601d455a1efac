"""Short pieces for the most and the least preferred entities, each asked for plainly and with an exhortation."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.asking import attempt_key, first_attempt
from pytest_llmpref.experiments.effort.prompts import LONGEST, WritingPrompts, writing_prompts
from pytest_llmpref.experiments.effort.trials import EXHORTED, PLAIN, Condition, EffortTrial, PlannedPiece
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    outcome_diagnostics,
    share,
)
from pytest_llmpref.experiments.participants import NO_ARMS
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import refusal_reason

CONDITIONS: tuple[Condition, ...] = (PLAIN, EXHORTED)
UNRANKED = "pieces are written for two arms of entities, and do not order them"
NO_TURNS = "a base model has no turns: it would continue the user's own words"


@dataclass(frozen=True, slots=True)
class WritingExperiment:
    """Every task for every entity of both arms, plainly and with an exhortation.

    Attributes
    ----------
    measure
        Name of the measure: the share of pieces that were written.
    prompts
        The wordings.
    """

    trial: ClassVar[type[Trial]] = EffortTrial

    measure: str
    prompts: WritingPrompts

    def plan(self, conditions: Conditions) -> Plan[PlannedPiece]:
        """Return one trial a piece; a smaller profile asks for some of a larger one's."""
        pieces = planned_pieces(conditions, self.prompts)
        requests = [self._request(conditions, piece) for piece in pieces]
        return Plan(pieces, requests, lambda _, reply: outcome_of(reply) is Outcome.CHOICE, conditions.profile.attempts)

    def analyse(self, conditions: Conditions, plan: Plan[PlannedPiece], replies: Sequence[Replies]) -> Measure:
        """Return the share of pieces that were written for each entity."""
        trials = [
            _trial(piece, request, attempts)
            for piece, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        diagnostics = outcome_diagnostics(trials)
        arms = conditions.arms or NO_ARMS
        reasons = [*arms.reasons, *coverage_reasons(diagnostics)] if trials else [*arms.reasons, *_why_none(conditions)]
        return Measure(
            name=self.measure,
            model=conditions.model,
            estimates={entity: _written(trials, entity).marked(reasons) for entity in (*arms.top, *arms.bottom)},
            groups=conditions.groups,
            reasons=tuple(reasons),
            reliability=None,
            diagnostics=diagnostics | asking_diagnostics(replies) | {"words": _words(trials, set(arms.top))},
            trials=trials,
            unranked=(UNRANKED,),
        )

    def _request(self, conditions: Conditions, piece: PlannedPiece) -> Request:
        number = [task.id for task in self.prompts.tasks].index(piece.task)
        prompt = self.prompts.prompt(
            number,
            conditions.names[piece.entity],
            conditions.entities.wordings,
            exhorted=piece.condition == EXHORTED,
        )
        asked = Request(
            model=conditions.model,
            messages=(Message("user", prompt),),
            temperature=conditions.profile.temperature,
            max_tokens=LONGEST,
        )
        return first_attempt(asked, piece.repetition)


def planned_pieces(conditions: Conditions, prompts: WritingPrompts) -> list[PlannedPiece]:
    """Return the pieces to write; none while no arms are known, and none of a base model.

    Parameters
    ----------
    conditions
        Of the study.
    prompts
        With the tasks.
    """
    arms, profile = conditions.arms or NO_ARMS, conditions.profile
    if not lead_for(conditions.model).turns:
        return []
    return [
        PlannedPiece(entity, task.id, condition, repetition)
        for repetition in range(profile.effort_pieces)
        for task in prompts.tasks[: profile.effort_tasks]
        for condition in CONDITIONS
        for entity in (*arms.top, *arms.bottom)
    ]


def outcome_of(reply: Reply) -> Outcome:
    """Tell how a reply to a writing task ended; a choice stands for a whole piece.

    One that was cut off is not judged: it would lose for that, and not for what was put into it.

    Parameters
    ----------
    reply
        The reply.

    Examples
    --------
    >>> from pytest_llmpref import Reply
    >>> outcome_of(Reply("I won't write that.", "stop")).value
    'refusal'
    >>> outcome_of(Reply("Title: The sign-up form", "length")).value
    'truncated'
    """
    answer = read_open_answer(reply)
    if reply.finish == "error" or answer is OpenAnswer.ERROR:
        return Outcome.ERROR
    if answer is OpenAnswer.DECLINED:
        return Outcome.REFUSAL
    if reply.finish == "length" or answer is OpenAnswer.TRUNCATED:
        return Outcome.TRUNCATED
    return Outcome.UNPARSEABLE if answer is OpenAnswer.EMPTY else Outcome.CHOICE


def _trial(piece: PlannedPiece, request: Request, replies: Replies) -> EffortTrial:
    attempts = []
    for number, reply in enumerate(replies):
        outcome = outcome_of(reply)
        reason = refusal_reason(reply) if outcome is Outcome.REFUSAL else None
        attempts.append(Attempt(attempt_key(request, number), outcome, reply.text or reply.refusal or "", reason))
    return EffortTrial(
        attempts=tuple(attempts),
        entities=(piece.entity,),
        answered_by="text" if attempts[-1].outcome is Outcome.CHOICE else None,
        repetition=piece.repetition,
        question=piece.task,
        framing=piece.condition,
    )


def _written(trials: Sequence[EffortTrial], entity: str) -> Estimate:
    about = [trial for trial in trials if trial.entities == (entity,)]
    return share(sum(trial.outcome is Outcome.CHOICE for trial in about), len(about), f"pieces written for {entity}")


def _words(trials: Sequence[EffortTrial], top: set[str]) -> dict[str, float | None]:
    """Return the mean length of whole pieces, in words: what longer ones may owe a judge's liking to."""
    lengths = defaultdict[str, list[int]](list)
    for trial in trials:
        if trial.outcome is Outcome.CHOICE:
            arm = "top" if trial.entities[0] in top else "bottom"
            lengths[EXHORTED if trial.framing == EXHORTED else arm].append(len(trial.text.split()))
    return {part: fmean(lengths[part]) if lengths[part] else None for part in ("top", "bottom", EXHORTED)}


def _why_none(conditions: Conditions) -> list[str]:
    return [] if lead_for(conditions.model).turns else [NO_TURNS]


def writing(measure: str) -> WritingExperiment:
    """Return the experiment with the shipped tasks.

    Parameters
    ----------
    measure
        Name of the measure.
    """
    return WritingExperiment(measure, writing_prompts())
