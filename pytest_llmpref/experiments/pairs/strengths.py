"""True strengths of the entities of a simulated study, drawn anew for each study."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.experiments.participants import select_entities
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.ranks import rank_correlation

REFERENCE = 400_000
"""Entities drawn to know the rho of true strengths: to 0.001."""


@lru_cache(maxsize=8)
def shipped_groups(n: int) -> dict[str, str]:
    """Return id -> group of ``n`` of the shipped entities, as a profile with so many would choose them."""
    groups = {entity.id: entity.group for entity in load_entities()}
    return {id_: groups[id_] for id_ in select_entities(groups, n, seed=0)}


@dataclass(frozen=True, slots=True)
class Strengths:
    """How preference and behaviour of an entity are drawn: normal, with mean 0.

    Attributes
    ----------
    n
        Entities in a study.
    rho
        Correlation (Pearson's) of the two, within groups.
    spread
        Standard deviation of either, in log-odds.
    grouped
        Share of the variance that lies between groups, the same for both; groups' levels are given, and agree between
        the two.
    levels
        Ties: true values take so many levels only, the quantiles' means; ``None`` for no ties.
    """

    n: int
    rho: float
    spread: float
    grouped: float = 0.0
    levels: int | None = None

    @property
    def group_of(self) -> IntArray:
        """Number of each entity's group, shape (n,)."""
        return np.unique(list(shipped_groups(self.n).values()), return_inverse=True)[1]

    @property
    def group_levels(self) -> FloatArray:
        """What an entity's group adds to its strength, shape (n,)."""
        group_of = self.group_of
        groups = int(group_of.max()) + 1
        scores = special.ndtri((np.arange(groups) + 0.5) / groups)
        return np.asarray(self.spread * np.sqrt(self.grouped) * (scores / scores.std())[group_of])

    def draw(self, rng: np.random.Generator, studies: int) -> tuple[FloatArray, FloatArray]:
        """Return preferences and behaviour of the entities of some studies, shape (studies, n) each."""
        x = rng.standard_normal((studies, self.n))
        y = self.rho * x + np.sqrt(1 - self.rho**2) * rng.standard_normal((studies, self.n))
        if self.levels is not None:
            x, y = (_levelled(values, self.levels) for values in (x, y))
        scale = self.spread * np.sqrt(1 - self.grouped)
        return self.group_levels + scale * x, self.group_levels + scale * y

    def true_rho(self) -> float:
        """Return Spearman's rho of the two in the population."""
        drawn = self.draw(np.random.default_rng(0), REFERENCE // self.n)
        return rank_correlation(drawn[0].ravel(), drawn[1].ravel())


def _levelled(values: FloatArray, levels: int) -> FloatArray:
    """Return the middle of the quantile that each normal value falls into."""
    cell = np.minimum((special.ndtr(values) * levels).astype(np.intp), levels - 1)
    return np.asarray(special.ndtri((cell + 0.5) / levels))
