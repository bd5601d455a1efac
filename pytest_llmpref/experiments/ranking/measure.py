"""The measure of direct rankings: where each entity stands, and whether the rankings say more than the order shown."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure, asking_diagnostics, outcome_diagnostics
from pytest_llmpref.experiments.scoring import scored_measure
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.ranks import rank_correlation
from pytest_llmpref.stats.reliability import means

if TYPE_CHECKING:
    from pytest_llmpref.experiments.ranking.experiment import RankingTrial

SHOWN_ORDER = 0.90
"""Mean rank correlation between the order shown and the order returned from which on a model merely repeats it."""


def ranking_measure(
    name: str,
    conditions: Conditions,
    trials: "Sequence[RankingTrial]",
    replies: Sequence[Replies],
    faults: Mapping[str, int],
) -> Measure:
    """Combine the repetitions, check the measurement, and return the measure.

    ``faults`` counts what the lists left out, repeated and invented.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, replies
        In one order.
    faults
        What the lists left out, repeated and invented.
    """
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies) | dict(faults)
    diagnostics["shown_order"] = shown = _shown_order(trials)
    repeats = f"the rankings repeat the order in which the list was shown (mean rho {shown:.2f})"
    ids = list(conditions.groups)
    scores = _scores(trials, ids)
    method = "mean normalised rank (Borda), t interval over repetitions"
    return scored_measure(
        name,
        conditions,
        means(scores, ids, unit="repetitions", method=method, label="rank score"),
        scores,
        [repeats] if shown >= SHOWN_ORDER else [],
        halved="repetitions",
        diagnostics=diagnostics,
        trials=trials,
    )


def _scores(trials: "Sequence[RankingTrial]", ids: list[str]) -> FloatArray:
    """Return normalised ranks, shape (valid repetitions, entities); NaN if an entity was left out."""
    rankings = [trial.ranking for trial in trials if trial.ranking]
    scores = np.full((len(rankings), len(ids)), np.nan)
    column = {entity: number for number, entity in enumerate(ids)}
    for row, ranking in enumerate(rankings):
        for place, entity in enumerate(ranking):
            scores[row, column[entity]] = 1 - place / (len(ranking) - 1)
    return scores


def _shown_order(trials: "Sequence[RankingTrial]") -> float:
    correlations = []
    for trial in trials:
        if trial.ranking:
            places = np.array([trial.entities.index(entity) for entity in trial.ranking], dtype=np.float64)
            correlations.append(rank_correlation(np.arange(len(places), dtype=np.float64), places))
    return float(np.mean(correlations)) if correlations else float("nan")
