"""Whether two arms of entities differ more at harder tasks: in the harder half, and for each level of difficulty.

How hard a task is must not be told by the runs whose difference is taken: a chance error would then make both. So the
entities of each arm are divided into two folds, and for each fold the control and the other fold say how hard a task is
(cross-fitting: Chernozhukov et al. 2018), as `stats.difficulty` does for questions. A level is known beforehand, and
needs no such care.

References
----------
Cameron, Gelbach and Miller 2011
Chernozhukov et al. 2018
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.arms import ArmRuns, clustered_error, unseen
from pytest_llmpref.stats.arrays import FloatArray, IntArray

FEWEST_ENTITIES = 4
"""Fewest entities in an arm, so that two in each fold say how hard a task is for the other. Our choice."""
FEWEST_TASKS = 2
"""Fewest tasks in either half, and fewest levels."""
_CLUSTERED = "errors clustered by entity and task (Cameron, Gelbach and Miller 2011)"
_METHOD = (
    "difference of paired differences, tasks divided by the control and the other half of the entities "
    f"(cross-fitting: Chernozhukov et al. 2018); {_CLUSTERED}"
)
_FOLDS = 2


@dataclass(frozen=True, slots=True)
class GapsByDifficulty:
    """The difference between the arms in the easier and the harder half of the tasks, and harder minus easier."""

    easier: Estimate
    harder: Estimate
    difference: Estimate


def gaps_by_difficulty(
    runs: ArmRuns, control_task: IntArray, control_value: FloatArray, *, invalid: Iterable[str] = ()
) -> GapsByDifficulty:
    """Estimate the difference of the arms in the easier and in the harder half of the tasks.

    Parameters
    ----------
    runs
        The runs of both arms; values are shares solved, 0 to 1. Entities of an arm are numbered by how much they are
        liked, so that both folds are liked alike.
    control_task, control_value
        Of the runs for nobody.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    GapsByDifficulty
        NaN for too few entities, or where the tasks are not told apart.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arms import ArmRuns
    >>> from pytest_llmpref.stats.arms_by_difficulty import gaps_by_difficulty
    >>> entity, task = np.divmod(np.arange(80), 10)
    >>> solved = ((task < 5) | ((entity < 4) & (task < 9))).astype(float)
    >>> alone = (np.arange(10) < 5).astype(float)
    >>> found = gaps_by_difficulty(ArmRuns(task, entity, entity < 4, solved), np.arange(10), alone)
    >>> found.easier.value, found.harder.value
    (0.0, 0.8)
    """
    fold = _folds(runs)
    harder = _harder(runs, fold, control_task, control_value)
    strata = ArmRuns(_FOLDS * runs.task + fold, runs.entity, runs.top, runs.value)
    told = _in_both_arms(strata) & ~np.isnan(harder)
    kept = ArmRuns(*(getattr(strata, name)[told] for name in ("task", "entity", "top", "value")))
    stratum, number = np.unique(kept.task, return_inverse=True)
    half = np.zeros(len(stratum))
    half[number] = harder[told]
    sizes = [len(np.unique(stratum[half == one] // _FOLDS)) for one in (0, 1)]
    too_few = _too_few(runs)
    if min(sizes) < FEWEST_TASKS:
        too_few.append(f"{min(sizes)} tasks in one half are too few: their difficulty is not told apart")
    reasons = (*invalid, *too_few)

    def estimate(where: str, signs: tuple[int, int]) -> Estimate:
        weight = np.array([signs[int(one)] / np.sum(half == one) for one in half])
        value, interval = math.nan, Normal(math.nan, math.nan)
        if not too_few:
            value, interval = _contrast(kept, number, stratum // _FOLDS, weight, _half_means(kept, number, half))
        label = f"difference in share of tasks solved, top minus bottom arm, {where} tasks"
        return Estimate(value, len(np.unique(stratum // _FOLDS)), "tasks", _METHOD, interval, reasons, label)

    return GapsByDifficulty(
        estimate("easier", (1, 0)), estimate("harder", (0, 1)), estimate("harder minus easier", (-1, 1))
    )


def gap_per_level(runs: ArmRuns, level: FloatArray, label: str, *, invalid: Iterable[str] = ()) -> Estimate:
    """Estimate by how much the difference of the arms grows with each level of difficulty: a least squares slope.

    Parameters
    ----------
    runs
        The runs of both arms; values are shares solved, 0 to 1.
    level
        Of each task, by its index.
    label
        What is estimated.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        NaN for too few entities, or levels.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arms import ArmRuns
    >>> from pytest_llmpref.stats.arms_by_difficulty import gap_per_level
    >>> entity, task = np.divmod(np.arange(48), 6)
    >>> solved = ((task < 4) | (entity < 4)).astype(float)
    >>> gap_per_level(ArmRuns(task, entity, entity < 4, solved), np.repeat([1.0, 2.0, 3.0], 2), "slope").value
    0.5
    """
    told = _in_both_arms(runs)
    kept = ArmRuns(*(getattr(runs, name)[told] for name in ("task", "entity", "top", "value")))
    task, number = np.unique(kept.task, return_inverse=True)
    x = level[task]
    too_few = _too_few(runs)
    if len(np.unique(x)) < FEWEST_TASKS:
        too_few.append("the tasks are of one level, so that no slope on it can be told")
    reasons = (*invalid, *too_few)
    method = f"least squares over tasks, of paired differences; {_CLUSTERED}"
    if too_few:
        return Estimate(math.nan, len(task), "tasks", method, Unknown(), reasons, label)
    centred = x - x.mean()
    weight = centred / float(centred @ centred)
    gaps = _gaps(kept, number)
    fitted = gaps.mean() + centred * float(weight @ gaps)
    value, interval = _contrast(kept, number, task, weight, fitted)
    return Estimate(value, len(task), "tasks", method, interval, reasons, label)


def _too_few(runs: ArmRuns) -> list[str]:
    fewest = min(len(np.unique(runs.entity[runs.top == arm])) for arm in (True, False))
    return [] if fewest >= FEWEST_ENTITIES else [f"{fewest} entities in an arm are too few: it takes {FEWEST_ENTITIES}"]


def _folds(runs: ArmRuns) -> IntArray:
    """Return the fold of each run's entity: first, second, second, first, ... within its arm."""
    fold = np.zeros(int(runs.entity.max(initial=-1)) + 1, dtype=np.intp)
    for arm in (True, False):
        entities = np.unique(runs.entity[runs.top == arm])
        fold[entities] = (np.arange(len(entities)) + 1) // 2 % _FOLDS
    return fold[runs.entity]


