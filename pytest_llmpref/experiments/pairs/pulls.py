"""What pulls at answers in simulated studies beside strengths: the formats of questions, and likes of single pairs."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pytest_llmpref.config.profiles import NEWEST_DESIGN
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.experiments.pairs.strengths import shipped_groups
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray

PREFERENCE_WORDINGS = 4
"""Wordings of the shipped questions about liking; those about advice have twice as many."""


@dataclass(frozen=True, slots=True, eq=False)
class PairDesign:
    """The questions of a pair experiment, as the real one asks them; shape (t,) each."""

    first: IntArray
    second: IntArray
    first_is_a: BoolArray
    wording: IntArray


@lru_cache(maxsize=16)
def pair_design(n: int, partners: int | None, wordings: int, version: int = NEWEST_DESIGN) -> PairDesign:
    """Return the real design for ``n`` of the shipped entities; that of the preference has 4 wordings."""
    ids = list(shipped_groups(n))
    place = {entity: number for number, entity in enumerate(ids)}
    planned = pair_questions(
        ids,
        partners=partners,
        orders=2,
        repetitions=1,
        wordings=wordings,
        seed=0,
        design=version,
        purpose="pairwise" if wordings == PREFERENCE_WORDINGS else "donation",
    )
    questions = list(planned)
    return PairDesign(
        np.array([place[question.first] for question in questions], dtype=np.intp),
        np.array([place[question.second] for question in questions], dtype=np.intp),
        np.array([question.first_is_a for question in questions], dtype=np.bool_),
        np.array([question.wording for question in questions], dtype=np.intp),
    )


class Pulled(NamedTuple):
    """What pulls at the answers of some studies, in log-odds.

    Attributes
    ----------
    label, position, label_by_position
        What each entity gains with label A, shown first, and where the first option carries A; shape (n, studies).
    pairs
        What each pair adds for the entity with the lower number, shape (n, n, studies).
    """

    label: FloatArray
    position: FloatArray
    label_by_position: FloatArray
    pairs: FloatArray

    def logits(self, design: PairDesign) -> FloatArray:
        """Return what they add to the log-odds of the first option, shape (t, studies)."""
        first, second = design.first, design.second
        a = np.where(design.first_is_a, 1.0, -1.0)[:, None]
        found = a * (self.label[first] + self.label[second]) + self.position[first] + self.position[second]
        found += a * (self.label_by_position[first] - self.label_by_position[second])
        low, high = np.minimum(first, second), np.maximum(first, second)
        return np.asarray(found + np.where(first < second, 1.0, -1.0)[:, None] * self.pairs[low, high])


@dataclass(frozen=True, slots=True)
class Pulls:
    """How pulls are drawn: normal, with these standard deviations in log-odds.

    Attributes
    ----------
    label, position, label_by_position, pairs
        As in `Pulled`.
    shared
        Whether preference and advice are pulled alike.
    """

    label: float = 0.0
    position: float = 0.0
    label_by_position: float = 0.0
    pairs: float = 0.0
    shared: bool = False

    @property
    def of_formats(self) -> bool:
        """Whether entities gain by the format of a question."""
        return bool(self.label or self.position or self.label_by_position)

    def draw(self, rng: np.random.Generator, n: int, studies: int) -> Pulled:
        """Draw what pulls at the answers of some studies of n entities."""
        label, position, both = (
            sd * rng.standard_normal((n, studies)) for sd in (self.label, self.position, self.label_by_position)
        )
        pairs = self.pairs * rng.standard_normal((n, n, studies)) if self.pairs else np.zeros((n, n, 1))
        return Pulled(label, position, both, pairs)
