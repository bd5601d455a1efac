"""How far comparisons agree with themselves: split halves, cycles, and answers that survive a change of order."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Unknown, Wilson
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.comparisons import Comparisons, require_comparisons
from pytest_llmpref.stats.ranks import FEWEST, RhoInterval, rank_correlation
from pytest_llmpref.stats.rating import fit_strengths

SPLITS = 30
"""Random splits that a split-half reliability is averaged over."""
SMALLEST_DIFFERENCE = 1e-6
"""Strengths in log-odds that differ by less are equal: the rest is rounding error, and must not be ranked."""


@dataclass(frozen=True, slots=True)
class SpearmanBrown:
    """Interval of the reliability of a whole from that of the correlation of its halves.

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
        return stepped_up(low), stepped_up(high)


@dataclass(frozen=True, slots=True)
class CycleRate:
    """How often preferences run in a circle.

    Attributes
    ----------
    rate
        Share of the triads that are cyclic; 0.25 by chance, NaN where there is no triad.
    triads
        Triads whose three pairs were all observed and decided.
    cyclic
        How many of them are cyclic.
    undecided_pairs
        Pairs whose answers, averaged over both orders, favour neither entity.
    """

    rate: float
    triads: int
    cyclic: int
    undecided_pairs: int


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
        Seed of the splits.

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


def split_correlations(halves: Iterable[tuple[FloatArray, FloatArray]]) -> tuple[list[float], int]:
    """Return Spearman's rho between two halves of the same data, for each random split that tells entities apart.

    Parameters
    ----------
    halves
        For each split the values of the entities in either half, shape (k,) each, of those that have one in both.

    Returns
    -------
    The correlations, without those of fewer than four entities and of halves in which all values are equal; and the
    fewest entities in any of them, 0 where there is none.

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
        Fewest entities in a split.
    halved
        What was split, in words.
    noise_df
        As in `SpearmanBrown`; at least 1 is taken.
    otherwise
        Why there is no reliability where there are no correlations.
    """
    method = f"split half over {halved}, Spearman-Brown, mean of {len(correlations)} splits; interval of a single split"
    label = "split-half reliability"
    if not correlations:
        return Estimate(math.nan, n, "entities", method, Unknown(), (otherwise,), label)
    rho = float(np.mean(correlations))
    interval = SpearmanBrown(RhoInterval(rho, n), max(noise_df, 1.0))
    return Estimate(stepped_up(rho), n, "entities", method, interval, label=label)


def stepped_up(rho: float) -> float:
    """Return the reliability of a whole whose halves correlate ``rho`` (Spearman 1910, Brown 1910).

    A negative correlation stays as it is: stepping it up has no meaning.
    """
    return 2 * rho / (1 + rho) if rho > 0 else rho


def noise_ceiling(reliability_x: Estimate | None, reliability_y: Estimate | None) -> float:
    """Return the largest correlation that two measures of such reliability can show: ``sqrt(x * y)``.

    NaN where a reliability is missing or NaN, 0 where one is not above 0.
    """
    if reliability_x is None or reliability_y is None:
        return math.nan
    x, y = reliability_x.value, reliability_y.value
    return math.nan if math.isnan(x) or math.isnan(y) else math.sqrt(max(x, 0.0) * max(y, 0.0))


def cycle_rate(comparisons: Comparisons) -> CycleRate:
    """Count cyclic triads (Kendall and Babington Smith 1940) among those fully observed and decided."""
    beats = np.zeros((comparisons.n_entities, comparisons.n_entities))
    pairs, share, _ = _by_pair(comparisons)
    decided = np.abs(share - 0.5) > SMALLEST_DIFFERENCE
    winners = np.where(share > 0.5, pairs[:, 0], pairs[:, 1])[decided]
    losers = np.where(share > 0.5, pairs[:, 1], pairs[:, 0])[decided]
    beats[winners, losers] = 1
    met = beats + beats.T
    # Closed walks of three steps: a cyclic triad holds three of them along wins, any triad six along meetings.
    cyclic = round(float(np.sum((beats @ beats) * beats.T)) / 3)
    triads = round(float(np.sum((met @ met) * met.T)) / 6)
    return CycleRate(cyclic / triads if triads else math.nan, triads, cyclic, int(np.sum(~decided)))


def decided_pairs(comparisons: Comparisons) -> Estimate:
    """Estimate the share of pairs whose answer is the same entity in both orders, among those asked in both."""
    _, _, by_order = _by_pair(comparisons)
    both = by_order[~np.isnan(by_order).any(axis=1)] - 0.5
    both[np.abs(both) <= SMALLEST_DIFFERENCE] = 0
    n, same = len(both), int(np.sum(both[:, 0] * both[:, 1] > 0))
    return Estimate(
        value=same / n if n else math.nan,
        n=n,
        unit="pairs",
        method="share of pairs, Wilson (1927) interval",
        interval_method=Wilson(same, n),
        invalid=() if n else ("no pair was answered in both orders",),
        label="share of pairs decided alike in both orders",
    )


def _strengths_in_halves(comparisons: Comparisons, halves: IntArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the strengths of the entities that are in both halves of a split, for each split whose fits converge.

    ``halves`` holds the half of each comparison, 0 or 1, in each split; shape (t, splits).
    """
    n, splits = comparisons.n_entities, halves.shape[1]
    weights = np.concatenate([halves == 0, halves == 1], axis=1).astype(np.float64)
    whole, _ = fit_strengths(comparisons, np.ones((len(comparisons), 1)))
    fits, model = fit_strengths(comparisons, weights, start=whole.parameters)
    seen = model.met(weights) > 0
    strengths = np.round(fits.parameters[:n] / SMALLEST_DIFFERENCE)
    for one, other in zip(range(splits), range(splits, 2 * splits), strict=True):
        shared = seen[:, one] & seen[:, other]
        if fits.converged[[one, other]].all():
            yield strengths[shared, one], strengths[shared, other]


def _by_pair(comparisons: Comparisons) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return pairs (p, 2), the share of the lower entity (p,), and its share by order (p, 2): shown first, second.

    A pair asked in one order only has NaN for the other, and the share of the one.
    """
    pairs, pair_of = comparisons.pairs
    low_chosen = np.where(comparisons.low_first, comparisons.score, 1 - comparisons.score)
    cell = 2 * pair_of + ~comparisons.low_first
    counts = np.bincount(cell, minlength=2 * len(pairs))
    sums = np.bincount(cell, low_chosen, 2 * len(pairs))
    by_order = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).reshape(-1, 2)
    observed = ~np.isnan(by_order)
    share = np.where(observed, by_order, 0).sum(axis=1) / observed.sum(axis=1)
    return pairs, share, by_order
