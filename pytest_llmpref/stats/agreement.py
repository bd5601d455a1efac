"""How far two raters agree, and how often a reader of replies is right where only a sample of these is labelled.

References
----------
Cohen 1960
Fleiss, Cohen and Everitt 1969
Wilson 1927
Zou and Donner 2008
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson


def confusion(pairs: Iterable[tuple[str, str]], labels: Sequence[str]) -> list[list[int]]:
    """Count pairs of labels: a row for each label of the first rater, a column for each of the second.

    Parameters
    ----------
    pairs
        What both say of each reply.
    labels
        All labels, in the order of rows and columns.

    Examples
    --------
    >>> confusion([("A", "A"), ("A", "B"), ("B", "B")], ["A", "B"])
    [[1, 1], [0, 1]]
    """
    counts = Counter(pairs)
    return [[counts[first, second] for second in labels] for first in labels]


def agreement(counts: Sequence[Sequence[int]]) -> Estimate:
    """Return the share of replies that both label alike, with Wilson's interval.

    Parameters
    ----------
    counts
        As `confusion` returns them.

    Examples
    --------
    >>> agreement([[20, 5], [10, 15]]).value
    0.7
    """
    n, alike = _total(counts), sum(row[place] for place, row in enumerate(counts))
    return Estimate(alike / n if n else math.nan, n, "replies", "share, Wilson 1927", Wilson(alike, n))


@dataclass(frozen=True, slots=True)
class _OnScaleOfKappa:
    """Wilson's limits of the observed agreement, on the scale of kappa: the agreement by chance is taken as known."""

    observed: Wilson
    by_chance: float

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval."""
        low, high = self.observed.limits(level)
        return _kappa(low, self.by_chance), _kappa(high, self.by_chance)


def cohens_kappa(counts: Sequence[Sequence[int]]) -> Estimate:
    """Return Cohen's kappa: the agreement of two raters beyond what chance gives, 1 where they always agree.

    Cohen (1960) takes the agreement by chance as known, and so does the interval, with Wilson's limits of the observed
    agreement. The usual one, from the variance of Fleiss, Cohen and Everitt (1969), is empty where two raters never
    disagree. In simulations with 30 to 300 replies and a kappa of 0.6 to 0.97, this one covered the true value in 91%
    to 97% of them, and that one in 15% to 96%.

    Parameters
    ----------
    counts
        As `confusion` returns them.

    Returns
    -------
    Estimate
        NaN where both use one label alone, since any two such raters agree.

    Examples
    --------
    >>> round(cohens_kappa([[20, 5], [10, 15]]).value, 6)
    0.4
    """
    n = _total(counts)
    rows, columns = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    by_chance = sum(row * column for row, column in zip(rows, columns, strict=True)) / n**2 if n else math.nan
    observed = agreement(counts)
    interval = _OnScaleOfKappa(Wilson(round(observed.value * n) if n else 0, n), by_chance)
    return Estimate(_kappa(observed.value, by_chance), n, "replies", "Cohen 1960, on Wilson's limits", interval)


def _kappa(observed: float, by_chance: float) -> float:
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def _total(counts: Sequence[Sequence[int]]) -> int:
    return sum(map(sum, counts))


@dataclass(frozen=True, slots=True)
class Stratum:
    """Replies of one kind, some of them labelled.

    Attributes
    ----------
    size
        How many there are.
    labelled
        How many of them are labelled.
    hits
        How many of the labelled ones count.
    """

    size: int
    labelled: int
    hits: int


@dataclass(frozen=True, slots=True)
class StratifiedWilson:
    """Interval of a share of all replies, from Wilson's intervals of the strata (MOVER; Zou and Donner 2008).

    A stratum without labels may lie anywhere from 0 to 1 (worst-case imputation).
    """

    strata: tuple[Stratum, ...]

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, within 0 and 1; NaN if nothing is labelled."""
        total = sum(stratum.size for stratum in self.strata)
        known = [stratum for stratum in self.strata if stratum.labelled]
        if not known:
            return math.nan, math.nan
        value = below = above = 0.0
        for stratum in known:
            weight, share = stratum.size / total, stratum.hits / stratum.labelled
            low, high = Wilson(stratum.hits, stratum.labelled).limits(level)
            value += weight * share
            below += (weight * (share - low)) ** 2
            above += (weight * (high - share)) ** 2
        unknown = 1 - sum(stratum.size for stratum in known) / total
        return max(0.0, value - math.sqrt(below)), min(1.0, value + math.sqrt(above) + unknown)


def stratified_share(strata: Iterable[Stratum]) -> Estimate:
    """Return a share of all replies, from a labelled sample that is random within each stratum.

    Each stratum counts as often as it occurs, however many of it are labelled.

    Parameters
    ----------
    strata
        Sizes and counts. The value rests on those with labels; the interval allows for the others.

    Examples
    --------
    Of 100 replies, 90 are of a kind that is always right, and 10 of a kind that is right half of the time:

    >>> share = stratified_share([Stratum(90, 20, 20), Stratum(10, 20, 10)])
    >>> round(share.value, 6)
    0.95
    """
    strata = tuple(stratum for stratum in strata if stratum.size)
    known = [stratum for stratum in strata if stratum.labelled]
    size = sum(stratum.size for stratum in known)
    value = sum(stratum.size * stratum.hits / stratum.labelled for stratum in known) / size if size else math.nan
    n = sum(stratum.labelled for stratum in known)
    return Estimate(value, n, "replies", "stratified, Wilson 1927 and Zou and Donner 2008", StratifiedWilson(strata))
