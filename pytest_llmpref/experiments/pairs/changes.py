"""How strengths changed between two releases."""

from collections.abc import Sequence

from pytest_llmpref.experiments.pairs.measure import comparisons_of, strengths
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.stats.change import Changes, changed, strength_correlations
from pytest_llmpref.stats.rating import bradley_terry


def changed_strengths(new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> Changes:
    """Return the changes of the strengths, paired by pair; nothing where no question shows two entities."""
    if not any(trial.score is not None and len(trial.entities) == 2 for trial in new):
        return {}, None
    one, two = comparisons_of(new, ids), comparisons_of(old, ids)
    if not len(one) or not len(two):
        return {}, None
    now, before = (strengths(side, bradley_terry(side), ids) for side in (one, two))
    correlations = dict(zip(ids, strength_correlations(one, two), strict=True))
    return {
        entity: changed(
            now[entity],
            before[entity],
            correlations[entity],
            paired=paired_by_pair(len(new), correlations[entity]),
            label=f"change of {now[entity].label}",
        )
        for entity in ids
    }, None


def paired_by_pair(questions: int, correlation: float) -> str:
    """Say how the two sides were paired."""
    return f"paired by {questions} questions (correlation of errors {correlation:.2f}, clustered by pair)"
