"""A table of scores, samples by entities: each entity's mean, and how far two halves of the samples agree."""

from collections.abc import Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.ranks import FEWEST
from pytest_llmpref.stats.reliability import of_halves, split_correlations

SPLITS = 50
"""Random splits that a split-half reliability is averaged over."""


def means(scores: FloatArray, ids: Sequence[str], *, unit: str, method: str, label: str) -> dict[str, Estimate]:
    """Return the mean score of each entity, by id, with Student's t interval over the samples.

    Parameters
    ----------
    scores
        Shape (samples, entities), NaN where there is no score.
    ids
        Of the entities.
    unit, method, label
        What a sample is, how the mean came about, and what it is of.
    """
    estimates = {}
    for number, entity in enumerate(ids):
        known = scores[:, number][~np.isnan(scores[:, number])]
        n = len(known)
        value = float(known.mean()) if n else float("nan")
        error = float(known.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
        interval = Normal(value, error, df=max(n - 1, 1))
        estimates[entity] = Estimate(value, n, unit, method, interval, label=f"{label} of {entity}")
    return estimates


def split_half(scores: FloatArray, *, seed: int, unit: str, splits: int = SPLITS) -> Estimate | None:
    """Estimate the reliability of the mean scores: how far two random halves of the samples order the entities alike.

    ``scores`` has the shape (samples, entities), and ``unit`` says what a sample is. ``None`` for fewer than four
    samples, or where a half has scores of fewer than four entities. See `stats.reliability.of_halves`.
    """
    samples, n = scores.shape
    if samples < 4:
        return None
    rng = np.random.default_rng(seed)
    halved = []
    for _ in range(splits):
        order = rng.permutation(samples)
        halves = [scores[part] for part in (order[: samples // 2], order[samples // 2 :])]
        both = np.all([(~np.isnan(half)).any(axis=0) for half in halves], axis=0)
        if both.sum() < FEWEST:
            return None
        one, other = (np.nanmean(half[:, both], axis=0) for half in halves)
        halved.append((one, other))
    return of_halves(
        split_correlations(halved)[0],
        n,
        halved=unit,
        noise_df=(samples - 1) * (n - 1),
        otherwise="the scores of a half do not tell entities apart",
    )
