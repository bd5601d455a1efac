"""What changed between two measurements of the same entities by the same questions: how far their errors go together.

The interval of a change is `claims.intervals.Difference` with the correlation of the two sampling errors. Here these
correlations are estimated: of strengths and of shares from the residuals that both measurements have in a question's
cluster, of two correlations over the same entities from all six correlations of the four variables.

References
----------
Holm 1979
Pearson and Filon 1898
Zou 2007
"""

import math
from collections.abc import Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Difference
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.ranks import rank_correlation, z_without_each
from pytest_llmpref.stats.rating import fit_to_all

Changes = tuple[dict[str, Estimate], Estimate | None]
"""What changed between two releases: by entity, and the mean over all questions, or ``None``."""


STEPS = 40
"""Halvings of the logarithm of a p-value: more than six digits."""
SMALLEST_P = 1e-12
"""Smaller p-values are not told apart: the quantiles behind them mean nothing."""


def changed(new: Estimate, old: Estimate, correlation: float, *, paired: str, label: str) -> Estimate:
    """Return the estimate of ``new - old``.

    Parameters
    ----------
    new, old
        The estimates.
    correlation
        Correlation of their sampling errors; 0 if they are independent.
    paired
        How they are paired, in words.
    label
        What is estimated.

    Returns
    -------
    Estimate
        In the unit of both; invalid if one of them is.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal, changed
    >>> new, old = (Estimate(value, 80, "trials", "by hand", Normal(value, 0.1)) for value in (0.7, 0.5))
    >>> changed(new, old, 0.5, paired="by question", label="change")
    <change 0.2, 95% [0.004004, 0.396], n=80 trials>
    """
    correlation = 0.0 if math.isnan(correlation) else max(-1.0, min(1.0, correlation))
    return Estimate(
        value=new.value - old.value,
        n=min(new.n, old.n),
        unit=new.unit,
        method=f"difference, MOVER (Zou 2007), {paired}; each: {new.method}",
        interval_method=Difference(new, old, correlation),
        label=label,
    ).marked((*new.invalid, *(f"baseline: {reason}" for reason in old.invalid)))


def p_value(estimate: Estimate) -> float:
    """Return the two-sided p-value of no change: the largest error rate at which the interval holds 0.

    It agrees with the interval at every level. NaN if the interval lacks an end; at least 1e-12.

    Parameters
    ----------
    estimate
        Any with an interval.

    Returns
    -------
    float
        Between 1e-12 and 1.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal
    >>> from pytest_llmpref.stats.change import p_value
    >>> round(p_value(Estimate(1.96, 100, "trials", "by hand", Normal(1.96, 1.0))), 4)
    0.05
    """
    found = estimate.interval()
    # One end is unknown where one of two estimates has no interval: that excludes nothing.
    if any(map(math.isnan, (estimate.value, found.low, found.high))):
        return math.nan
    low, high = math.log(SMALLEST_P), math.log(1 - 1e-9)
    if _holds(estimate, high):
        return 1.0
    if not _holds(estimate, low):
        return SMALLEST_P
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _holds(estimate, middle) else (low, middle)
    return math.exp(low)


def _holds(estimate: Estimate, log_rate: float) -> bool:
    interval = estimate.interval(1 - math.exp(log_rate))
    return interval.low <= 0 <= interval.high


def holm_adjusted(pvalues: Sequence[float]) -> FloatArray:
    """Return Holm's adjusted p-values: the family error rates from which on each hypothesis is rejected (Holm 1979).

    NaN stands for a hypothesis that was not tested; it stays NaN, and is not part of the family.

    Parameters
    ----------
    pvalues
        One for each hypothesis.

    Returns
    -------
    FloatArray
        In the order given.

    Raises
    ------
    ValueError
        If a p-value is not within 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.change import holm_adjusted
    >>> holm_adjusted([0.01, 0.04, 0.03, 0.005]).round(3)
    array([0.03, 0.06, 0.06, 0.02])
    """
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1 or np.any((p < 0) | (p > 1)):
        raise ValueError("holm: p-values are a flat sequence of numbers within 0 and 1")
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def strength_correlations(new: Comparisons, old: Comparisons) -> FloatArray:
    """Return how the errors of two Bradley-Terry fits go together, for each entity; shape (n_entities,).

    Both are of the sandwich form clustered by unordered pair; so is their covariance, over the pairs in both. Both
    number the entities alike.

    Parameters
    ----------
    new, old
        The trials of both releases.

    Returns
    -------
    FloatArray
        From -1 to 1, shape (n_entities,).
    """
    (pairs, one), (others, two) = _influence(new), _influence(old)
    _, here, there = np.intersect1d(pairs, others, return_indices=True)
    return _cosines(one, two, here, there)


