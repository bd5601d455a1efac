"""How refusals changed between two releases."""

from collections.abc import Sequence

import numpy as np

from pytest_llmpref.experiments.pairs.changes import paired_by_pair
from pytest_llmpref.experiments.refusal.measure import attempts_of
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.stats.change import Changes, changed, share_correlation
from pytest_llmpref.stats.comparisons import FloatArray, IntArray
from pytest_llmpref.stats.refusal import Attempts, overall_rate, refusal_rates


def changed_refusals(new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> Changes:
    """Return the changes of the shares refused at once, paired by question; each entity, and all of them."""
    one, two = attempts_of(new, ids), attempts_of(old, ids)
    if not len(one) or not len(two):
        return {}, None
    found = {}
    rates = zip(ids, refusal_rates(one), refusal_rates(two), strict=True)
    for number, (entity, now, before) in enumerate(rates):
        correlation = share_correlation(*_about(one, number), *_about(two, number))
        found[entity] = changed(
            now, before, correlation, paired=paired_by_pair(now.n, correlation), label=f"change of refusals of {entity}"
        )
    correlation = share_correlation(*_about(one), *_about(two))
    overall = changed(
        overall_rate(one),
        overall_rate(two),
        correlation,
        paired=paired_by_pair(len(one), correlation),
        label="change of refusals",
    )
    return found, overall


def _about(attempts: Attempts, entity: int | None = None) -> tuple[FloatArray, IntArray]:
    """Return which trials about an entity were refused at once, and the number of each one's pair."""
    low, high = np.minimum(attempts.first, attempts.second), np.maximum(attempts.first, attempts.second)
    chosen = np.ones(len(attempts), dtype=np.bool_)
    if entity is not None:
        chosen = (attempts.first == entity) | (attempts.second == entity)
    return attempts.refused_first[chosen].astype(np.float64), (low * attempts.n_entities + high)[chosen]
