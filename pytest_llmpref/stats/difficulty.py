"""Whether accuracy follows preference more in harder questions: the difference in slope, harder minus easier half.

How hard a question is must not be told by the very answers whose slope is taken: a chance error would then make both.
So the entities are divided into two folds, and for each fold the control and the other fold say how hard a question is
(cross-fitting: Chernozhukov et al. 2018). A question is one stratum in each fold, since what it shares between them
would tie the slope of one to the difficulty that the other sees.

References
----------
Breslow and Day 1980
Cameron, Gelbach and Miller 2011
Chernozhukov et al. 2018
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.stats.answers import Answers
from pytest_llmpref.stats.arms import clustered_error
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.conditional_logit import ConditionalFit, fit_conditional
from pytest_llmpref.stats.performance import FEWEST_INFORMATIVE, with_preference

FEWEST_ENTITIES = 8
"""Fewest entities, so that four in each fold say how hard a question is for the other. Our choice."""
_METHOD = (
    "conditional logistic regression (Breslow and Day 1980) in each half of the questions, divided by the control "
    "and the other half of the entities (cross-fitting: Chernozhukov et al. 2018); errors clustered by entity and "
    "question (Cameron, Gelbach and Miller 2011), questions being independent"
)


@dataclass(frozen=True, slots=True)
class DifficultySlopes:
    """How far being right follows preference, by how hard questions are.

    Attributes
    ----------
    easier, harder
        Log-odds of a right answer per standard deviation of preference, in either half of the questions.
    difference
        The slope in the harder half minus the slope in the easier half.
    """

    easier: Estimate
    harder: Estimate
    difference: Estimate


def slopes_by_difficulty(answers: Answers, preference: FloatArray, *, invalid: Iterable[str] = ()) -> DifficultySlopes:
    """Estimate the slope of being right on standardised preference in the easier and in the harder half of questions.

    Questions whose answer is yes and those whose answer is no are divided, and fitted, apart, as in
    `performance.preference_slope`: so a leaning to yes neither makes a question hard nor a slope steep.

    Parameters
    ----------
    answers
        The trials, and the controls.
    preference
        Value of each entity, shape (n_entities,), NaN if there is none.
    invalid
        Reasons why the measurement is invalid.

    Returns
    -------
    DifficultySlopes
        Invalid where too few questions inform one of the halves.

    Raises
    ------
    ValueError
        If the number of values is not ``n_entities``.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
    >>> from pytest_llmpref.stats.difficulty import slopes_by_difficulty
    >>> design = ReadingDesign(24, 100)
    >>> answers = simulate_answers(design, np.random.default_rng(1), slope=0.3, control="no_entity")
    >>> print((slopes_by_difficulty(answers, design.preference).difference > 0).verdict)
    inconclusive
    """
    kept, x = with_preference(answers, preference)
    fold = _folds(preference, kept)[kept.entity]
    cells = _cells(kept, x, fold, _harder(answers, kept, fold))
    reasons = [*invalid, *(cell.problem for cell in cells if cell.problem)]
    if (entities := len(np.unique(kept.entity))) < FEWEST_ENTITIES:
        reasons.append(f"{entities} entities are too few: a slope by difficulty needs at least {FEWEST_ENTITIES}")
    questions, known = len(np.unique(kept.question)), all(math.isfinite(cell.fit.slope) for cell in cells)

    def estimate(label: str, signs: tuple[int, int]) -> Estimate:
        value, interval = math.nan, Normal(math.nan, math.nan)
        if known and entities >= FEWEST_ENTITIES:
            value, interval = _combined(kept, x, [cell for cell in cells if signs[cell.half]], signs)
        return Estimate(value, questions, "questions", _METHOD, interval, tuple(reasons), label)

    return DifficultySlopes(
        estimate("slope of accuracy in easier questions", (1, 0)),
        estimate("slope of accuracy in harder questions", (0, 1)),
        estimate("difference in slope of accuracy, harder minus easier questions", (-1, 1)),
    )


def _folds(preference: FloatArray, answers: Answers) -> IntArray:
    """Return the fold of each entity: by rank, first, second, second, first, ..., so that both are liked alike."""
    asked = np.bincount(answers.entity, minlength=answers.n_entities) > 0
    rank = np.where(asked, preference, np.nan).argsort(kind="stable").argsort(kind="stable")
    return np.asarray((rank + 1) // 2 % 2, dtype=np.intp)


def _harder(answers: Answers, kept: Answers, fold: IntArray) -> FloatArray:
    """Return for each trial whether its question is in the harder half (1), or not (0); NaN if nobody tells.

    By the share of wrong answers in the controls and under the entities of the other fold, beside the median of the
    questions that have the same answer.
    """
    of_controls = [control.question for control in answers.controls.values()]
    size = 1 + max(int(questions.max(initial=-1)) for questions in (answers.question, *of_controls))
    wrong_alone, alone = np.zeros((2, size))
    for control in answers.controls.values():
        wrong_alone += np.bincount(control.question, ~control.correct, size)
        alone += np.bincount(control.question, minlength=size)
    found = np.full(len(kept), np.nan)
    for own in (0, 1):
        other = fold != own
        wrong = wrong_alone + np.bincount(kept.question[other], ~kept.correct[other], size)
        n = alone + np.bincount(kept.question[other], minlength=size)
        share = np.divide(wrong, n, out=np.full(size, np.nan), where=n > 0)
        for side in kept.sides:
            told = ~other & side & ~np.isnan(share[kept.question])
            if told.any():
                median = np.median(share[np.unique(kept.question[told])])
                found[told] = share[kept.question[told]] > median
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """The questions of one half that have one answer: which trials they are, and their fit."""

    half: int
    answer: str
    rows: BoolArray
    fit: ConditionalFit

    @property
    def problem(self) -> str:
        """Why there is no slope; empty if there is one."""
        where = f"in the {('easier', 'harder')[self.half]} half of questions whose answer is {self.answer}"
        if math.isinf(self.fit.slope):
            return f"preference separates right from wrong {where}: no finite slope"
        if len(self.fit.levels) < FEWEST_INFORMATIVE:
            return (
                f"{len(self.fit.levels)} of {self.fit.strata} were answered both right and wrong {where}; "
                f"a slope needs {FEWEST_INFORMATIVE}"
            )
        return ""


def _cells(answers: Answers, x: FloatArray, fold: IntArray, harder: FloatArray) -> list[_Cell]:
    found = []
    for half in (0, 1):
        for answer, side in zip(("yes", "no"), answers.sides, strict=True):
            rows = side & (harder == half)
            fit = fit_conditional(x[rows], answers.correct[rows], 2 * answers.question[rows] + fold[rows])
            found.append(_Cell(half, answer, rows, fit))
    return found


def _combined(answers: Answers, x: FloatArray, cells: Iterable[_Cell], signs: tuple[int, int]) -> tuple[float, Normal]:
    """Return a sum of the halves' slopes, each the mean of its two sides, and its interval."""
    value, influence = 0.0, np.zeros(len(answers))
    for cell in cells:
        value += signs[cell.half] * cell.fit.slope / 2
        influence[cell.rows] += signs[cell.half] * cell.fit.influence / 2
    _, at = np.unique(answers.entity, return_index=True)
    error, df = clustered_error(influence, answers.entity, answers.question, x[at])
    return value, Normal(value, error, df)
