"""Biases that have nothing to do with the entities: the position of an option, and its label."""

import math

import numpy as np

from pytest_llmpref.claims.estimates import Estimate, Wilson
from pytest_llmpref.stats.comparisons import Comparisons, FloatArray, require_comparisons


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
