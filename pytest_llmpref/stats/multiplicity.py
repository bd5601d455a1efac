"""Error rates of families of tests."""

from collections.abc import Sequence

import numpy as np

from pytest_llmpref.stats.arrays import BoolArray, FloatArray


def bonferroni(alpha: float, m: int) -> float:
    """Return the error rate of each of ``m`` tests that keeps that of the family at ``alpha`` (Dunn 1961).

    Raises
    ------
    ValueError
        If ``alpha`` is not between 0 and 1, or ``m`` below 1.
    """
    _check_alpha(alpha)
    if m < 1:
        raise ValueError(f"m={m}: a family holds at least one test")
    return alpha / m


def holm(pvalues: Sequence[float], alpha: float) -> BoolArray:
    """Return which null hypotheses are rejected at family error rate ``alpha``, in the order given (Holm 1979).

    Rejects all that Bonferroni rejects, and often more.

    Raises
    ------
    ValueError
        If a p-value is not within 0 and 1 (NaN included), or ``alpha`` not between 0 and 1.
    """
    _check_alpha(alpha)
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("holm: p-values are a flat sequence of numbers within 0 and 1")
    order = np.argsort(p, kind="stable")
    passes = p[order] <= alpha / np.arange(len(p), 0, -1)
    rejected = np.zeros(len(p), dtype=np.bool_)
    # The first that fails stops the procedure: nothing with a larger p-value is rejected.
    rejected[order] = np.logical_and.accumulate(passes)
    return rejected


def holm_adjusted(pvalues: Sequence[float]) -> FloatArray:
    """Return Holm's adjusted p-values: the family error rates from which on each hypothesis is rejected (Holm 1979).

    NaN stands for a hypothesis that was not tested; it stays NaN, and is not part of the family.

    Raises
    ------
    ValueError
        If a p-value is not within 0 and 1.
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


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha}: an error rate lies between 0 and 1, such as 0.05")
