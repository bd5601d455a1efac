"""The data behind every statistic of a reading task: who was to be helped, what was asked, and what was answered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pytest_llmpref.claims.estimates import Estimate, Unknown, Wilson
from pytest_llmpref.stats.comparisons import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ControlAnswers:
    """Answers under one framing that names no entity; shape (t,) each, as in `Answers`."""

    question: IntArray
    correct: BoolArray
    said_yes: BoolArray

    def __post_init__(self) -> None:
        _check_shapes(question=self.question, correct=self.correct, said_yes=self.said_yes)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Trials of a reading task that ended in yes or no; shape (t,) each. Trials without an answer are left out.

    Attributes
    ----------
    entity
        Index of the entity that the answer was to help: 0 to ``n_entities - 1``.
    question
        Number of the question, 0 or more.
    correct
        Whether the answer was right.
    said_yes
        Whether the answer was yes.
    n_entities
        Number of entities, asked under or not.
    controls
        Framing -> answers to the same questions without an entity.

    Raises
    ------
    ValueError
        If lengths or types differ, an index is out of range, or one question has both answers as its right one.
    """

    entity: IntArray
    question: IntArray
    correct: BoolArray
    said_yes: BoolArray
    n_entities: int
    controls: Mapping[str, ControlAnswers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_shapes(entity=self.entity, question=self.question, correct=self.correct, said_yes=self.said_yes)
        if self.entity.size and not self.entity.max() < self.n_entities:
            raise ValueError(f"answers: entity must lie within 0 and {self.n_entities - 1} (n_entities - 1)")
        controls = self.controls.values()
        question = np.concatenate([self.question, *(control.question for control in controls)])
        truth = np.concatenate([self.truth, *(control.correct == control.said_yes for control in controls)])
        yes, all_of = np.bincount(question, truth), np.bincount(question)
        if np.any(unclear := (yes > 0) & (yes < all_of)):
            raise ValueError(f"answers: question {int(np.argmax(unclear))} has both yes and no as its right answer")

    def __len__(self) -> int:
        return len(self.entity)

    @property
    def truth(self) -> BoolArray:
        """Whether yes is the right answer to each trial's question; shape (t,)."""
        return np.asarray(self.correct == self.said_yes)

    @property
    def sides(self) -> tuple[BoolArray, BoolArray]:
        """Trials of questions whose answer is yes, and of those whose answer is no; shape (t,) each."""
        return self.truth, ~self.truth


def means_by(group: IntArray, values: FloatArray | BoolArray, size: int) -> FloatArray:
    """Return the mean in each group, shape (size,); NaN where there is none."""
    count = np.bincount(group, minlength=size)
    return np.where(count > 0, np.bincount(group, values, minlength=size) / np.maximum(count, 1), np.nan)


def share(question: IntArray, has: BoolArray, label: str) -> Estimate:
    """Estimate a share of answers, each question counted once however often it was asked; Wilson's interval."""
    method = "share of answers, Wilson (1927) interval, each question counted once"
    n = len(np.unique(question))
    value = float(np.nanmean(means_by(question, has, int(question.max()) + 1))) if n else math.nan
    return Estimate(value, n, "questions", method, Wilson(value * n, n) if n else Unknown(), (), label)


def _check_shapes(**arrays: IntArray | BoolArray) -> None:
    if len({array.shape for array in arrays.values()}) != 1 or any(array.ndim != 1 for array in arrays.values()):
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ValueError(f"answers need arrays of one shape (t,), not {shapes}")
    for name, array in arrays.items():
        if name in {"entity", "question"}:
            if not np.issubdtype(array.dtype, np.integer) or (array.size and array.min() < 0):
                raise ValueError(f"answers: {name} must hold integers from 0, not {array.dtype} or negative ones")
        elif array.dtype != np.bool_:
            raise ValueError(f"answers: {name} must hold truth values, not {array.dtype}")