def share_correlation(new: FloatArray, new_cluster: IntArray, old: FloatArray, old_cluster: IntArray) -> float:
    """Return the correlation between the errors of two shares.

    Parameters
    ----------
    new, old
        The trials' values, of which the shares are the means; shape (t,) each.
    new_cluster, old_cluster
        What makes trials of both comparable: the number of the pair or question, shape (t,) each.

    Returns
    -------
    float
        From -1 to 1; 0 if one has no trials.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref import share_correlation
    >>> answers, question = np.array([1.0, 0.0, 1.0, 1.0]), np.arange(4)
    >>> round(share_correlation(answers, question, answers, question), 6)
    1.0
    """
    if not len(new) or not len(old):
        return 0.0
    (clusters, one), (others, two) = _summed(new, new_cluster), _summed(old, old_cluster)
    _, here, there = np.intersect1d(clusters, others, return_indices=True)
    return float(_cosines(one[:, None], two[:, None], here, there)[0])


def rho_correlation(
    new_x: FloatArray, new_y: FloatArray, old_x: FloatArray, old_y: FloatArray, *, sampled: IntArray | None = None
) -> float:
    """Return how the errors of Spearman's rho of two pairs of variables over the same entities go together.

    From both rhos without each sampled part in turn (`stats.ranks.z_without_each`), so that their difference scatters
    as the jackknife of it says. Where nothing says what is sampled: `correlation_of_correlations`, applied to ranks.

    Parameters
    ----------
    new_x, new_y, old_x, old_y
        The variables, shape (n,) each, entity by entity.
    sampled
        Number of the part that each entity belongs to, shape (n,): its group, or itself.

    Returns
    -------
    float
        From -1 to 1; 0 if one of them does not vary.
    """
    ranked = (new_x, new_y, old_x, old_y)
    if any(np.ptp(values) == 0 for values in ranked):
        return 0.0
    if sampled is not None:
        n = len(new_x)
        new, old = z_without_each(new_x, new_y, sampled, n), z_without_each(old_x, old_y, sampled, n)
        new, old = new - new.mean(), old - old.mean()
        apart = math.sqrt(float(new @ new) * float(old @ old))
        return max(-1.0, min(1.0, float(new @ old) / apart)) if apart > 0 else 0.0
    r = {(a, b): rank_correlation(ranked[a], ranked[b]) for a in range(4) for b in range(a + 1, 4)}
    return correlation_of_correlations(r[0, 1], r[2, 3], r[0, 2], r[0, 3], r[1, 2], r[1, 3])


def correlation_of_correlations(r12: float, r34: float, r13: float, r14: float, r23: float, r24: float) -> float:
    """Return how the errors of r12 and r34 go together, over the same cases, given the other four correlations.

    Pearson and Filon (1898), as in Zou (2007). It holds for a common variable too (r13 = 1). 0 where r12 or r34 is
    perfect, and has no error.

    Parameters
    ----------
    r12, r34
        The correlations of either pair of variables.
    r13, r14, r23, r24
        Those across the pairs.

    Returns
    -------
    float
        From -1 to 1.

    Examples
    --------
    Of one variable with itself, measured alike both times:

    >>> from pytest_llmpref.stats.change import correlation_of_correlations
    >>> round(correlation_of_correlations(0.5, 0.5, 1.0, 0.5, 0.5, 1.0), 6)
    1.0
    """
    if abs(r12) >= 1 or abs(r34) >= 1:
        return 0.0
    covariance = (
        r12 * r34 * (r13**2 + r14**2 + r23**2 + r24**2) / 2
        + r13 * r24
        + r14 * r23
        - (r12 * r13 * r14 + r12 * r23 * r24 + r13 * r23 * r34 + r14 * r24 * r34)
    )
    return max(-1.0, min(1.0, covariance / ((1 - r12**2) * (1 - r34**2))))


def _influence(comparisons: Comparisons) -> tuple[IntArray, FloatArray]:
    """Return the pairs, as numbers shape (p,), and what each adds to the centred strengths, shape (p, n_entities)."""
    n = comparisons.n_entities
    fits, model = fit_to_all(comparisons)
    pairs, pair_of = comparisons.pairs
    scores = model.cluster_scores(comparisons.score - fits.chances[:, 0], pair_of)
    bread = np.linalg.inv(model.information(fits.chances * (1 - fits.chances))[0])
    moved = (scores @ bread)[:, :n]
    compared = np.bincount(np.r_[comparisons.first, comparisons.second], minlength=n) > 0
    return np.asarray(pairs @ [n, 1]), np.asarray(moved - moved[:, compared].mean(axis=1, keepdims=True))


def _summed(values: FloatArray, cluster: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the clusters, and in each the sum of the deviations from the mean."""
    clusters, number = np.unique(cluster, return_inverse=True)
    return clusters, np.bincount(number, values - values.mean(), len(clusters)).astype(np.float64)


def _cosines(new: FloatArray, old: FloatArray, here: IntArray, there: IntArray) -> FloatArray:
    """Return the correlation of sums over clusters, given what each cluster adds and which of them are the same."""
    together = (new[here] * old[there]).sum(axis=0)
    apart = np.sqrt((new**2).sum(axis=0) * (old**2).sum(axis=0))
    return np.asarray(np.divide(together, apart, out=np.zeros_like(together), where=apart > 0))
