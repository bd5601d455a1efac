"""Strengths from random halves of the pairs, split alike for every measure of the same entities."""

import numpy as np

from pytest_llmpref.stats.comparisons import SMALLEST_DIFFERENCE, Comparisons
from pytest_llmpref.stats.crossed import Halves
from pytest_llmpref.stats.rating import fit_strengths, fit_to_all

SPLITS = 20
"""Random splits of the pairs that are averaged over. Our choice."""


def halves_of(comparisons: Comparisons, ids: tuple[str, ...], *, splits: int = SPLITS) -> Halves:
    """Fit strengths to random halves of all pairs that there could be; the same for every measure of these entities.

    Parameters
    ----------
    comparisons
        The trials; at least one.
    ids
        Of the entities, in the order of their numbers.
    splits
        Random splits.
    """
    n = len(ids)
    above = np.triu_indices(n, 1)
    number = np.zeros((n, n), dtype=np.intp)
    number[above] = np.arange(len(above[0]))
    pair = number[np.minimum(comparisons.first, comparisons.second), np.maximum(comparisons.first, comparisons.second)]
    rng = np.random.default_rng(0)
    half = np.stack([rng.permutation(np.arange(len(above[0])) % 2)[pair] for _ in range(splits)], axis=1)
    weights = np.concatenate([half == 0, half == 1], axis=1).astype(np.float64)
    whole, _ = fit_to_all(comparisons)
    fits, model = fit_strengths(comparisons, weights, start=whole.parameters)
    found = np.round(fits.parameters[:n] / SMALLEST_DIFFERENCE)
    found[(model.met(weights) == 0) | ~fits.converged] = np.nan
    return Halves(ids, found[:, :splits], found[:, splits:], np.bincount(pair, minlength=len(above[0])) > 0)
