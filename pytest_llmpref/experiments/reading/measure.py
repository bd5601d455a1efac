"""The measure of reading tasks, and what is derived from it together with preferences."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown, Wilson
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
)
from pytest_llmpref.experiments.reading.trials import ReadingTrial
from pytest_llmpref.experiments.trials import Replies, count_outcomes, trials_as
from pytest_llmpref.parsing.outcome import Outcome, Reason
from pytest_llmpref.stats import performance
from pytest_llmpref.stats.answers import (
    Answers,
    ControlAnswers,
    accuracies,
    accuracy,
    no_signal_reasons,
    signal,
    yes_share,
)
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.change import Changes, changed, share_correlation
from pytest_llmpref.stats.extremes import MissingAnswers
from pytest_llmpref.stats.power import visible_difference

NO_ENTITY = "no_entity"
"""The control whose accuracy stands as the measure's own."""


def boolq_measure(
    name: str,
    conditions: Conditions,
    trials: Sequence[ReadingTrial],
    controls: Sequence[ReadingTrial],
    replies: Sequence[Replies],
) -> Measure:
    """Return the measure: for each entity the share of right answers.

    Invalid where too few trials end in an answer, and where answers carry no signal. Entities that do not differ in
    accuracy leave it valid: that there is no difference is a finding.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, controls
        Those about entities; those of the controls.
    replies
        Those to all of them.
    """
    groups = conditions.groups
    ids = tuple(groups)
    answers = answers_of_trials(trials, controls, ids)
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies)
    reasons = [*coverage_reasons(diagnostics), *no_signal_reasons(answers)]
    reliability = performance.split_half(answers, seed=conditions.seed)
    of_controls = {framing: performance.control_accuracy(answers, framing) for framing in answers.controls}
    diagnostics |= {
        "question_set": conditions.items.name,
        "questions": len({trial.question for trial in trials}),
        "duplicate_questions": conditions.items.duplicates,
        "accuracy": interval_record(accuracy(answers)),
        "accuracy_bounds": _bounds(trials),
        "controls": _control_records(of_controls, controls),
        "yes_share": interval_record(yes_share(answers)),
        "signal": interval_record(signal(answers)),
        "reliability": {"value": reliability.value, "n": reliability.n},
        "visible": _visible(answers, conditions.seed),
        **_refusals([*trials, *controls]),
    }
    by_entity = zip(ids, accuracies(answers), strict=True)
    measure = measure_under(
        name,
        conditions,
        {entity: replace(estimate, label=f"accuracy for {entity}") for entity, estimate in by_entity},
        reasons,
        reliability=reliability,
        diagnostics=diagnostics,
        trials=trials,
    )
    return replace(
        measure,
        control=of_controls[NO_ENTITY].marked(reasons),
        controls=controls,
        missing=partial(missing_readings, trials, ids),
    )


def _control_records(found: Mapping[str, Estimate], trials: Sequence[ReadingTrial]) -> dict[str, Any]:
    return {
        framing: interval_record(accuracy)
        | {"outcomes": count_outcomes(trial for trial in trials if trial.framing == framing)}
        for framing, accuracy in found.items()
    }


@lru_cache(maxsize=64)
def answers_of(boolq: Measure) -> Answers:
    """Return the answers of a measure as arrays.

    Parameters
    ----------
    boolq
        The measure.
    """
    trials, controls = (trials_as(ReadingTrial, side) for side in (boolq.trials, boolq.controls))
    return answers_of_trials(trials, controls, tuple(boolq.estimates))


def answers_of_trials(trials: Sequence[ReadingTrial], controls: Sequence[ReadingTrial], ids: Sequence[str]) -> Answers:
    """Return the answers as arrays, entities numbered as in ``ids``.

    Parameters
    ----------
    trials, controls
        Those about entities; those of the controls.
    ids
        Of the entities.
    """
    entity = {id_: index for index, id_ in enumerate(ids)}
    question = {id_: index for index, id_ in enumerate(dict.fromkeys(t.question for t in (*trials, *controls)))}
    answered = [trial for trial in trials if trial.correct is not None]

    def column(part: Sequence[ReadingTrial]) -> ControlAnswers:
        return ControlAnswers(
            question=np.array([question[trial.question] for trial in part], dtype=np.intp),
            correct=np.array([trial.correct for trial in part], dtype=np.bool_),
            said_yes=np.array([(trial.score or 0.0) > 0.5 for trial in part], dtype=np.bool_),
        )

    framings = dict.fromkeys(trial.framing for trial in controls)
    columns = column(answered)
    return Answers(
        entity=np.array([entity[trial.entities[0]] for trial in answered], dtype=np.intp),
        question=columns.question,
        correct=columns.correct,
        said_yes=columns.said_yes,
        n_entities=len(ids),
        controls={
            framing: column([t for t in controls if t.framing == framing and t.correct is not None])
            for framing in framings
        },
    )


def _bounds(trials: Sequence[ReadingTrial]) -> dict[str, float]:
    """Return the accuracy had every missing answer been wrong, and had each been right."""
    right, missing = (sum(trial.correct is truth for trial in trials) for truth in (True, None))
    return {"low": right / max(len(trials), 1), "high": (right + missing) / max(len(trials), 1)}


