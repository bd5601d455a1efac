"""Error rates of families of tests."""

from collections.abc import Sequence

import numpy as np

from pytest_llmpref.stats.arrays import FloatArray


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
