"""Patterns in refusals: what two dislikes add up to in shares, and whether a share rises with preference.

References
----------
Agresti and Coull 1998
Armitage 1955
Bell and McCaffrey 2002
Cochran 1954
Cochran 1977
Liang and Zeger 1986
"""

import math

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.noise import Noisy, Truth, true_values
from pytest_llmpref.stats.pair_logit import LEAST_LEFT
from pytest_llmpref.stats.refusal import Attempts

QUARTER = 0.25
"""Share of the entities that counts as least, and as most, liked."""


def attempts_needed(valid: IntArray, made: IntArray) -> Estimate:
    """Estimate how many attempts a valid answer takes: attempts made, divided by valid answers.

    It is 1 over the maximum likelihood estimate of the chance of a valid answer under a geometric number of
    attempts, cut off at the most that were allowed: a trial without a valid answer contributes its attempts and no
    success. Its standard error is that of a ratio over trials (Cochran 1977, 6.3).

    Parameters
    ----------
    valid, made
        1 where the trial ended in a valid answer, else 0, and its attempts; shape (t,) each.

    Returns
    -------
    Estimate
        At least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.refusal_patterns import attempts_needed
    >>> attempts_needed(np.array([1, 1, 0]), np.array([1, 2, 5])).value
    4.0
    """
    n, successes = len(made), int(valid.sum())
    label, method = "attempts to a valid answer", "censored geometric, maximum likelihood; standard error of a ratio"
    if not successes:
        return Estimate(math.nan, n, "trials", method, Unknown(), ("no answer was valid",), label)
    ratio = float(made.sum() / successes)
    error = math.sqrt(n / max(n - 1, 1) * float(np.sum((made - ratio * valid) ** 2))) / successes
    return Estimate(ratio, n, "trials", method, Normal(ratio, error), label=label)


def excess(attempts: Attempts, preference: FloatArray) -> Estimate:
    """Estimate how much more often two options of the least-liked quarter are refused than their effects add up to.

    On the scale of probabilities, where a logistic model without any interaction has an excess too.

    ``P(both) - 2 P(one) + P(none)``, where both, one or none of the options is from the least-liked quarter and the
    others are from the most-liked one. Shares are of first attempts; errors are clustered by pair, and each share has
    two refusals and two answers added to its variance (Agresti and Coull 1998), so that 0% has an error too.

    Parameters
    ----------
    attempts
        The trials.
    preference
        Value of each entity, shape (n_entities,), NaN if there is none.

    Returns
    -------
    Estimate
        A difference of shares.
    """
    label = "excess refusal rate beyond additivity (probability)"
    dislike, known = dislikes(attempts, true_values(Noisy.exact(preference)))
    finite = dislike[~np.isnan(dislike)]
    if not known.any() or len(finite) < 4:
        return Estimate(math.nan, 0, "trials", "none", Unknown(), ("fewer than four known preferences",), label)
    low, high = np.quantile(finite, [QUARTER, 1 - QUARTER])
    least, most = dislike >= high, dislike <= low
    first, second = attempts.first, attempts.second
    cells = {
        "both": least[first] & least[second],
        "one": (least[first] & most[second]) | (most[first] & least[second]),
        "none": most[first] & most[second],
    }
    if not all(cell.any() for cell in cells.values()):
        return Estimate(math.nan, 0, "trials", "none", Unknown(), ("a quarter is never met",), label)
    shares = {name: float(attempts.refused_first[cell].mean()) for name, cell in cells.items()}
    variance = sum(
        weight**2 * _variance(attempts.part(cells[name])) for name, weight in (("both", 1), ("one", 2), ("none", 1))
    )
    value = shares["both"] - 2 * shares["one"] + shares["none"]
    added = min(1.0, max(0.0, 2 * shares["one"] - shares["none"]))
    method = (
        f"two options of the least-liked quarter are refused in {shares['both']:.0%} of first attempts, one in "
        f"{shares['one']:.0%}, none in {shares['none']:.0%}; were dislikes to add up, two would be in {added:.0%}"
    )
    n = int(sum(cell.sum() for cell in cells.values()))
    reasons = all_alike(attempts.part(known))
    return Estimate(value, n, "trials", method, Normal(value, math.sqrt(variance)), reasons, label)


