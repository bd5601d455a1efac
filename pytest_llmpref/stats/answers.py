"""The data of a reading task: how often answers are right, whether they carry a signal at all, and simulated ones.

References
----------
Newcombe 1998
Wilson 1927
Youden 1950
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import scipy
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Unknown, Wilson
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray, means_by, normal_scores
from pytest_llmpref.stats.closed_form import ACCURACY, DIFFICULTY_SD, ENTITY_SD


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


def share(question: IntArray, has: BoolArray, label: str) -> Estimate:
    """Estimate a share of answers, each question counted once however often it was asked; Wilson's interval.

    Parameters
    ----------
    question, has
        Question of each answer, and whether the answer counts; shape (t,) each.
    label
        What is estimated.

    Returns
    -------
    Estimate
        Between 0 and 1; NaN without an answer. Its sample size is the number of questions.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import share
    >>> share(np.array([0, 0, 1, 2]), np.array([True, False, True, True]), "accuracy")
    <accuracy 0.8333, 95% [0.31, 0.9823], n=3 questions>
    """
    method = "share of answers, Wilson (1927) interval, each question counted once"
    n = len(np.unique(question))
    value = float(np.nanmean(means_by(question, has, int(question.max()) + 1))) if n else math.nan
    return Estimate(value, n, "questions", method, Wilson(value * n, n) if n else Unknown(), (), label)


def accuracy(answers: Answers) -> Estimate:
    """Estimate the share of right answers over all entities; Wilson's interval, each question counted once.

    Parameters
    ----------
    answers
        The trials.

    Returns
    -------
    Estimate
        Between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import ReadingDesign, accuracy, simulate_answers
    >>> accuracy(simulate_answers(ReadingDesign(8, 100), np.random.default_rng(1)))
    <accuracy 0.84, 95% [0.7558, 0.899], n=100 questions>
    """
    return share(answers.question, answers.correct, "accuracy")


def accuracies(answers: Answers) -> list[Estimate]:
    """Estimate each entity's accuracy: share of right answers, each question counted once, Wilson's interval.

    Parameters
    ----------
    answers
        The trials.

    Returns
    -------
    list of Estimate
        One for each entity, in order; NaN for one that was never asked under.
    """
    return [
        share(answers.question[own], answers.correct[own], "accuracy")
        for own in (answers.entity == entity for entity in range(answers.n_entities))
    ]


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
    """Estimate the share of yes among the answers; Wilson's interval, each question counted once.

    Parameters
    ----------
    answers
        The trials.

    Returns
    -------
    Estimate
        Between 0 and 1.
    """
    return share(answers.question, answers.said_yes, "share of yes")


def signal(answers: Answers) -> Estimate:
    """Estimate Youden's J (1950): share of yes to questions whose answer is yes, minus share of yes to the others.

    Reading gives up to 1; guessing, and any answer given regardless of the question, 0, however many questions have
    yes for an answer. Newcombe's (1998) interval, each question counted once.

    Parameters
    ----------
    answers
        The trials.

    Returns
    -------
    Estimate
        From -1 to 1.

    Examples
    --------
    A model that says yes to everything reads nothing.

    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import Answers, signal
    >>> truth, yes = np.arange(40) % 2 == 0, np.ones(40, dtype=bool)
    >>> answers = Answers(np.zeros(40, dtype=np.intp), np.arange(40), yes == truth, yes, 1)
    >>> signal(answers).value
    0.0
    """
    right, wrong = (share(answers.question[side], answers.said_yes[side], "share of yes") for side in answers.sides)
    return replace(right - wrong, label="difference in share of yes, questions whose answer is yes minus no")


def no_signal_reasons(answers: Answers) -> tuple[str, ...]:
    """Say why the answers carry no signal; empty if they do.

    Answers of one kind, and answers that do not depend on which answer is right, measure no reading at all: their
    accuracy is that of the questions' make-up, whatever the entity.

    Parameters
    ----------
    answers
        The trials.

    Returns
    -------
    tuple of str
        One sentence for each reason.
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


