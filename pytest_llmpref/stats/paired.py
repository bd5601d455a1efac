"""Differences within pairs, of which those of one cluster may be alike; and McNemar's exact test.

References
----------
Bonett and Price 2012
Cameron, Gelbach and Miller 2011
McNemar 1947
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.arrays import FloatArray

FEWEST_CLUSTERS = 4
"""Fewest clusters whose spread gives an error. Our choice."""


def clustered_difference(
    differences: FloatArray, clusters: Sequence[str], label: str, *, cluster: str, invalid: Iterable[str] = ()
) -> Estimate:
    """Estimate the mean of differences of shares within pairs.

    As if two more pairs had been seen that go one way each, so that agreement in all pairs has an error (Bonett and
    Price 2012). The variance by cluster counts where it exceeds that of independent pairs.

    Parameters
    ----------
    differences
        From -1 to 1, shape (pairs,).
    clusters
        That of each pair.
    label
        What is estimated.
    cluster
        What a cluster is called.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        NaN for fewer than `FEWEST_CLUSTERS` clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.paired import clustered_difference
    >>> topics = [f"topic {number // 2}" for number in range(40)]
    >>> clustered_difference(np.zeros(40), topics, "gap", cluster="topic")
    <gap 0, 95% [-0.07048, 0.07048], n=40 pairs>
    """
    n, (names, of) = len(differences), np.unique(np.array(clusters, dtype=str), return_inverse=True)
    method = (
        f"paired difference, errors clustered by {cluster} (Bonett and Price 2012; Cameron, Gelbach and Miller 2011)"
    )
    reasons = list(invalid)
    if len(names) < FEWEST_CLUSTERS:
        reasons.append(f"pairs of {len(names)} {cluster}s are too few: it takes {FEWEST_CLUSTERS}")
        return Estimate(math.nan, n, "pairs", method, Unknown(), tuple(reasons), label)
    total, size = float(differences.sum()), n + 2
    alone = float(differences @ differences) + 2 - total**2 / size
    residuals = np.bincount(of, differences - differences.mean())
    by_cluster = float(residuals @ residuals) * len(names) / (len(names) - 1) + 2
    error = math.sqrt(max(alone, by_cluster)) / size
    interval = Normal(total / size, error, df=len(names) - 1)
    return Estimate(total / n, n, "pairs", method, interval, tuple(reasons), label)


def mcnemar_p_value(first: int, second: int) -> float:
    """Return the two-sided p of McNemar's exact test: pairs that go apart go either way as often.

    Parameters
    ----------
    first, second
        Pairs that go one way, and the other.

    Examples
    --------
    >>> round(mcnemar_p_value(9, 1), 4), mcnemar_p_value(0, 0)
    (0.0215, 1.0)
    """
    return min(1.0, 2 * float(special.bdtr(min(first, second), first + second, 0.5)))