def dislikes(attempts: Attempts, truth: Truth) -> tuple[FloatArray, BoolArray]:
    """Return the standardised dislike of each entity, and which trials are about two entities that have one.

    Parameters
    ----------
    attempts
        The trials.
    truth
        What is known of the true preferences.
    """
    dislike = (truth.centre - truth.means) / (truth.spread or math.nan)
    return dislike, ~np.isnan(dislike[attempts.first]) & ~np.isnan(dislike[attempts.second])


def all_alike(attempts: Attempts) -> tuple[str, ...]:
    """Say that all attempts ended alike; empty if they did not.

    Parameters
    ----------
    attempts
        The trials.
    """
    refused, made = int(attempts.refused.sum()), int(attempts.made.sum())
    if refused in {0, made}:
        return (f"{'no' if not refused else 'every'} attempt was refused: nothing can add up",)
    return ()


def _variance(cell: Attempts) -> float:
    """Return the variance of the share of refused first attempts, clustered by pair."""
    n, refused = len(cell), cell.refused_first.astype(np.float64)
    p = (refused.sum() + 2) / (n + 4)
    by_pair = np.bincount(cell.pair_of, refused - refused.mean())
    return max(float(p * (1 - p) / (n + 4)), float(np.sum(by_pair**2)) / n**2)


def share_trend(
    quartile: IntArray | FloatArray, has: BoolArray, cluster: IntArray, label: str, *, unit: str
) -> Estimate:
    """Estimate by how much a share changes from one quartile to the next.

    The slope of a straight line through the shares, whose test is Cochran's (1954) and Armitage's (1955); its
    standard error is clustered (Liang and Zeger 1986), since cases about one pair are alike; with each cluster's
    leverage in it, and Satterthwaite's degrees of freedom (Bell and McCaffrey 2002).

    Parameters
    ----------
    quartile
        Quartile of each case, or the one that it is expected in, shape (t,).
    has
        Whether the case counts for the share.
    cluster
        Cases with one number are not independent.
    label
        What is estimated.
    unit
        What the cases are.

    Returns
    -------
    Estimate
        Change of the share from one quartile to the next.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.refusal_patterns import share_trend
    >>> quartile, has = np.repeat(np.arange(4), 5), np.arange(20) >= 10
    >>> share_trend(quartile, has, np.arange(20), "trend", unit="refusals")
    <trend 0.4, 95% [0.1825, 0.6175], n=20 refusals>
    """
    method = "slope of the share over quartiles (Cochran 1954, Armitage 1955), error clustered by pair"
    clusters = len(np.unique(cluster))
    if len(quartile) == 0 or np.ptp(quartile) == 0 or clusters < 3:
        reason = f"{len(quartile)} {unit} in {clusters} pairs are too few for a trend"
        return Estimate(math.nan, len(quartile), unit, method, Unknown(), (reason,), label)
    x = quartile - quartile.mean()
    slope = float(x @ has / (x @ x))
    residual = has - has.mean() - slope * x
    _, number = np.unique(cluster, return_inverse=True)
    leverage = np.bincount(number, 1 / len(x) + x**2 / float(x @ x))
    by_cluster = np.bincount(number, x * residual) ** 2 / np.maximum(1 - leverage, LEAST_LEFT)
    error = math.sqrt(float(by_cluster.sum())) / float(x @ x)
    expected = np.bincount(number, x**2)
    df = float(expected.sum()) ** 2 / float(expected @ expected)
    # A reason that nobody, or everybody, was given has no error of its own: add one case of each (Wilson's idea).
    least = math.sqrt((has.sum() + 1) * (len(has) - has.sum() + 1) / (len(has) + 2) ** 2 / float(x @ x))
    return Estimate(slope, len(has), unit, method, Normal(slope, max(error, least), df), label=label)
