"""True strengths of the entities of a simulated study, drawn anew for each study."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import special

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.experiments.participants import select_entities
from pytest_llmpref.stats.arrays import FloatArray, IntArray, ranks
from pytest_llmpref.stats.closed_form import FEWEST_GROUPS
from pytest_llmpref.stats.ranks import rank_correlation

REFERENCE = 400_000
"""Entities drawn to know the rho of true strengths: to 0.001."""
CLUSTER = 3
"""Entities in a subcluster of a group, where there are such."""


@lru_cache(maxsize=8)
def shipped_groups(n: int) -> dict[str, str]:
    """Return id -> group of ``n`` of the shipped entities, as a profile with so many would choose them."""
    groups = {entity.id: entity.group for entity in load_entities()}
    return {id_: groups[id_] for id_ in select_entities(groups, n, seed=0)}


@dataclass(frozen=True, slots=True)
class Strengths:
    """How preference and behaviour of an entity are drawn: normal with mean 0, unless said otherwise.

    Attributes
    ----------
    n
        Entities in a study.
    rho
        Correlation (Pearson's) of the two, within groups; of ``parabola``, instead, how much is no noise.
    spread
        Standard deviation of either, in log-odds.
    grouped
        Share of the variance that lies between groups, the same for both.
    between
        Correlation of the groups' levels of the two, which are drawn anew in each study; ``None`` where levels are
        given, and agree between the two.
    clustered
        Share of the variance within groups that lies between subclusters of three entities.
    levels
        Ties: true values take so many levels only, the quantiles' means; ``None`` for no ties.
    dependence
        How behaviour depends on preference. ``parabola``: the most and the least preferred are alike. ``heavy``: both
        are large together, as of Student's t with 2 degrees of freedom. ``outliers``: what is behaviour's own has the
        tails of Student's t with 3.
    """

    n: int
    rho: float
    spread: float
    grouped: float = 0.0
    between: float | None = None
    clustered: float = 0.0
    levels: int | None = None
    dependence: Literal["normal", "parabola", "heavy", "outliers"] = "normal"

    @property
    def group_of(self) -> IntArray:
        """Number of each entity's group, shape (n,)."""
        return np.unique(list(shipped_groups(self.n).values()), return_inverse=True)[1]

    @property
    def cluster_of(self) -> IntArray:
        """Number of each entity's subcluster, shape (n,)."""
        place = np.zeros(self.n, dtype=np.intp)
        for group in range(int(self.group_of.max()) + 1):
            inside = self.group_of == group
            place[inside] = np.arange(int(inside.sum())) // CLUSTER
        return np.asarray(np.unique(self.group_of * self.n + place, return_inverse=True)[1], dtype=np.intp)

    @property
    def df(self) -> float:
        """Degrees of freedom of rho's error: groups less one, where they are enough to be a sample of their kind."""
        groups = int(self.group_of.max()) + 1
        return groups - 1 if groups >= FEWEST_GROUPS else math.inf

    def draw(self, rng: np.random.Generator, studies: int) -> tuple[FloatArray, FloatArray]:
        """Return preferences and behaviour of the entities of some studies, shape (studies, n) each."""
        own, groups = self.draw_apart(rng, studies)
        return own[0] + groups[0], own[1] + groups[1]

    def draw_apart(
        self, rng: np.random.Generator, studies: int
    ) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
        """Return what entities have of their own, and what their groups add, for preference and behaviour each."""
        x, y = self._related(rng, studies)
        if self.clustered:
            of = self.cluster_of
            shared = _correlated(self.rho, rng, (studies, int(of.max()) + 1))
            x, y = (
                np.sqrt(self.clustered) * levels[:, of] + np.sqrt(1 - self.clustered) * values
                for levels, values in zip(shared, (x, y), strict=True)
            )
        if self.levels is not None:
            x, y = (_levelled(values, self.levels) for values in (x, y))
        scale = self.spread * np.sqrt(1 - self.grouped)
        return (scale * x, scale * y), self._group_levels(rng, studies)

    def _related(self, rng: np.random.Generator, studies: int) -> tuple[FloatArray, FloatArray]:
        shape, left = (studies, self.n), np.sqrt(1 - self.rho**2)
        if self.dependence == "parabola":
            x = rng.standard_normal(shape)
            return x, np.asarray(self.rho * (x**2 - 1) / np.sqrt(2) + left * rng.standard_normal(shape))
        if self.dependence == "outliers":
            x = rng.standard_normal(shape)
            return x, np.asarray(self.rho * x + left * rng.standard_t(3, shape) / np.sqrt(3))
        x, y = _correlated(self.rho, rng, shape)
        if self.dependence == "heavy":
            # Ranks have the dependence, values are normal again: heavy-tailed strengths would be another world.
            common = np.sqrt(2 / rng.chisquare(2, shape))
            x, y = (special.ndtri(np.clip(special.stdtr(2, values * common), 1e-9, 1 - 1e-9)) for values in (x, y))
        return x, y

    def _group_levels(self, rng: np.random.Generator, studies: int) -> tuple[FloatArray, FloatArray]:
        """Return what groups add to preference and to behaviour, shape (studies, n) each."""
        of, scale = self.group_of, self.spread * np.sqrt(self.grouped)
        groups = int(of.max()) + 1
        if not self.grouped:
            return np.zeros((studies, self.n)), np.zeros((studies, self.n))
        if self.between is None:
            scores = special.ndtri((np.arange(groups) + 0.5) / groups)
            given = np.tile(scale * (scores / scores.std())[of], (studies, 1))
            return given, given
        x, y = _correlated(self.between, rng, (studies, groups))
        return np.asarray(scale * x[:, of]), np.asarray(scale * y[:, of])

    def true_rho(self) -> float:
        """Return Spearman's rho of the two in the population."""
        drawn = self.draw(np.random.default_rng(0), REFERENCE // self.n)
        return rank_correlation(drawn[0].ravel(), drawn[1].ravel())


def _correlated(rho: float, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    x = rng.standard_normal(shape)
    return x, np.asarray(rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(shape))


def _levelled(values: FloatArray, levels: int) -> FloatArray:
    """Return the middle of the quantile that each normal value falls into."""
    cell = np.minimum((special.ndtr(values) * levels).astype(np.intp), levels - 1)
    return np.asarray(special.ndtri((cell + 0.5) / levels))


def partial_rho(x: FloatArray, y: FloatArray, group_of: IntArray) -> float:
    """Return the correlation of ranks over all studies, shape (n, studies), less their groups' means in each study."""
    left = []
    for values in (x, y):
        placed = ranks(values.ravel()).reshape(values.shape)
        inside = np.equal.outer(np.unique(group_of), group_of).astype(np.float64)
        left.append(placed - (inside @ placed / inside.sum(axis=1)[:, None])[group_of])
    return float(np.corrcoef(left[0].ravel(), left[1].ravel())[0, 1])
