"""What entities do to one another's values, and what that adds to the error of a correlation over them.

Where two dislikes together count for more than their sum, how much an entity is refused depends on whom it was asked
about with. Another sample of entities would have other partners, so entities' values vary together, which no formula
for a sample of independent pairs of values knows of.
"""

import math

import numpy as np
from scipy import special

from pytest_llmpref.stats.comparisons import FloatArray
from pytest_llmpref.stats.ranks import FEWEST, largest_rho, rank_correlation, ranks


def shared_variance(x: FloatArray, y: FloatArray, changes: FloatArray) -> float:
    """Return what the sway that entities hold over each other's ``y`` adds to the variance of Fisher's z of rho(x, y).

    The jackknife over entities (Efron and Stein 1981), an entity being left out with all questions about it: its own
    place in the correlation, whose variance is known, and what its absence does to the others' places. The square of
    the latter, and twice its product with the former, is what is added. A question's noise is part of both of its
    entities' absences, so the squares of single changes, which are what noise adds up to, are taken off again. An
    estimate of this kind can be negative; then nothing is added.

    A change of ``y`` moves rho as far as it moves the normal score's rank, ``Phi((y - mean) / sd)``; what moves all
    others alike, or apart in proportion to ``y``, moves none.

    Parameters
    ----------
    x, y
        Shape (n,), without NaN.
    changes
        ``[j, i]`` is the ``y`` of entity j had i never been asked about, less its ``y``; shape (n, n). The diagonal
        is not read.
    """
    n = len(x)
    if n <= FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    moved = _pull(x, y)[:, None] * _beyond_a_line(y, changes)
    by_others = moved.sum(axis=0) - moved.sum() / n
    by_itself = np.array([_fisher_z(np.delete(x, i), np.delete(y, i)) for i in range(n)])
    own = by_itself - by_itself.mean()
    added = float(by_others @ by_others + 2 * own @ by_others - np.sum(moved**2))
    return max(0.0, (n - 1) / n * added)


def _pull(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the derivative of Fisher's z of rho by each value of ``y``, shape (n,)."""
    spread = float(y.std())
    score = (y - y.mean()) / spread
    place, slope = special.ndtr(score), np.exp(-(score**2) / 2) / math.sqrt(2 * math.pi) / spread
    u, v = (values - values.mean() for values in (ranks(x), place))
    u, v = u / u.std(), v / v.std()
    rho = float(np.mean(u * v))
    rho = max(-largest_rho(len(x)), min(largest_rho(len(x)), rho))
    return np.asarray(slope * (u - rho * v) / (len(x) * place.std() * (1 - rho**2)))


def _beyond_a_line(y: FloatArray, changes: FloatArray) -> FloatArray:
    """Return the changes less their least-squares line over ``y``, for each entity left out; 0 for itself."""
    others = 1 - np.eye(len(y))
    held = np.where(others > 0, changes, 0.0)
    count = others.sum(axis=0)
    centred = (y[:, None] - (others * y[:, None]).sum(axis=0) / count) * others
    slope = (centred * held).sum(axis=0) / np.maximum((centred**2).sum(axis=0), np.finfo(float).tiny)
    return np.asarray((held - held.sum(axis=0) / count - slope * centred) * others)


def _fisher_z(x: FloatArray, y: FloatArray) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    largest = largest_rho(len(x))
    return math.atanh(max(-largest, min(largest, rank_correlation(x, y))))
