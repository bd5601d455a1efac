"""The data behind every pair statistic: which two entities were shown, in which order, and what was chosen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Trials that ended in a choice between two entities; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    score
        1 where the first was chosen, 0 where the second was; fractional where probabilities were read.
    label_first_is_a
        Whether the option shown first carried label A.
    n_entities
        Number of entities, compared or not.

    Raises
    ------
    ValueError
        If lengths differ, an index is out of range, an entity meets itself, or a score is not within 0 and 1.
    """

    first: IntArray
    second: IntArray
    score: FloatArray
    label_first_is_a: BoolArray
    n_entities: int

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in ("first", "second", "score", "label_first_is_a")}
        if self.first.ndim != 1 or len(set(shapes.values())) != 1:
            raise ValueError(f"comparisons need four arrays of one shape (t,), not {shapes}")
        for name in ("first", "second"):
            index = getattr(self, name)
            if not np.issubdtype(index.dtype, np.integer):
                raise ValueError(f"comparisons: {name} holds entity indices, so integers, not {index.dtype}")
            if index.size and not 0 <= index.min() <= index.max() < self.n_entities:
                raise ValueError(f"comparisons: {name} must lie within 0 and {self.n_entities - 1} (n_entities - 1)")
        if np.any(self.first == self.second):
            row = int(np.argmax(self.first == self.second))
            raise ValueError(f"comparisons: entity {self.first[row]} is compared with itself in row {row}")
        if not np.all((self.score >= 0) & (self.score <= 1)):
            raise ValueError("comparisons: score must lie within 0 and 1; leave out trials without a choice")

    def __len__(self) -> int:
        return len(self.score)

    @property
    def low_first(self) -> BoolArray:
        """Whether the entity with the lower index was shown first; shape (t,)."""
        return np.asarray(self.first < self.second)

    @property
    def drawn(self) -> bool:
        """Whether scores are choices, and no probabilities among them."""
        return bool(np.all((self.score == 0) | (self.score == 1)))

    @property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """The unordered pairs that were compared: their (low, high) entities, shape (p, 2); each trial's, (t,)."""
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        codes, pair_of = np.unique(low * self.n_entities + high, return_inverse=True)
        return np.stack(np.divmod(codes, self.n_entities), axis=1), pair_of.reshape(-1)


def require_comparisons(comparisons: Comparisons) -> None:
    """Refuse to compute from nothing.

    Raises
    ------
    ValueError
        If there is no comparison.
    """
    if not len(comparisons):
        raise ValueError("no comparisons: not one trial ended in a choice, so there is nothing to compute from")