def _harder(runs: ArmRuns, fold: IntArray, control_task: IntArray, control_value: FloatArray) -> FloatArray:
    """Return for each run whether its task is in the harder half (1), or not (0); NaN if nobody tells."""
    size = 1 + max(int(runs.task.max(initial=-1)), int(control_task.max(initial=-1)))
    found = np.full(len(runs.task), np.nan)
    for own in range(_FOLDS):
        other = fold != own
        unsolved = np.bincount(control_task, 1 - control_value, size)
        unsolved += np.bincount(runs.task[other], 1 - runs.value[other], size)
        n = np.bincount(control_task, minlength=size) + np.bincount(runs.task[other], minlength=size)
        share = np.divide(unsolved, n, out=np.full(size, np.nan), where=n > 0)
        mine = ~other & ~np.isnan(share[runs.task])
        if mine.any():
            found[mine] = share[runs.task[mine]] > np.median(share[np.unique(runs.task[mine])])
    return found


def _in_both_arms(runs: ArmRuns) -> NDArray[np.bool_]:
    """Return which runs are of a task, or stratum, that both arms have runs of."""
    both = np.intersect1d(runs.task[runs.top], runs.task[~runs.top])
    return np.isin(runs.task, both)


def _arm_means(runs: ArmRuns, number: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean value of the first and of the second arm, by stratum."""
    size = int(number.max(initial=-1)) + 1
    top, bottom = (
        np.bincount(number[of], runs.value[of], size) / np.maximum(np.bincount(number[of], minlength=size), 1)
        for of in (runs.top, ~runs.top)
    )
    return top, bottom


def _gaps(runs: ArmRuns, number: IntArray) -> FloatArray:
    top, bottom = _arm_means(runs, number)
    return top - bottom


def _half_means(runs: ArmRuns, number: IntArray, half: FloatArray) -> FloatArray:
    """Return, for each stratum, the mean difference of the arms in its half."""
    gaps = _gaps(runs, number)
    return np.array([gaps[half == one].mean() for one in half])


def _contrast(
    runs: ArmRuns, number: IntArray, task: IntArray, weight: FloatArray, fitted: FloatArray
) -> tuple[float, Normal]:
    """Return a weighted sum of the strata's differences, and its interval.

    Parameters
    ----------
    runs, number
        The runs, and the stratum of each.
    task
        Of each stratum.
    weight, fitted
        Of each stratum: what its difference counts, and what the model of the differences says that it is.
    """
    top, bottom = _arm_means(runs, number)
    side = np.where(runs.top, 1, -1)
    count = np.bincount(2 * number + runs.top, minlength=2 * len(weight))
    of_run = weight[number] * side / count[2 * number + runs.top]
    influence = of_run * (runs.value - ((top + bottom) / 2)[number] - side * fitted[number] / 2)
    _, at = np.unique(runs.entity, return_index=True)
    error, df = clustered_error(influence, runs.entity, task[number], runs.top[at].astype(np.float64))
    gaps = top - bottom
    for sign in (1, -1):
        part = weight * sign > 0
        if part.any():
            size, most = unseen(gaps[part])
            error, df = math.hypot(error, size * float(np.abs(weight[part]).sum())), min(df, most)
    value = float(weight @ gaps)
    return value, Normal(value, error, df)
