"""How far missing answers could move Spearman's rho between two vectors of values: worst-case imputation (Manski 1990).

Each missing answer could have been one of a few. Where few are missing, all assignments of answers are tried. Where
many are, a search starts from two assignments, and changes one answer or two at a time for as long as rho moves on.

References
----------
Manski 1990
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from pytest_llmpref.stats.arrays import FloatArray, IntArray, column_ranks
from pytest_llmpref.stats.ranks import FEWEST

MOST_ASSIGNMENTS = 2**10
"""Assignments of one measure's missing answers up to which all are tried. Our choice: a second or two."""
MOST_TRIES = 2**15
"""Changes that a search tries from each of its starts, on a line through a fit. Our choice."""
MOST_FITS = 2**7
"""Changes that it tries by a fit of their own, from each start. Our choice: with `MOST_TRIES`, under a second."""
USUAL = 100
"""Entities up to which this holds. More take longer, by the square of their number, and so much less is tried."""
TOGETHER = 64
"""Missing answers whose changes are looked at together: for speed only."""
PAIRED = 48
"""Number of best single changes that are also tried two at a time. Our choice."""
FITTED = 8
"""Changes, the best on the line, that are tried by fits of their own. Our choice."""
DECIMALS = 6
"""To which values are rounded: what differs by less is a tie, and its difference the rounding of a fit."""
TILT = 1e-6
"""Weight of the plain correlation beside rho in a search: a change can lead on without moving a rank by itself."""


@dataclass(frozen=True, eq=False)
class MissingAnswers:
    """The missing answers of a measure, and the values that it would have with any others in their place.

    Answers that count alike stand together: a place holds one or several, and its level is their sum.

    Attributes
    ----------
    ids
        Entities, in the order of the values.
    count
        How many answers are missing.
    levels
        What each place could hold, ascending; one array for each of m places.
    expected
        What each place would hold if it were like the answers that are there; shape (m,).
    values
        Function of what the places hold, shape (m, b), that returns the entities' values, shape (n, b); NaN for an
        entity without an answer.
    spread, rows
        ``spread(levels) @ rows.T`` is by how much each value changes with each place, near the levels given, shape
        (m,). ``rows`` has shape (m, p), what ``spread`` returns (n, p).
    scale
        What an answer could be, in words.
    """

    ids: tuple[str, ...]
    count: int
    levels: Sequence[FloatArray]
    expected: FloatArray
    values: Callable[[FloatArray], FloatArray]
    spread: Callable[[FloatArray], FloatArray]
    rows: csr_array | FloatArray
    scale: str

    @property
    def assignments(self) -> int:
        """How many assignments there are."""
        return math.prod(map(len, self.levels))

    @cached_property
    def every(self) -> FloatArray:
        """The values under each assignment, shape (n, assignments)."""
        held = np.array([grid.ravel() for grid in np.meshgrid(*self.levels, indexing="ij")])
        return self.values(held)

    def nearest(self, wanted: FloatArray) -> FloatArray:
        """Return the levels nearest to what is wanted of each place, shape (m,)."""
        found = [own[np.argmin(np.abs(own - one))] for own, one in zip(self.levels, wanted, strict=True)]
        return np.array(found, dtype=np.float64)

    def towards(self, way: FloatArray, otherwise: FloatArray) -> FloatArray:
        """Return the highest level where a place's way is positive, the lowest where it is negative, or another."""
        ends = np.array([(own[0], own[-1]) for own in self.levels], dtype=np.float64).reshape(-1, 2)
        return np.where(way > 0, ends[:, 1], np.where(way < 0, ends[:, 0], otherwise))


