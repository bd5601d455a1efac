"""The data of a reading task, answers that have nothing to do with the question, and errors that are clustered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Unknown, Wilson
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.pair_logit import LEAST_LEFT


def clustered_error(
    influence: FloatArray, entity: IntArray, question: IntArray, regressor: FloatArray
) -> tuple[float, float]:
    """Return the standard error of a statistic from what each trial contributes to it, and its degrees of freedom.

    Clustered two ways: the variance by entity, and by how much that by question exceeds that of independent trials
    (Cameron, Gelbach and Miller 2011, equation 2.11), if it does: it falls short only by chance. Entities are few, and
    a fit follows them: the sum of each is divided by the root of 1 less its leverage (CR2), and the variance by entity
    has Satterthwaite's degrees of freedom (Bell and McCaffrey 2002); squares of questions' sums are scaled by
    Q / (Q - 1). The two parts' degrees of freedom are combined as by Satterthwaite (1946).

    Parameters
    ----------
    influence
        Shape (t,), as `entity` and `question`.
    entity, question
        Clusters, numbered from 0.
    regressor
        What the statistic is the slope on: the value of each entity that has trials, in the order of their numbers;
        for a difference of two arms, the arm.
    """
    _, by_entity = np.unique(entity, return_inverse=True)
    _, by_question = np.unique(question, return_inverse=True)
    questions = int(by_question.max()) + 1
    of_entity, of_question, of_both = (
        np.bincount(cluster, influence) ** 2
        for cluster in (by_entity, by_question, by_entity * questions + by_question)
    )
    left, df = _left_and_df(regressor)
    entities = float(np.sum(of_entity / left))
    alike = max(0.0, float(of_question.sum()) * questions / max(questions - 1, 1) - float(of_both.sum()))
    variance = entities + alike
    if not variance > 0:
        return 0.0, df
    return math.sqrt(variance), variance**2 / (entities**2 / df + alike**2 / max(questions - 1, 1))


def _left_and_df(regressor: FloatArray) -> tuple[FloatArray, float]:
    """Return what each entity's leverage on a slope leaves, and the degrees of freedom of the slope's variance.

    The latter if errors are alike. The variance is the quadratic form ``residuals' W residuals``, W the squared weights
    over 1 less the leverages, which leave `LEAST_LEFT` at least: an entity may be the only one that differs. So
    of errors it is ``errors' M W M errors``, and Satterthwaite's degrees of freedom are the squared trace of ``M W M``
    over the trace of its square.
    """
    centred = regressor - regressor.mean()
    square = float(centred @ centred)
    left = np.maximum(1 - 1 / len(centred) - centred**2 / square, LEAST_LEFT)
    residual_maker = np.eye(len(centred)) - 1 / len(centred) - np.outer(centred, centred) / square
    weights = np.abs(centred) / np.sqrt(left)
    form = weights[:, None] * residual_maker * weights
    return left, float(np.trace(form)) ** 2 / float(np.sum(form**2))


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


ONE_SIDED = 0.95
"""Share of one answer from which a model counts as giving that answer to everything. Our choice."""


def yes_share(answers: Answers) -> Estimate:
    """Estimate the share of yes among the answers; Wilson's interval, each question counted once."""
    return share(answers.question, answers.said_yes, "share of yes")


def signal(answers: Answers) -> Estimate:
    """Estimate how often yes is said where it is right, less how often where it is wrong (Youden's J, 1950).

    Reading gives up to 1; guessing, and any answer given regardless of the question, 0, however many questions have
    yes for an answer. Newcombe's (1998) interval, each question counted once.
    """
    right, wrong = (share(answers.question[side], answers.said_yes[side], "share of yes") for side in answers.sides)
    return replace(right - wrong, label="yes where it is right less where it is wrong")


def no_signal_reasons(answers: Answers) -> tuple[str, ...]:
    """Say why the answers carry no signal; empty where they do.

    Answers of one kind, and answers that do not depend on which answer is right, measure no reading at all: their
    accuracy is that of the questions' make-up, whatever the entity.
    """
    if not len(answers):
        return ("no trial ended in yes or no",)
    if not all(side.any() for side in answers.sides):
        only = "yes" if answers.truth.any() else "no"
        return (f"every question has the answer {only}: reading cannot be told from always saying {only}",)
    reasons = []
    said = yes_share(answers).value
    if not 1 - ONE_SIDED < said < ONE_SIDED:
        word, part = ("yes", said) if said > 0.5 else ("no", 1 - said)
        reasons.append(f"answers are one-sided: {part:.0%} are {word}")
    read = signal(answers)
    if not read.interval().low > 0:
        right, base = float(answers.correct.mean()), float(answers.truth.mean())
        reasons.append(
            f"answers do not depend on the question (Youden's J {read.value:.2f}, 95% {read.interval()}): "
            f"{right:.0%} are right, and always saying yes would make {base:.0%} right"
        )
    return tuple(reasons)
