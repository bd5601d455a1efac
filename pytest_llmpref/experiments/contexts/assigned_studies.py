"""What simulated studies share in which entities are assigned to arms, and compared in pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.assignment import Assigned, Design

DOSES = (1.0, -1.0, 0.0)
MARGIN = 0.10
"""What a study takes for no effect: ten percentage points."""


def ring(n: int, partners: int) -> tuple[IntArray, IntArray]:
    """Return the two entities of each pair, where each stands in a ring and is paired with its nearest.

    Parameters
    ----------
    n
        Number of entities.
    partners
        With how many others each is paired.
    """
    apart = np.arange(1, partners // 2 + 1)[:, None]
    first = np.arange(n) + 0 * apart
    return first.ravel(), ((first + apart) % n).ravel()


@dataclass(frozen=True)
class AssignedStudy(Unpredicted):
    """A study of entities in three drawings, each of them once in each arm.

    Attributes
    ----------
    n_entities
        Entities in it.
    partners
        With how many others each is compared in each context and drawing, in both orders; or its own questions.
    """

    n_entities: int = 72
    partners: int = 4

    @cached_property
    def design(self) -> Design:
        """How entities are assigned."""
        return Design(("all",) * self.n_entities, len(DOSES))

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """The two entities of each pair."""
        return ring(self.n_entities, self.partners)

    def drawn(self, rng: np.random.Generator) -> Assigned:
        """Return an assignment.

        Parameters
        ----------
        rng
            Where chance comes from.
        """
        return self.design.draw(Random(int(rng.integers(2**32))))  # noqa: S311 - no secret hangs on it

    def doses(self, assigned: Assigned) -> FloatArray:
        """Return the dose of each entity in each drawing.

        Parameters
        ----------
        assigned
            The assignment.
        """
        return np.asarray(np.array(DOSES)[np.array(assigned)], dtype=np.float64)

    def shares(self, chosen: FloatArray) -> FloatArray:
        """Return the share of its questions in which each entity is chosen, shape (drawings, entities).

        Parameters
        ----------
        chosen
            How often the first of each pair is chosen, in shares, shape (drawings, pairs).
        """
        first, second = self.pairs
        found = np.zeros((len(chosen), self.n_entities))
        for drawing, of_drawing in enumerate(chosen):
            found[drawing] = np.bincount(first, of_drawing, self.n_entities)
            found[drawing] += np.bincount(second, 1 - of_drawing, self.n_entities)
        return found / self.partners

    def averaged(self, chances: Callable[[Assigned], FloatArray], assignments: int) -> float:
        """Return the difference in the share of choices, first minus second arm, over assignments.

        Parameters
        ----------
        chances
            Returns the chance that the first of each pair is chosen, under an assignment.
        assignments
            Over how many it is averaged.
        """
        random, gaps = Random("truth"), list[float]()  # noqa: S311 - no secret hangs on it
        for _ in range(assignments):
            assigned = self.design.draw(random)
            shares, arms = self.shares(chances(assigned)), np.array(assigned)
            gaps.append(float(shares[arms == 0].mean() - shares[arms == 1].mean()))
        return float(np.mean(gaps))
