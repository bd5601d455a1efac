"""The data behind every pair statistic, and biases that have nothing to do with entities: position and label."""

import math
from dataclasses import dataclass

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Trials that ended in a choice between two entities; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    score
        1 where the first was chosen, 0 where the second was; fractional where probabilities were read.
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

    Raises
    ------
    ValueError
        If there are no comparisons.
    """
    return _share(comparisons, comparisons.score, "share of the option shown first")


def label_bias(comparisons: Comparisons) -> Estimate:
    """Estimate the share of trials in which the option labelled A is chosen; interval as in `position_bias`.

    Raises
    ------
    ValueError
        If there are no comparisons.
    """
    chose_a = np.where(comparisons.label_first_is_a, comparisons.score, 1 - comparisons.score)
    return _share(comparisons, chose_a, "share of label A")


def no_bias_p_value(share: Estimate) -> float:
    """Return the two-sided p-value of a share of one half: the score test that Wilson's interval inverts.

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
