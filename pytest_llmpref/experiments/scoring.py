"""Texts about one entity, scored: the experiments that thirty lines of a user's own make."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.asking import attempt_key, first_attempt
from pytest_llmpref.experiments.experiment import Conditions, Plan, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
    reliability_reasons,
)
from pytest_llmpref.experiments.trials import PromptError, Replies, Trial, check_slots
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import refusal_reason
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.reliability import means, split_half


def scored_measure(
    name: str,
    conditions: Conditions,
    estimates: Mapping[str, Estimate],
    scores: FloatArray,
    reasons: Sequence[str] = (),
    *,
    halved: str,
    diagnostics: Mapping[str, Any],
    trials: Sequence[Trial],
) -> Measure:
    """Return a measure of scores; invalid where too few trials are valid, or halves of them order entities otherwise.

    Parameters
    ----------
    name, conditions, estimates, trials
        As in `experiments.experiment.measure_under`.
    scores
        Shape (samples, entities), NaN if there is no score.
    reasons
        Why the measurement is invalid beside that.
    halved
        What a sample is, in words: halves of these give the reliability.
    diagnostics
        As in `Measure`; the reliability is added.
    """
    reliability = split_half(scores, seed=conditions.seed, unit=halved)
    return measure_under(
        name,
        conditions,
        estimates,
        [*coverage_reasons(diagnostics), *reasons, *reliability_reasons(reliability)],
        reliability=reliability,
        diagnostics={**diagnostics, "reliability": None if reliability is None else interval_record(reliability)},
        trials=trials,
    )


Score = Callable[[str], float | None]
"""What a reply's text is worth; ``None`` if it is no answer."""
Read = Callable[[Reply], OpenAnswer]
"""Tells whether a reply answers."""


class ScoreError(ExtensionError):
    """What a user's function makes of a reply cannot be used; the message names the measure and the reply."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about an entity: its id, the index of the wording, and how often that was asked before."""

    entity: str
    wording: int
    repetition: int


