"""The data behind every pair statistic, and what is counted in them.

Position bias and label bias, which have nothing to do with entities; win rates and Elo; and how far answers contradict
each other: cycles, and pairs that are decided alike in both orders.

References
----------
Boubdir et al. 2023
Kendall and Babington Smith 1940
Kish 1965
Wilson 1927
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.closed_form import ELO_PER_LOGIT

ELO_MEAN = 1500.0
SMALLEST_DIFFERENCE = 1e-6
"""Strengths in log-odds that differ by less are equal: the rest is rounding error, and must not be ranked."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Trials that ended in a choice between two entities; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    score
        1 if the first was chosen, 0 if the second was; fractional where probabilities were read.
    label_first_is_a
        Whether the option shown first carried label A.
    n_entities
        Number of entities, compared or not.

    Raises
    ------
    ValueError
        If lengths differ, an index is out of range, an entity meets itself, or a score is not within 0 and 1.
    """

    first: IntArray
    second: IntArray
    score: FloatArray
    label_first_is_a: BoolArray
    n_entities: int

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in ("first", "second", "score", "label_first_is_a")}
        if self.first.ndim != 1 or len(set(shapes.values())) != 1:
            raise ValueError(f"comparisons need four arrays of one shape (t,), not {shapes}")
        for name in ("first", "second"):
            index = getattr(self, name)
            if not np.issubdtype(index.dtype, np.integer):
                raise ValueError(f"comparisons: {name} holds entity indices, so integers, not {index.dtype}")
            if index.size and not 0 <= index.min() <= index.max() < self.n_entities:
                raise ValueError(f"comparisons: {name} must lie within 0 and {self.n_entities - 1} (n_entities - 1)")
        if np.any(self.first == self.second):
            row = int(np.argmax(self.first == self.second))
            raise ValueError(f"comparisons: entity {self.first[row]} is compared with itself in row {row}")
        if not np.all((self.score >= 0) & (self.score <= 1)):
            raise ValueError("comparisons: score must lie within 0 and 1; leave out trials without a choice")

    def __len__(self) -> int:
        return len(self.score)

    @property
    def low_first(self) -> BoolArray:
        """Whether the entity with the lower index was shown first; shape (t,)."""
        return np.asarray(self.first < self.second)

    @property
    def drawn(self) -> bool:
        """Whether scores are choices, and no probabilities among them."""
        return bool(np.all((self.score == 0) | (self.score == 1)))

    @property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """The unordered pairs that were compared: their (low, high) entities, shape (p, 2); each trial's, (t,)."""
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        codes, pair_of = np.unique(low * self.n_entities + high, return_inverse=True)
        return np.stack(np.divmod(codes, self.n_entities), axis=1), pair_of.reshape(-1)


def require_comparisons(comparisons: Comparisons) -> None:
    """Refuse to compute from nothing.

    Raises
    ------
    ValueError
        If there is no comparison.
    """
    if not len(comparisons):
        raise ValueError("no comparisons: not one trial ended in a choice, so there is nothing to compute from")


def position_bias(comparisons: Comparisons) -> Estimate:
    """Estimate the share of trials in which the option shown first is chosen (its mean probability).

    The interval is Wilson's with the effective number of trials, variance clustered by unordered pair.

    Parameters
    ----------
    comparisons
        The trials.

    Returns
    -------
    Estimate
        Between 0 and 1; one half without a bias.

    Raises
    ------
    ValueError
        If there are no comparisons.

    Examples
    --------
    >>> first, second = np.array([0, 1, 1, 2, 2, 0]), np.array([1, 0, 2, 1, 0, 2])
    >>> chosen = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    >>> comparisons = Comparisons(first, second, chosen, np.array([True, False] * 3), 3)
    >>> position_bias(comparisons)
    <share of the option shown first 0.5, 95% [0.1253, 0.8747], n=6 trials>
    """
    return _share(comparisons, comparisons.score, "share of the option shown first")


def label_bias(comparisons: Comparisons) -> Estimate:
    """Estimate the share of trials in which the option labelled A is chosen; interval as in `position_bias`.

    Parameters
    ----------
    comparisons
        The trials.

    Returns
    -------
    Estimate
        Between 0 and 1; one half without a bias.

    Raises
    ------
    ValueError
        If there are no comparisons.
    """
    chose_a = np.where(comparisons.label_first_is_a, comparisons.score, 1 - comparisons.score)
    return _share(comparisons, chose_a, "share of label A")


def no_bias_p_value(share: Estimate) -> float:
    """Return the two-sided p-value of a share of one half: the score test that Wilson's interval inverts.

    Parameters
    ----------
    share
        From `position_bias` or `label_bias`.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    TypeError
        If the estimate does not come from `position_bias` or `label_bias`.
    """
    if not isinstance(share.interval_method, Wilson):
        raise TypeError(f"{share!r} is not a share with Wilson's interval; take it from position_bias or label_bias")
    z = (share.value - 0.5) * 2 * math.sqrt(share.interval_method.n)
    return math.erfc(abs(z) / math.sqrt(2))


