"""Reliability: how far halves of the trials agree.

References
----------
Brown 1910
Spearman 1910
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Normal, Unknown
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.ranks import FEWEST, RhoInterval, rank_correlation


@dataclass(frozen=True, slots=True)
class SpearmanBrown:
    """Interval of the reliability of a whole, from the interval of the correlation between its halves.

    Attributes
    ----------
    halves
        That of the correlation.
    noise_df
        Degrees of freedom that the noise of all values together is known with.
    """

    halves: IntervalMethod
    noise_df: float

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval of the halves' correlation, stepped up."""
        low, high = self.halves.limits(level)
        return spearman_brown(low), spearman_brown(high)


def split_correlations(halves: Iterable[tuple[FloatArray, FloatArray]]) -> tuple[list[float], int]:
    """Return Spearman's rho between two halves of the same data, for each random split that tells entities apart.

    Parameters
    ----------
    halves
        For each split the values of the entities in either half, shape (k,) each, of those that have one in both.

    Returns
    -------
    The correlations, without those of fewer than four entities and of halves in which all values are equal; and the
    fewest entities in any of them, 0 if there is none.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0])
    >>> split_correlations([(one, other), (one, np.ones(4)), (one[:3], one[:3])])
    ([0.8], 4)
    """
    told = [(x, y) for x, y in halves if len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0]
    return [rank_correlation(x, y) for x, y in told], min((len(x) for x, _ in told), default=0)


def of_halves(correlations: Sequence[float], n: int, *, halved: str, noise_df: float, otherwise: str) -> Estimate:
    """Return the reliability of a whole, given Spearman's rho between its halves in some random splits.

    Parameters
    ----------
    correlations
        In each split; none where halves cannot be correlated.
    n
        Smallest number of entities in a split.
    halved
        What was split, in words.
    noise_df
        As in `SpearmanBrown`; at least 1 is taken.
    otherwise
        Reason why there is no reliability if there are no correlations.

    Returns
    -------
    Estimate
        At most 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.reliability import of_halves
    >>> of_halves([0.6, 0.7], 20, halved="pairs", noise_df=100, otherwise="")
    <split-half reliability 0.7879, 95% [0.4407, 0.9305], n=20 entities>
    """
    method = f"split half over {halved}, Spearman-Brown, mean of {len(correlations)} splits; interval of a single split"
    label = "split-half reliability"
    if not correlations:
        return Estimate(math.nan, n, "entities", method, Unknown(), (otherwise,), label)
    rho = float(np.mean(correlations))
    interval = SpearmanBrown(RhoInterval(rho, n), max(noise_df, 1.0))
    return Estimate(spearman_brown(rho), n, "entities", method, interval, label=label)


def spearman_brown(rho: float) -> float:
    """Return the reliability of a whole whose halves correlate ``rho`` (Spearman 1910, Brown 1910).

    A negative correlation stays as it is: stepping it up has no meaning.

    Parameters
    ----------
    rho
        Correlation of the halves.

    Returns
    -------
    float
        At most 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.reliability import spearman_brown
    >>> spearman_brown(0.5), spearman_brown(-0.5)
    (0.6666666666666666, -0.5)
    """
    return 2 * rho / (1 + rho) if rho > 0 else rho


def cut(value: float) -> float:
    """Return a correlation cut to -1 and 1; NaN stays.

    Parameters
    ----------
    value
        Any number.

    Returns
    -------
    float
        From -1 to 1, or NaN.
    """
    return value if math.isnan(value) else max(-1.0, min(1.0, value))


def means(scores: FloatArray, ids: Sequence[str], *, unit: str, method: str, label: str) -> dict[str, Estimate]:
    """Return the mean score of each entity, by id, with Student's t interval over the samples.

    Parameters
    ----------
    scores
        Shape (samples, entities), NaN if there is no score.
    ids
        Of the entities.
    unit, method, label
        What a sample is, how the mean came about, and what it is of.

    Returns
    -------
    dict of str to Estimate
        NaN for an entity without a score.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.reliability import means
    >>> scores = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 8.0]])
    >>> means(scores, ["a", "b"], unit="samples", method="mean", label="score")["b"]
    <score of b 6, 95% [1.697, 10.3], n=3 samples>
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


def split_half(scores: FloatArray, *, seed: int, unit: str, splits: int = 50) -> Estimate | None:
    """Estimate the split-half reliability of the mean scores: how similarly random halves rank the entities.

    ``None`` for fewer than four samples, or if a half has scores for fewer than four entities. See
    `stats.reliability.of_halves`.

    Parameters
    ----------
    scores
        Shape (samples, entities), NaN if there is no score.
    seed
        Random seed of the splits.
    unit
        What a sample is.
    splits
        Number of random splits into halves.

    Returns
    -------
    Estimate or None
        At most 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=20)
    >>> split_half(truth + rng.normal(size=(12, 20)), seed=0, unit="replies")
    <split-half reliability 0.8815, 95% [0.6746, 0.962], n=20 entities>
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