@dataclass(frozen=True, slots=True)
class Extreme:
    """Rho at an extreme, and the values of both sides there, shape (n,) each."""

    rho: float
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, slots=True)
class Extremes:
    """The lowest and the highest rho found; ``search`` says in words how."""

    low: Extreme
    high: Extreme
    search: str


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two vectors: given, or with missing answers behind it.

    Attributes
    ----------
    at
        Place of each entity that both have, among the values; shape (n,).
    given
        The values, which count where nothing is missing.
    missing
        The missing answers, where some are.
    """

    at: IntArray
    given: FloatArray
    missing: MissingAnswers | None = None

    @property
    def assignments(self) -> int:
        """How many assignments of answers there are."""
        return 1 if self.missing is None else self.missing.assignments

    @property
    def every(self) -> FloatArray:
        """The values under each assignment, shape (n, assignments)."""
        return self.values(np.zeros((0, 1))) if self.missing is None else _rounded(self.missing.every[self.at])

    def values(self, held: FloatArray) -> FloatArray:
        """Return the values under some assignments, shape (n, b)."""
        if self.missing is None:
            return _rounded(np.repeat(self.given[self.at, None], held.shape[1], axis=1))
        return _rounded(self.missing.values(held)[self.at])


def extremes(x: Side, y: Side) -> Extremes | None:
    """Return the lowest and the highest rho that missing answers allow; ``None`` if there is no rho.

    Parameters
    ----------
    x, y
        The two vectors, over the same entities.

    Returns
    -------
    Extremes or None
        With how they were found.
    """
    if len(x.at) < FEWEST:
        return None
    few = max(x.assignments, y.assignments) * _size(x) <= MOST_ASSIGNMENTS
    return _enumerated(x, y) if few else _searched(x, y)


def _enumerated(x: Side, y: Side) -> Extremes | None:
    x_values, y_values = x.every, y.every
    rho = rhos(x_values, y_values)
    if np.isnan(rho).all():
        return None
    low, high = (
        Extreme(float(rho[one, other]), x_values[:, one], y_values[:, other])
        for one, other in (np.unravel_index(find(rho), rho.shape) for find in (np.nanargmin, np.nanargmax))
    )
    return Extremes(low, high, f"all {rho.size:,} assignments of {_counted(x, y)}")


def _searched(x: Side, y: Side) -> Extremes | None:
    found, cut = list[Extreme](), False
    for sign in (-1.0, 1.0):
        for start in _starts(x, y, sign):
            climb = _Climb(x, y, sign, start)
            found.append(climb.run())
            cut |= climb.cut
    found = [end for end in found if not math.isnan(end.rho)]
    if not found:
        return None
    low, high = (find(found, key=lambda end: end.rho) for find in (min, max))
    return Extremes(low, high, f"greedy search over {_counted(x, y)}{', not to its end' if cut else ''}")


def _counted(x: Side, y: Side) -> str:
    count = sum(side.missing.count for side in (x, y) if side.missing is not None)
    return f"{count:,} missing answer{'' if count == 1 else 's'}"


def _starts(x: Side, y: Side, sign: float) -> Iterator[list[FloatArray]]:
    """Yield assignments of both sides' places to start from: what agrees, or not, with the other; what is expected."""
    expected = [np.zeros(0) if s.missing is None else s.missing.nearest(s.missing.expected) for s in (x, y)]
    values = [side.values(held[:, None])[:, 0] for side, held in zip((x, y), expected, strict=True)]
    heading = []
    for side, held, other in zip((x, y), expected, reversed(values), strict=True):
        if side.missing is None:
            heading.append(held)
            continue
        slopes = side.missing.spread(held)[side.at].T @ _standard(column_ranks(other[:, None]))[:, 0]
        heading.append(side.missing.towards(sign * (side.missing.rows @ slopes), held))
    yield heading
    yield expected


