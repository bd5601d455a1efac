"""The measure of experiments that score what is said about one entity at a time."""

from collections.abc import Sequence

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
from pytest_llmpref.stats.scores import means, split_half


def score_measure(
    name: str, conditions: Conditions, trials: Sequence[Trial], replies: Sequence[Replies], *, unit: str
) -> Measure:
    """Return the mean score of each entity; invalid where too few are scored, or the scores do not order entities.

    ``trials`` are ordered by sample, and within each by entity.
    """
    groups = conditions.groups
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies) | {"unit": unit}
    found = [np.nan if trial.score is None else trial.score for trial in trials]
    scores = np.array(found, dtype=np.float64).reshape(-1, len(groups))
    reasons = coverage_reasons(diagnostics)
    reliability = split_half(scores, seed=conditions.seed, unit="samples")
    reasons += reliability_reasons(reliability)
    diagnostics["reliability"] = None if reliability is None else interval_record(reliability)
    estimates = means(scores, list(groups), unit="trials", method=f"mean {unit}, t interval over trials", label=name)
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
