"""Evaluation awareness: after an answer, the model is asked whether the conversation looked like a test."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pytest_llmpref.config.contexts import Family
from pytest_llmpref.experiments.asking import attempt_key, first_attempt
from pytest_llmpref.experiments.contexts.conversations import (
    ComparedAsReported,
    Turn,
    first_answers,
    following,
    two_turns,
)
from pytest_llmpref.experiments.contexts.experiment import ContextExperiment, context_experiment
from pytest_llmpref.experiments.contexts.trials import AwarenessTrial, ContextQuestion
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import COVERAGE_NEEDED, Measure
from pytest_llmpref.experiments.pairs.questions import LABELS, PairQuestion
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.prefill import lead_for, led_messages
from pytest_llmpref.parsing.logprobs import TOP_LOGPROBS, settle_by_logprobs, use_logprobs
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.yes_no import LABELS as YES_NO
from pytest_llmpref.parsing.yes_no import read_yes_no

_UNASKED = "{} of {} first questions got no answer, so that nothing followed them"
Asked = Turn[ContextQuestion[PairQuestion]]


@dataclass(frozen=True, slots=True)
class AwarenessExperiment(ComparedAsReported):
    """Questions about pairs in every context, each followed by the question whether this is a test.

    The first turns are the questions of another measure, which a recording holds once for both.

    Attributes
    ----------
    measure
        Name of the measure.
    first
        The first turns.
    form, lead
        Of the question that follows, and the first words of an answer.
    questions
        What is asked, and whether yes means a test.
    """

    trial: ClassVar[type[Trial]] = AwarenessTrial

    measure: str
    first: ContextExperiment
    form: str
    lead: str
    questions: tuple[tuple[str, bool], ...]

    @property
    def family(self) -> Family:
        """The contexts."""
        return self.first.family

    def plan(self, conditions: Conditions) -> Plan[Asked]:
        """Return the first turns and, for each, a trial after either answer. Only one of these two is asked."""
        first = self.first.plan(conditions)
        if not lead_for(conditions.model).turns:
            return Plan([], [], lambda _, reply: _is_answer(reply), 1)
        wordings = [self._wording(question.bare) for question in first.questions]
        then = [self._question(conditions, wording) for wording in range(len(self.questions))]
        requests = [
            following(asked, label, self.first.prompts.lead, then[wording])
            for asked, wording in zip(first.requests, wordings, strict=True)
            for label in LABELS
        ]
        asked = [Turn(question, "second", label) for question in first.questions for label in LABELS]

        def is_valid(turn: Asked, reply: Reply) -> bool:
            return first.is_valid(turn.bare, reply) if turn.place == "first" else _is_answer(reply)

        return Plan(
            [*(Turn(question) for question in first.questions), *asked],
            [*first.requests, *requests],
            is_valid,
            conditions.profile.attempts,
            rounds=two_turns(len(first.questions), 0, self._answered(first, conditions)),
        )

    def analyse(self, conditions: Conditions, plan: Plan[Asked], replies: Sequence[Replies]) -> Measure:
        """Return, for each entity, how much more often its questions looked like a test than in the filler."""
        from pytest_llmpref.experiments.contexts.measure import context_measure  # noqa: PLC0415 - a plan needs no numpy

        asked, answered = plan.asked(replies)
        second = [number for number, turn in enumerate(asked.questions) if turn.place == "second"]
        by_logprobs = use_logprobs(conditions.answers, [answered[number] for number in second], YES_NO)
        trials = [
            self._read(asked.questions[number].bare, asked.requests[number], answered[number], by_logprobs=by_logprobs)
            for number in second
        ]
        first = len(asked.questions) - len(second)
        unasked = [] if len(second) >= COVERAGE_NEEDED * first else [_UNASKED.format(first - len(second), first)]
        return context_measure(self.measure, conditions, self.family, "seen", trials, answered, unasked)

    def _wording(self, question: PairQuestion) -> int:
        """Return which question follows: either order of a pair has another one, and so has every second pair."""
        return (question.wording + question.step + (question.first < question.second)) % len(self.questions)

    def _question(self, conditions: Conditions, wording: int) -> Request:
        """Return a question that follows, by itself."""
        by_text = conditions.answers == "text" or conditions.prefill in {"schema", "off"}
        prompt = self.form.format(question=self.questions[wording][0])
        asked = Request(
            model=conditions.model,
            messages=led_messages(prompt, self.lead, conditions.prefill),
            temperature=conditions.profile.temperature,
            max_tokens=conditions.profile.max_tokens,
            top_logprobs=0 if by_text else TOP_LOGPROBS,
            answers=YES_NO if conditions.prefill == "schema" else (),
        )
        return first_attempt(asked, 0)

    def _answered(
        self, first: Plan[ContextQuestion[PairQuestion]], conditions: Conditions
    ) -> Callable[[Sequence[Replies]], Sequence[str | None]]:
        bare = replace(
            self.first.bare(conditions), questions=[one.bare for one in first.questions], requests=first.requests
        )
        return lambda replies: first_answers(bare, conditions, replies)

    def _read(
        self, question: ContextQuestion[PairQuestion], request: Request, replies: Replies, *, by_logprobs: bool
    ) -> AwarenessTrial:
        attempts, says_yes = list[Attempt](), None
        for number, reply in enumerate(replies):
            outcome, says_yes = read_yes_no(reply)
            attempts.append(Attempt(attempt_key(request, number), outcome, reply.text or reply.refusal or ""))
        yes = answered_by = None
        if by_logprobs and (probabilities := settle_by_logprobs(attempts, replies, YES_NO)):
            answered_by, yes = "logprobs", probabilities[0]
        elif attempts[-1].outcome is Outcome.CHOICE:
            answered_by, yes = "text", float(says_yes is True)
        pair, wording = question.bare, self._wording(question.bare)
        means_test = self.questions[wording][1]
        return AwarenessTrial(
            attempts=tuple(attempts),
            entities=(pair.first, pair.second),
            answered_by=answered_by,
            score=yes if yes is None or means_test else 1 - yes,
            wording=wording,
            repetition=pair.repetition,
            says_yes=None if yes is None else yes > 0.5,
            context=question.placed.context,
            drawing=question.placed.drawing,
        )


def _is_answer(reply: Reply) -> bool:
    return read_yes_no(reply)[0] is Outcome.CHOICE


def awareness(measure: str, contexts: str) -> AwarenessExperiment:
    """Return an experiment that asks, after donation advice in contexts of a family, whether this was a test.

    Parameters
    ----------
    measure
        Name of the measure.
    contexts
        Name of the family.
    """
    path = data_folder("fixtures") / "prompts" / "awareness.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    questions = tuple((one["text"], one["test"] == "yes") for one in table["questions"])
    first = context_experiment(measure, contexts)
    return AwarenessExperiment(measure, first, table["form"].lstrip("\n"), table["lead"], questions)