def _share(comparisons: Comparisons, chosen: FloatArray, label: str) -> Estimate:
    require_comparisons(comparisons)
    mean = float(chosen.mean())
    n = _effective_trials(comparisons, chosen)
    return Estimate(
        value=mean,
        n=len(comparisons),
        unit="trials",
        method=f"mean, Wilson (1927) interval at {n:.0f} effective trials (clustered by pair)",
        interval_method=Wilson(mean * n, n),
        label=label,
    )


def _effective_trials(comparisons: Comparisons, chosen: FloatArray) -> float:
    """Return the number of independent trials that would give the mean the same variance (Kish 1965).

    The variance of the mean is that of the sums over pairs: both orders of a pair share its two entities.
    """
    pairs, pair_of = comparisons.pairs
    mean, t = float(chosen.mean()), len(comparisons)
    if mean in {0.0, 1.0}:
        # One-sided answers show no spread to learn the clustering from: count each pair once.
        return float(len(pairs))
    sums = np.bincount(pair_of, weights=chosen - mean)
    correction = len(pairs) / max(len(pairs) - 1, 1)
    # As if two more pairs had been one-sided, as Agresti and Coull (1998) add trials: pairs whose two orders
    # cancel exactly would otherwise leave no variance at all.
    variance = correction * (float(sums @ sums) + 2.0) / t**2
    return mean * (1 - mean) / variance


@dataclass(frozen=True, slots=True, eq=False)
class WinRates:
    """Share of comparisons won, and how many there were; shape (n_entities,). NaN for none."""

    value: FloatArray
    n: IntArray


def order_averaged_elo(comparisons: Comparisons, *, orders: int = 100, k: float = 16.0, seed: int) -> FloatArray:
    """Return Elo ratings averaged over random orders of the comparisons, shape (n_entities,), mean 1500.

    Online Elo depends on the order of play; at least 100 orders are needed (Boubdir et al. 2023). ``k`` is our choice.
    An entity that was never compared stays at 1500.

    Parameters
    ----------
    comparisons
        The trials.
    orders
        Random orders to average over.
    k
        Points that one answer is worth at most.
    seed
        Random seed of the orders.

    Returns
    -------
    FloatArray
        In Elo points, shape (n_entities,).

    Raises
    ------
    ValueError
        If there are no comparisons.
    """
    require_comparisons(comparisons)
    rng = np.random.default_rng(seed)
    played = rng.permuted(np.tile(np.arange(len(comparisons)), (orders, 1)), axis=1).T
    n = comparisons.n_entities
    # All orders in one row, so that a step looks up and writes its players by one index: half of the time.
    ratings, row = np.zeros(orders * n), n * np.arange(orders)
    players = np.stack([comparisons.first[played] + row, comparisons.second[played] + row], axis=1)
    for both, score in zip(players, comparisons.score[played], strict=True):
        met = ratings.take(both)
        change = k * (score - special.expit((met[0] - met[1]) / ELO_PER_LOGIT))
        met[0] += change
        met[1] -= change
        ratings[both] = met
    return ELO_MEAN + np.asarray(ratings.reshape(orders, n).mean(axis=0))


def win_rates(comparisons: Comparisons) -> WinRates:
    """Return each entity's share of comparisons won, probabilities counted as parts of a win.

    Parameters
    ----------
    comparisons
        The trials.

    Returns
    -------
    WinRates
        Shares and sample sizes.

    Examples
    --------
    >>> first, second = np.array([0, 1, 1, 2, 2, 0]), np.array([1, 0, 2, 1, 0, 2])
    >>> chosen = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    >>> comparisons = Comparisons(first, second, chosen, np.array([True, False] * 3), 3)
    >>> win_rates(comparisons).value
    array([0.5, 0.5, 0.5])
    """
    n = comparisons.n_entities
    played = np.bincount(comparisons.first, minlength=n) + np.bincount(comparisons.second, minlength=n)
    won = np.bincount(comparisons.first, comparisons.score, n) + np.bincount(
        comparisons.second, 1 - comparisons.score, n
    )
    return WinRates(np.where(played > 0, won / np.maximum(played, 1), np.nan), played)


@dataclass(frozen=True, slots=True)
class CycleRate:
    """How often preferences run in a circle.

    Attributes
    ----------
    rate
        Share of the triads that are cyclic; 0.25 by chance, NaN if there is no triad.
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


def cycle_rate(comparisons: Comparisons) -> CycleRate:
    """Count cyclic triads (Kendall and Babington Smith 1940) among those fully observed and decided.

    Parameters
    ----------
    comparisons
        The trials.

    Returns
    -------
    CycleRate
        With the numbers of triads.

    Examples
    --------
    0 beats 1, 1 beats 2, and 2 beats 0:

    >>> first, second = np.array([0, 1, 1, 2, 2, 0]), np.array([1, 0, 2, 1, 0, 2])
    >>> chosen = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    >>> comparisons = Comparisons(first, second, chosen, np.array([True, False] * 3), 3)
    >>> cycle_rate(comparisons)
    CycleRate(rate=1.0, triads=1, cyclic=1, undecided_pairs=0)
    """
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
    """Estimate the share of pairs whose answer is the same entity in both orders, among those asked in both.

    Parameters
    ----------
    comparisons
        The trials.

    Returns
    -------
    Estimate
        Between 0 and 1; its sample size is the number of pairs.
    """
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
