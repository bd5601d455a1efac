"""Two measures of the same pairs, correlated over different halves of the pairs.

What is particular to a pair moves both measures alike where both ask about it, and a correlation of the two then holds
more than what their entities share. So one measure is taken from half of the pairs, and the other from the other half.
By how much halves of the same pairs correlate more is what is shared. The correlation of different halves, divided by
the reliability of halves (Spearman 1904), is that of the true values: between those halves no pair is shared either.

References
----------
Brown 1910
Spearman 1904
Spearman 1910
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.stats.arrays import BoolArray, FloatArray
from pytest_llmpref.stats.ranks import FEWEST, RhoInterval, rank_correlation

LEAST_SHARED = 0.1
"""Part of its pairs that a measure shares with another at least, for halves to be needed: below it, what pairs have of
their own adds less to a correlation than halves take from its precision. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Strengths from either half of the pairs, in random splits of all pairs that there could be.

    Attributes
    ----------
    ids
        Of the entities; measures of the same entities are split alike.
    one, other
        Strengths from the first half, and from the second; NaN if an entity is in no pair of it. Shape (n, splits).
    asked
        Whether each pair was asked about, shape (n * (n - 1) / 2,).
    """

    ids: tuple[str, ...]
    one: FloatArray
    other: FloatArray
    asked: BoolArray


@runtime_checkable
class HasHalves(Protocol):
    """A measure whose values can be taken from half of the pairs."""

    @property
    def halves(self) -> Callable[[], Halves] | None:
        """Returns the strengths from halves of the pairs; ``None`` if the measure is not one of pairs."""
        ...


@dataclass(frozen=True, slots=True)
class Crossed:
    """Mean Spearman correlations over splits.

    Attributes
    ----------
    between, same
        Of one measure over a half of the pairs with the other measure over the other half, and over the same half.
    x, y
        Of either measure's halves: their reliability.
    n
        Smallest number of entities in a split.
    splits
        How many there are.
    """

    between: float
    same: float
    x: float
    y: float
    n: int
    splits: int

    @property
    def shared(self) -> float:
        """How much of the correlation of whole measures is noise that both share.

        Halves of the same pairs correlate by more than halves of different pairs. Noise of a half has twice the
        variance, and by the reliability of halves the whole is as much more reliable (Spearman 1910, Brown 1910).
        """
        return (self.same - self.between) / math.sqrt((1 + max(self.x, 0.0)) * (1 + max(self.y, 0.0)))

    @property
    def corrected(self) -> float:
        """The correlation free of noise, shared or not; NaN if a half is not reliable at all."""
        return self.between / math.sqrt(self.x * self.y) if min(self.x, self.y) > 0 else math.nan


def crossed(x: object, y: object) -> Crossed | None:
    """Correlate one measure over half of the pairs with another over the other half.

    Parameters
    ----------
    x, y
        Measures.

    Returns
    -------
    Crossed or None
        ``None`` unless both are measures of pairs of the same entities and share at least a tenth of the pairs.
    """
    if not isinstance(x, HasHalves) or not isinstance(y, HasHalves) or x.halves is None or y.halves is None:
        return None
    a, b = x.halves(), y.halves()
    return _crossed(a, b)


@lru_cache(maxsize=8)
def _crossed(a: Halves, b: Halves) -> Crossed | None:
    # Kept, since every correlation of the same two measures takes it into account.
    if a.ids != b.ids or np.sum(a.asked & b.asked) < LEAST_SHARED * min(a.asked.sum(), b.asked.sum()):
        return None
    found, fewest = [], len(a.ids)
    for parts in zip(a.one.T, a.other.T, b.one.T, b.other.T, strict=True):
        known = ~np.isnan(parts).any(axis=0)
        x_one, x_other, y_one, y_other = (part[known] for part in parts)
        if known.sum() < FEWEST or any(np.ptp(part) == 0 for part in (x_one, x_other, y_one, y_other)):
            continue
        between = (rank_correlation(x_one, y_other) + rank_correlation(x_other, y_one)) / 2
        same = (rank_correlation(x_one, y_one) + rank_correlation(x_other, y_other)) / 2
        found.append((between, same, rank_correlation(x_one, x_other), rank_correlation(y_one, y_other)))
        fewest = min(fewest, int(known.sum()))
    if not found:
        return None
    between, same, of_x, of_y = map(float, np.mean(found, axis=0))
    return Crossed(between, same, of_x, of_y, fewest, len(found))


def without_shared_noise(estimate: Estimate, x: object, y: object) -> Estimate:
    """Return Spearman's rho between two measures as it would be if no noise of pairs were shared; as it is if none is.

    Parameters
    ----------
    estimate
        Spearman's rho between the measures.
    x, y
        Measures.
    """
    inner = estimate.interval_method
    if not isinstance(inner, RhoInterval) or (found := crossed(x, y)) is None:
        return estimate
    value = max(-1.0, min(1.0, estimate.value - found.shared))
    return replace(
        estimate,
        value=value,
        method=f"{estimate.method}; {estimate.value:.3f} minus {found.shared:.3f}, by which halves of the same pairs "
        f"correlate more than halves of different pairs (mean of {found.splits} splits, stepped up: Spearman 1910)",
        interval_method=replace(inner, r=value),
    )


def kept_shared_noise(*measures: object) -> str:
    """Say that what is particular to a pair counts as a relation of entities, where several measures ask about pairs.

    Parameters
    ----------
    measures
        Measures whose relation is estimated without removing it.

    Returns
    -------
    str
        The end of a method; empty if there is nothing to say.
    """
    of_pairs = sum(isinstance(one, HasHalves) and one.halves is not None for one in measures)
    if of_pairs < 2:
        return ""
    return "; preferences for single pairs, which both ask about, are not separated from preferences for entities"