class _Climb:
    """A search from one assignment.

    First in rounds through all places, each on a line through a fit; then by changes of one or two places, by fits.

    Parameters
    ----------
    x, y
        Both sides.
    sign
        1 for the highest rho, -1 for the lowest.
    start
        What the places of either side hold at first.
    """

    def __init__(self, x: Side, y: Side, sign: float, start: Sequence[FloatArray]) -> None:
        self._sides, self._sign, self._held = (x, y), sign, [one.copy() for one in start]
        self._tries, self._fits = (most // _size(x) for most in (MOST_TRIES, MOST_FITS))

    @property
    def cut(self) -> bool:
        """Whether it ended because so much was tried."""
        return self._tries <= 0 or self._fits <= 0

    def run(self) -> Extreme:
        """Return where it ends."""
        best = self._fitted(self._held)
        while not self.cut:
            values, reached = [best.x, best.y], [one.copy() for one in self._held]
            for which in (0, 1):
                values[which] = self._round(which, reached, values)
            found = self._fitted(reached)
            if not self._better(found.rho, best.rho):
                break
            best, self._held = found, reached
        while not self.cut and (further := self._step(best)) is not None:
            best = further
        return best

    def _better(self, rho: float, than: float) -> bool:
        return self._sign * rho > self._sign * than or (math.isnan(than) and not math.isnan(rho))

    def _fitted(self, held: Sequence[FloatArray]) -> Extreme:
        x, y = (side.values(one[:, None]) for side, one in zip(self._sides, held, strict=True))
        return Extreme(float(rhos(x, y)[0, 0]), x[:, 0], y[:, 0])

    def _round(self, which: int, held: list[FloatArray], values: Sequence[FloatArray]) -> FloatArray:
        """Change one side's places, each where that moves rho on; return the values that the line then has."""
        missing, at, own = self._sides[which].missing, values[which], held[which]
        if missing is None:
            return at
        other = _standard(column_ranks(values[1 - which][:, None]))[:, 0]
        spread = missing.spread(own)[self._sides[which].at]
        reached = self._goal(at[:, None], other)[0]
        for first in range(0, len(own), TOGETHER):
            if self._tries <= 0:
                break
            changes = _changes(missing, own, spread, range(first, min(first + TOGETHER, len(own))))
            for change in np.flatnonzero(self._goal(at[:, None] + changes.moves, other) > reached):
                place, level = changes.place[change], changes.level[change]
                # What was there first may have been changed meanwhile, to a third level.
                moved = at + changes.moves[:, change] * (level - own[place]) / (level - changes.before[change])
                goal = self._goal(moved[:, None], other)[0]
                if goal > reached:
                    at, reached, own[place] = moved, goal, level
        return at

    def _step(self, best: Extreme) -> Extreme | None:
        """Make the best change of one place or two, by fits; ``None`` if none moves rho further."""
        for which in (0, 1):
            side, own, values = self._sides[which], self._held[which], (best.x, best.y)
            if side.missing is None or sum(map(len, side.missing.levels)) > self._tries:
                continue
            other = _standard(column_ranks(values[1 - which][:, None]))[:, 0]
            trials = self._candidates(side, own, values[which], other)
            self._fits -= trials.shape[1]
            found = side.values(trials)
            rho = np.round(other @ _standard(column_ranks(found)), 12)
            at = int(np.argmax(np.nan_to_num(self._sign * rho, nan=-np.inf)))
            if self._better(float(rho[at]), best.rho):
                self._held[which] = trials[:, at]
                return self._fitted(self._held)
        return None

    def _candidates(self, side: Side, own: FloatArray, at: FloatArray, other: FloatArray) -> FloatArray:
        """Return the assignments that change one place or two and are best on the line, shape (m, b)."""
        assert side.missing is not None  # noqa: S101 - for the type checker
        changes = _changes(side.missing, own, side.missing.spread(own)[side.at], range(len(own)))
        goals = self._goal(at[:, None] + changes.moves, other)
        first, second = np.triu_indices(min(len(goals), PAIRED), 1)
        one, two = (np.argsort(-goals, kind="stable")[:PAIRED][half] for half in (first, second))
        apart = changes.place[one] != changes.place[two]
        one, two = one[apart], two[apart]
        of_two = self._goal(at[:, None] + changes.moves[:, one] + changes.moves[:, two], other)
        singles = np.arange(len(goals))
        one, two = np.r_[singles, one], np.r_[singles, two]
        chosen = np.argsort(-np.r_[goals, of_two], kind="stable")[:FITTED]
        trials = np.repeat(own[:, None], len(chosen), axis=1)
        for change in (one[chosen], two[chosen]):
            trials[changes.place[change], np.arange(len(chosen))] = changes.level[change]
        return trials

    def _goal(self, values: FloatArray, other: FloatArray) -> FloatArray:
        """Return what the search makes larger: rho, and a trace of the plain correlation with the other's ranks."""
        self._tries -= values.shape[1]
        rounded = _rounded(values)
        found = other @ _standard(column_ranks(rounded)) + TILT * (other @ _standard(rounded))
        return np.asarray(np.nan_to_num(np.round(self._sign * found, 12), nan=-np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """Changes of single places, shape (c,): which place, to which level, from which, and how far each value moves."""

    place: IntArray
    level: FloatArray
    before: FloatArray
    moves: FloatArray


def _changes(missing: MissingAnswers, own: FloatArray, spread: FloatArray, places: Sequence[int]) -> _Changes:
    """Return all changes of some places from what these hold."""
    place = np.repeat(places, [len(missing.levels[one]) for one in places])
    level = np.concatenate([missing.levels[one] for one in places])
    other = level != own[place]
    place, level = place[other], level[other]
    slopes = np.asarray(missing.rows[place] @ spread.T)
    return _Changes(place, level, own[place], ((level - own[place])[:, None] * slopes).T)


def _size(x: Side) -> int:
    """Return how many times as long a try takes as with the usual number of entities."""
    return max(1, len(x.at) // USUAL) ** 2


def rhos(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Spearman's rho of each column with each of the other's, shape (b, c); NaN if one has no spread.

    Parameters
    ----------
    x, y
        Shape (n, b) and (n, c).

    Returns
    -------
    FloatArray
        From -1 to 1.
    """
    return np.asarray(np.round(_standard(column_ranks(x)).T @ _standard(column_ranks(y)), 12))


def _standard(values: FloatArray) -> FloatArray:
    """Return each column less its mean, of length 1; NaN if it has no spread."""
    centred = values - values.mean(axis=0)
    length = np.sqrt(np.sum(centred**2, axis=0))
    return np.asarray(np.divide(centred, length, out=np.full(values.shape, np.nan), where=length > 0))


def _rounded(values: FloatArray) -> FloatArray:
    return np.asarray(np.round(values, DECIMALS))