# Nodes and weights for means over a standard normal.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class ReadingDesign:
    """The size of a reading task, and what is expected of the model.

    Attributes
    ----------
    n_entities, n_questions
        Every question is asked once under every entity; at least 4 of either.
    accuracy
        Expected share of right answers, above 0.5 and below 1.
    difficulty_sd
        Standard deviation of the questions' log-odds of a right answer.
    entity_sd
        Standard deviation of what entities add to the log-odds whatever their preference.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    n_entities: int = 72
    n_questions: int = 200
    accuracy: float = ACCURACY
    difficulty_sd: float = DIFFICULTY_SD
    entity_sd: float = ENTITY_SD

    def __post_init__(self) -> None:
        if self.n_entities < 4 or self.n_questions < 4:
            raise ValueError(f"{self.n_entities} entities x {self.n_questions} questions: a design needs 4 of either")
        if not 0.5 < self.accuracy < 1:
            raise ValueError(f"accuracy={self.accuracy}: a model that reads is right more than half of the time")
        if self.difficulty_sd < 0 or self.entity_sd < 0:
            raise ValueError(f"difficulty_sd={self.difficulty_sd}, entity_sd={self.entity_sd}: neither is below 0")

    @property
    def preference(self) -> FloatArray:
        """Normal scores, shape (n_entities,), with standard deviation 1: what the simulated entities are worth."""
        return normal_scores(self.n_entities)

    @property
    def level(self) -> float:
        """Mean log-odds of a question, which gives the expected accuracy."""
        return float(scipy.optimize.brentq(lambda level: self.mean_accuracy(level, 0.0) - self.accuracy, -20, 40))

    def points(self, slope: float) -> float:
        """Return the difference of accuracy between extreme entities that a slope (log-odds per SD) makes."""
        level = self.level
        low, high = (self.mean_accuracy(level, slope * float(at)) for at in self.preference[[0, -1]])
        return high - low

    def slope(self, points: float) -> float:
        """Return the slope (log-odds per SD) that makes a difference of accuracy between extreme entities.

        Raises
        ------
        ValueError
            If no slope makes so large a difference.
        """
        if not abs(points) < self.points(5.0):
            raise ValueError(f"points={points}: no slope makes accuracies differ so much")
        return float(scipy.optimize.brentq(lambda slope: self.points(slope) - points, -5, 5))

    def mean_accuracy(self, level: float, shift: float) -> float:
        """Return the mean accuracy over questions whose log-odds are ``level`` on average, shifted alike."""
        return float(_WEIGHTS @ special.expit(level + shift + self.difficulty_sd * _NODES))


def simulate_answers(
    design: ReadingDesign,
    rng: np.random.Generator,
    *,
    slope: float = 0.0,
    yes_bias: float = 0.0,
    yes_bias_slope: float = 0.0,
    effects: FloatArray | None = None,
    control: str | None = None,
) -> Answers:
    """Draw the answers of a model whose accuracy depends on preference as planted.

    Half of the questions have yes for an answer.

    Parameters
    ----------
    design
        Size and skill; entity ``i`` is worth ``design.preference[i]``.
    rng
        Source of randomness.
    slope
        Log-odds of a right answer per SD of preference.
    yes_bias, yes_bias_slope
        Log-odds of the answer yes, right or wrong: for all entities, and per SD of preference.
    effects
        What each entity adds to the log-odds of a right answer, shape (n_entities,); drawn unless given.
    control
        Name of a framing without an entity under which each question is asked once, too.

    Returns
    -------
    Answers
        Every question under every entity, and in the control, where there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
    >>> len(simulate_answers(ReadingDesign(n_entities=8, n_questions=10), np.random.default_rng(1)))
    80
    """
    entities, questions = design.n_entities, design.n_questions
    levels = design.level + design.difficulty_sd * rng.standard_normal(questions)
    if effects is None:
        effects = design.entity_sd * rng.standard_normal(entities) + slope * design.preference
    leaning = yes_bias + yes_bias_slope * design.preference
    truth = np.arange(questions) % 2 == 0
    logits = levels + effects[:, None] + leaning[:, None] * np.where(truth, 1, -1)
    correct = rng.random((entities, questions)) < special.expit(logits)
    entity, question = np.divmod(np.arange(entities * questions), questions)
    said_yes = correct == truth
    controls = {}
    if control is not None:
        alone = rng.random(questions) < special.expit(levels + yes_bias * np.where(truth, 1, -1))
        controls[control] = ControlAnswers(np.arange(questions), alone, alone == truth)
    return Answers(entity, question, correct.ravel(), said_yes.ravel(), entities, controls)
