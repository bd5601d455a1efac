"""Strengths from random halves of the pairs: how far they agree, and what they leave out that measures share."""

from collections.abc import Iterator

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.comparisons import SMALLEST_DIFFERENCE, Comparisons, require_comparisons
from pytest_llmpref.stats.crossed import Halves
from pytest_llmpref.stats.rating import fit_strengths, fit_to_all
from pytest_llmpref.stats.reliability import of_halves, split_correlations

SPLITS = 30
"""Random splits of the pairs that a reliability is averaged over. Our choice."""
SPLITS_SHARED = 20
"""The same for a correlation of two measures. Our choice."""


def halves_of(comparisons: Comparisons, ids: tuple[str, ...], *, splits: int = SPLITS_SHARED) -> Halves:
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
    found, seen, converged = _strengths(comparisons, half)
    found[~seen | ~converged] = np.nan
    return Halves(ids, found[:, :splits], found[:, splits:], np.bincount(pair, minlength=len(above[0])) > 0)


def split_half(comparisons: Comparisons, *, splits: int = SPLITS, seed: int) -> Estimate:
    """Estimate the reliability of the strengths: how far two halves of the pairs order the entities alike.

    Unordered pairs are split at random, both orders together; each half is fitted by Bradley-Terry. Spearman's rho
    between the halves is averaged over splits and stepped up by Spearman-Brown. The interval is that of a single
    split over n entities, stepped up: conservative, since an average over splits varies less.

    Parameters
    ----------
    comparisons
        The trials.
    splits
        Number of random splits.
    seed
        Random seed of the splits.

    Returns
    -------
    Estimate
        At most 1; invalid where no half tells four entities apart.

    Raises
    ------
    ValueError
        If there are no comparisons.
    """
    require_comparisons(comparisons)
    pairs, pair_of = comparisons.pairs
    rng = np.random.default_rng(seed)
    halves = np.stack([rng.permutation(np.arange(len(pairs)) % 2)[pair_of] for _ in range(splits)], axis=1)
    found, fewest = split_correlations(_strengths_in_halves(comparisons, halves))
    return of_halves(
        found,
        fewest or comparisons.n_entities,
        halved="pairs",
        noise_df=len(pairs) - comparisons.n_entities + 1,
        otherwise="the halves of the comparisons do not tell at least four entities apart",
    )


def _strengths_in_halves(comparisons: Comparisons, halves: IntArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the strengths of the entities that are in both halves of a split, for each split whose fits converge.

    ``halves`` holds the half of each comparison, 0 or 1, in each split; shape (t, splits).
    """
    splits = halves.shape[1]
    strengths, seen, converged = _strengths(comparisons, halves)
    for one, other in zip(range(splits), range(splits, 2 * splits), strict=True):
        shared = seen[:, one] & seen[:, other]
        if converged[[one, other]].all():
            yield strengths[shared, one], strengths[shared, other]


def _strengths(comparisons: Comparisons, halves: IntArray) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return the strengths from each first half, then from each second; whether each was met; which fits converged.

    ``halves`` is as above. The first two have shape (n, 2 * splits), the last (2 * splits,).
    """
    weights = np.concatenate([halves == 0, halves == 1], axis=1).astype(np.float64)
    whole, _ = fit_to_all(comparisons)
    fits, model = fit_strengths(comparisons, weights, start=whole.parameters)
    strengths = np.round(fits.parameters[: comparisons.n_entities] / SMALLEST_DIFFERENCE)
    return strengths, model.met(weights) > 0, fits.converged
