"""The measure of direct rankings: where each entity stands, and whether the rankings say more than the order shown."""

from collections.abc import Mapping, Sequence

import numpy as np

from pytest_llmpref.experiments.asking import Replies
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
    reliability_reasons,
)
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.ranks import rank_correlation
from pytest_llmpref.stats.reliability import means, split_half

SHOWN_ORDER = 0.90
"""Mean rank correlation between the order shown and the order returned from which on a model merely repeats it."""


def ranking_measure(
    name: str,
    conditions: Conditions,
    trials: Sequence[Trial],
    replies: Sequence[Replies],
    faults: Mapping[str, int],
) -> Measure:
    """Combine the repetitions, check the measurement, and return the measure.

    ``faults`` counts what the lists left out, repeated and invented.
    """
    groups = conditions.groups
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies) | dict(faults)
    scores = _scores(trials, list(groups))
    reasons = coverage_reasons(diagnostics)
    diagnostics["shown_order"] = shown = _shown_order(trials)
    if shown >= SHOWN_ORDER:
        reasons.append(f"the rankings repeat the order in which the list was shown (mean rho {shown:.2f})")
    reliability = split_half(scores, seed=conditions.seed, unit="repetitions")
    reasons += reliability_reasons(reliability)
    diagnostics["reliability"] = None if reliability is None else interval_record(reliability)
    estimates = means(
        scores,
        list(groups),
        unit="repetitions",
        method="mean normalised rank (Borda), t interval over repetitions",
        label="rank score",
    )
    return Measure(
        name=name,
        model=conditions.model,
        estimates={entity: estimate.marked(reasons) for entity, estimate in estimates.items()},
        groups=groups,
        reasons=tuple(reasons),
        reliability=reliability,
        diagnostics=diagnostics,
        trials=trials,
    )


def _scores(trials: Sequence[Trial], ids: list[str]) -> FloatArray:
    """Return normalised ranks, shape (valid repetitions, entities); NaN where an entity was left out."""
    rankings = [trial.ranking for trial in trials if trial.ranking]
    scores = np.full((len(rankings), len(ids)), np.nan)
    column = {entity: number for number, entity in enumerate(ids)}
    for row, ranking in enumerate(rankings):
        for place, entity in enumerate(ranking):
            scores[row, column[entity]] = 1 - place / (len(ranking) - 1)
    return scores


def _shown_order(trials: Sequence[Trial]) -> float:
    correlations = []
    for trial in trials:
        if trial.ranking:
            places = np.array([trial.entities.index(entity) for entity in trial.ranking], dtype=np.float64)
            correlations.append(rank_correlation(np.arange(len(places), dtype=np.float64), places))
    return float(np.mean(correlations)) if correlations else float("nan")