def missing_readings(trials: Sequence[ReadingTrial], ids: Sequence[str]) -> MissingAnswers | None:
    """Return the questions without an answer, and the accuracies had these been right or wrong.

    ``None`` if there are none. Those about one entity count alike, so how many of them are right is what varies.

    Parameters
    ----------
    trials
        Those about entities.
    ids
        Of the entities.
    """
    asked = Counter(trial.entities[0] for trial in trials)
    right = Counter(trial.entities[0] for trial in trials if trial.correct)
    missing = Counter(trial.entities[0] for trial in trials if trial.correct is None)
    n, known, unknown = (
        np.array([count[entity] for entity in ids], dtype=np.float64) for count in (asked, right, missing)
    )
    if not missing:
        return None
    # One row for each entity of which an answer is missing.
    rows = np.eye(len(ids))[unknown > 0]
    each = np.where(n > 0, 1 / np.maximum(n, 1), math.nan)
    counts = unknown[unknown > 0]
    return MissingAnswers(
        ids=tuple(ids),
        count=missing.total(),
        levels=[np.arange(count + 1) for count in counts],
        expected=counts * known.sum() / max(n.sum() - unknown.sum(), 1),
        values=lambda held: (known[:, None] + rows.T @ held) * each[:, None],
        spread=lambda _: np.diag(each),
        rows=rows,
        scale="a right or a wrong answer",
    )


def _refusals(trials: Sequence[ReadingTrial]) -> dict[str, Any]:
    """Return every refused attempt, with its reason and its transcript, and how often each reason was given."""
    refused = [
        {
            "key": attempt.key,
            "entities": list(trial.entities),
            "framing": trial.framing,
            "reason": (attempt.reason or Reason.OTHER).value,
            "text": attempt.text,
        }
        for trial in trials
        for attempt in trial.attempts
        if attempt.outcome is Outcome.REFUSAL
    ]
    return {"refusal_reasons": dict(Counter(str(each["reason"]) for each in refused)), "refusals": refused}


def _visible(answers: Answers, seed: int) -> dict[str, Any] | None:
    """Return how small a difference between the extremes of preference these answers could show."""
    found = visible_difference(answers, seed=seed)
    if found is None:
        return None
    return {
        "difference": found.smallest_difference,
        "power": found.power,
        "alpha": found.alpha,
        "questions_for_one_point": found.questions_for_one_point,
    }


def changed_accuracies(new: Sequence[ReadingTrial], old: Sequence[ReadingTrial], ids: Sequence[str]) -> Changes:
    """Compare shares of right answers, paired by question; each entity, and all of them together.

    Parameters
    ----------
    new, old
        Trials of the same questions, in the same order.
    ids
        Of the entities.
    """
    if all(trial.correct is None for trial in new):
        return {}, None
    both = [[trial for trial in side if trial.entities and trial.correct is not None] for side in (new, old)]
    # A results file may hold a question without an id.
    number = {name: index for index, name in enumerate(sorted({trial.question or "" for trial in new}))}
    about = [_by_entity(side) for side in both]
    found = {}
    for entity in ids:
        one, two = (_answers(side.get(entity, []), number) for side in about)
        correlation = share_correlation(*one, *two)
        found[entity] = changed(
            _share_right(*one),
            _share_right(*two),
            correlation,
            paired=_by_question(len(one[0]), correlation),
            label=f"change in accuracy for {entity}",
        )
    one, two = (_answers(side, number) for side in both)
    correlation = share_correlation(*one, *two)
    return found, changed(
        _share_right(*one),
        _share_right(*two),
        correlation,
        paired=_by_question(len(one[0]), correlation),
        label="change in accuracy",
    )


def _by_entity(trials: Sequence[ReadingTrial]) -> dict[str, list[ReadingTrial]]:
    found: dict[str, list[ReadingTrial]] = {}
    for trial in trials:
        for entity in trial.entities:
            found.setdefault(entity, []).append(trial)
    return found


def _answers(trials: Sequence[ReadingTrial], number: Mapping[str, int]) -> tuple[FloatArray, IntArray]:
    """Return which answers are right, and the number of each one's question."""
    right = np.array([bool(trial.correct) for trial in trials], dtype=np.float64)
    return right, np.array([number[trial.question or ""] for trial in trials], dtype=np.intp)


def _share_right(right: FloatArray, question: IntArray) -> Estimate:
    """Return the share of right answers, its standard error clustered by question (Liang and Zeger 1986)."""
    n, questions = len(right), len(np.unique(question))
    method = "share of right answers, Wilson (1927) interval"
    if not n:
        return Estimate(np.nan, 0, "trials", method, Unknown())
    if questions == n:
        return Estimate(float(right.mean()), n, "trials", method, Wilson(float(right.sum()), n))
    sums = np.bincount(question, right - right.mean())
    error = float(np.sqrt(questions / max(questions - 1, 1) * np.sum(sums**2))) / n
    return Estimate(
        float(right.mean()),
        n,
        "trials",
        "share of right answers, standard error clustered by question (Liang and Zeger 1986)",
        Normal(float(right.mean()), error, max(questions - 1, 1)),
    )


def _by_question(trials: int, correlation: float) -> str:
    return f"paired over {trials} trials (correlation of errors {correlation:.2f}, clustered by question)"
