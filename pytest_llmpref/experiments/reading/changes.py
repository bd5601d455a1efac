"""How accuracy changed between two releases."""

from collections.abc import Mapping, Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate, Normal, Unknown, Wilson
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.stats.change import Changes, changed, share_correlation
from pytest_llmpref.stats.comparisons import FloatArray, IntArray


def changed_accuracies(new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> Changes:
    """Compare shares of right answers, paired by question; each entity, and all of them together."""
    if all(trial.correct is None for trial in new):
        return {}, None
    both = [[trial for trial in side if trial.entities and trial.correct is not None] for side in (new, old)]
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
            label=f"change of accuracy for {entity}",
        )
    one, two = (_answers(side, number) for side in both)
    correlation = share_correlation(*one, *two)
    return found, changed(
        _share_right(*one),
        _share_right(*two),
        correlation,
        paired=_by_question(len(one[0]), correlation),
        label="change of accuracy",
    )


def _by_entity(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        for entity in trial.entities:
            found.setdefault(entity, []).append(trial)
    return found


def _answers(trials: Sequence[Trial], number: Mapping[str, int]) -> tuple[FloatArray, IntArray]:
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