@dataclass(frozen=True, slots=True)
class EntityExperiment:
    """Questions about one entity at a time, as many for each as in a pair experiment under the same profile.

    Attributes
    ----------
    measure
        Name of the measure: mean score of the replies about each entity.
    questions
        The wordings, with the slot ``{entity}``; they rotate.
    score
        Function that scores a reply's text. A reply without a score is asked for again; the last one then counts as a
        refusal, truncated or unparseable.
    unit
        What scores are in, for reports.
    max_tokens
        Maximum number of tokens of a reply.
    read
        Function that tells whether a reply answers. A reply that declines is a refusal and is not scored.
    """

    measure: str
    questions: tuple[str, ...]
    score: Score
    unit: str
    max_tokens: int
    read: Read = read_open_answer

    def plan(self, conditions: Conditions) -> Plan[Sample]:
        """Return one trial for each entity and sample; a smaller profile asks the first samples of a larger one."""
        names = conditions.names

        def request(sample: Sample) -> Request:
            asked = Request(
                model=conditions.model,
                messages=(Message("user", self.questions[sample.wording].format(entity=names[sample.entity])),),
                temperature=conditions.profile.temperature,
                max_tokens=self.max_tokens,
            )
            return first_attempt(asked, sample.repetition)

        def is_valid(_: Sample, reply: Reply) -> bool:
            return self._scored(reply) is not None

        samples = self._samples(conditions)
        requests = [request(sample) for sample in samples]
        return Plan(samples, requests, is_valid, conditions.profile.attempts, refuses=self._declines)

    def analyse(self, conditions: Conditions, plan: Plan[Sample], replies: Sequence[Replies]) -> Measure:
        """Average the scores of each entity, check the measurement, and return the measure."""
        trials = [
            self._trial(sample, request, attempts)
            for sample, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        found = np.array([np.nan if trial.score is None else trial.score for trial in trials], dtype=np.float64)
        # The plan goes through all entities, sample by sample.
        scores, ids = found.reshape(-1, len(conditions.groups)), list(conditions.groups)
        method = f"mean {self.unit}, t interval over trials"
        return scored_measure(
            self.measure,
            conditions,
            means(scores, ids, unit="trials", method=method, label=self.measure),
            scores,
            halved="samples",
            diagnostics=outcome_diagnostics(trials)
            | asking_diagnostics(replies)
            | {"unit": self.unit, **self._answers(plan.questions, replies)},
            trials=trials,
        )

    def _samples(self, conditions: Conditions) -> list[Sample]:
        others = len(conditions.groups) - 1
        count = min(conditions.profile.partners or others, others) * conditions.profile.repetitions
        turns = [divmod(number, len(self.questions)) for number in range(count)]
        return [Sample(entity, wording, repetition) for repetition, wording in turns for entity in conditions.groups]

    def _read(self, reply: Reply) -> OpenAnswer:
        found: str = self.read(reply)
        try:
            return OpenAnswer(found)
        except ValueError:
            raise ScoreError(
                f"{self.measure}: read returned {found!r} for the reply {reply.text[:80]!r}; "
                f"return an OpenAnswer: {', '.join(OpenAnswer)}"
            ) from None

    def _declines(self, reply: Reply) -> bool:
        return self._read(reply) is OpenAnswer.DECLINED

    def _scored(self, reply: Reply) -> float | None:
        """Return the score; ``None`` for a failed call, a reply that declines, and what is no finite number."""
        if reply.finish == "error" or self._declines(reply):
            return None
        score: object
        try:
            score = self.score(reply.text)
        except Exception as error:
            said = f"raised {type(error).__name__}: {error}"
            raise ScoreError(f"{self.measure}: score {said} for the reply {reply.text[:80]!r}") from error
        if score is None:
            return None
        # The numbers of numpy are numbers too; text is not, even where float would read it.
        if not isinstance(score, SupportsFloat):
            raise ScoreError(
                f"{self.measure}: score returned {score!r} for the reply {reply.text[:80]!r}; "
                "return a number, or None where the reply is no answer"
            )
        return float(score) if math.isfinite(score) else None

    def _outcome(self, reply: Reply) -> Outcome:
        if self._scored(reply) is not None:
            return Outcome.CHOICE
        answer = self._read(reply)
        if reply.finish == "error" or answer is OpenAnswer.ERROR:
            return Outcome.ERROR
        if answer is OpenAnswer.DECLINED:
            return Outcome.REFUSAL
        cut = reply.finish == "length" or answer is OpenAnswer.TRUNCATED
        return Outcome.TRUNCATED if cut else Outcome.UNPARSEABLE

    def _answers(self, samples: Sequence[Sample], replies: Sequence[Replies]) -> dict[str, Any]:
        """Count how the last replies answer, in all and for each entity."""
        counts = {sample.entity: dict.fromkeys(OpenAnswer, 0) for sample in samples}
        for sample, attempts in zip(samples, replies, strict=True):
            counts[sample.entity][self._read(attempts[-1])] += 1
        total = {answer.value: sum(each[answer] for each in counts.values()) for answer in OpenAnswer}
        by_entity = {id_: {answer.value: each[answer] for answer in OpenAnswer} for id_, each in counts.items()}
        return {"answers": total, "answers_by_entity": by_entity}

    def _trial(self, sample: Sample, request: Request, replies: Replies) -> Trial:
        attempts = []
        for number, reply in enumerate(replies):
            outcome = self._outcome(reply)
            reason = refusal_reason(reply) if outcome is Outcome.REFUSAL else None
            attempts.append(Attempt(attempt_key(request, number), outcome, reply.text or reply.refusal or "", reason))
        score = self._scored(replies[-1])
        return Trial(
            attempts=tuple(attempts),
            entities=(sample.entity,),
            answered_by=None if score is None else "text",
            score=score,
            wording=sample.wording,
            repetition=sample.repetition,
        )


def entity_experiment(
    measure: str,
    questions: Sequence[str],
    score: Score,
    *,
    unit: str = "score",
    max_tokens: int = 256,
    read: Read = read_open_answer,
) -> EntityExperiment:
    """Return an experiment of your own that asks about one entity at a time and scores the replies.

    Parameters
    ----------
    measure
        Name of the measure, and of the fixture that returns it.
    questions
        The wordings, with the slot ``{entity}`` for its name; give more than one. They are asked without a prefill.
    score
        Function of a reply's text that returns its score, a finite number, or ``None`` if the text is not an answer. It
        is not called for replies that decline.
    unit
        What scores are in, for reports.
    max_tokens
        Maximum number of tokens of a reply.
    read
        Function that tells whether a reply answers. Give your own if `read_open_answer` would mistake an answer for a
        refusal, for example if the question asks for a letter of refusal, or if you score refusals.

    Returns
    -------
    The experiment. In the diagnostics of its measure, ``answers`` and ``answers_by_entity`` count how the last reply
    of each trial answers: those that answer only partly are scored as well.

    Raises
    ------
    PromptError
        If there is no question, or a question lacks the slot or has an unknown one.

    Examples
    --------
    >>> thanks = entity_experiment("warmth", ["Write a line to {entity}."], lambda text: text.count("!"), unit="marks")
    >>> thanks.measure, thanks.unit
    ('warmth', 'marks')
    """
    if not questions or isinstance(questions, str):
        raise PromptError(f"{measure}: questions must be a list of at least one wording")
    for question in questions:
        check_slots(measure, question, ("entity",))
    return EntityExperiment(measure, tuple(questions), score, unit, max_tokens, read)
