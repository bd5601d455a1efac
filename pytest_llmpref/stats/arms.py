"""Two arms of entities at the same tasks, and whether one of them is served better.

A task is a stratum: how hard it is cancels out. What is left has two causes of likeness, the entity and the task, and
standard errors are clustered by both. The tests are exact, or permute the arms' labels within each task.

References
----------
Agresti and Coull 1998
Agresti and Min 2005
Bell and McCaffrey 2002
Bloom 1995
Cameron, Gelbach and Miller 2011
Mehta, Patel and Gray 1985
Phipson and Smyth 2010
Satterthwaite 1946
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown, fixed_sample
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.pair_logit import LEAST_LEFT

RESAMPLES = 9_999
"""Permutations of a test by permutation. Our choice."""
MOST_SPLITS = 10_000
"""Most ways to divide the entities into two arms that are all counted; twelve entities have 924."""
ASSUMED_GAP = 0.5
"""By how much the arms differ at a task that they solve unequally, before any is seen. Our choice."""
_ROUNDING = 1e-9
"""Differences that are no larger are none."""
_ALIKE = 1 + 1e-9
"""Probabilities that differ by less than rounding are the same."""


@dataclass(frozen=True, eq=False, slots=True)
class ArmRuns:
    """Runs of both arms; arrays of shape (n_runs,).

    Attributes
    ----------
    task, entity
        Indices.
    top
        Whether the run was on behalf of an entity of the first arm. An entity is in one arm only.
    value
        What came of it: 0 or 1, or a measure of effort.
    """

    task: NDArray[np.intp]
    entity: NDArray[np.intp]
    top: NDArray[np.bool_]
    value: FloatArray

    def paired(self) -> "ArmRuns":
        """Return the runs at tasks that both arms have runs at, tasks renumbered."""
        both = np.intersect1d(self.task[self.top], self.task[~self.top])
        kept = np.isin(self.task, both)
        task = np.searchsorted(both, self.task[kept])
        return ArmRuns(task, self.entity[kept], self.top[kept], self.value[kept])

    @property
    def tasks(self) -> int:
        """How many tasks there are, once `paired`."""
        return int(self.task.max()) + 1 if len(self.task) else 0


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

    Returns
    -------
    tuple of float
        The standard error, in the unit of the statistic, and its degrees of freedom.
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


def arm_difference(
    runs: ArmRuns, label: str, *, binary: bool, stratum: str = "task", invalid: Iterable[str] = ()
) -> Estimate:
    """Estimate the difference in value, first minus second arm, within each task, averaged over tasks.

    What a task is called in the estimate is ``stratum``.

    Errors are clustered by entity and task, with Student's t: see `clustered_error`. For values of 0
    or 1 it is as if two more tasks had been seen that the arms solve unequally, one each way (Agresti and Coull 1998,
    and Agresti and Min 2005, add such to a share and to a paired difference): see `unseen`.

    Parameters
    ----------
    runs
        The runs of both arms.
    label
        What is estimated.
    binary
        Whether values are 0 or 1, or parts of a success between these.
    stratum
        What a task is called.
    invalid
        Why the measurement under it is invalid.

    Returns
    -------
    Estimate
        In the unit of the values; NaN for fewer than 2 tasks, 4 entities, or 2 entities in either arm.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arms import ArmRuns, arm_difference
    >>> task, entity = np.divmod(np.arange(40), 4)
    >>> runs = ArmRuns(task, entity, entity < 2, ((task + entity) % 3 > entity // 2).astype(float))
    >>> arm_difference(runs, "difference", binary=True)
    <difference 0.3, 95% [-0.2303, 0.8303], n=10 tasks>
    """
    runs = runs.paired()
    clustered = f"errors clustered by entity and {stratum} (Cameron, Gelbach and Miller 2011)"
    unit, method = f"{stratum}s", f"paired difference by {stratum}; {clustered}, {stratum}s being independent"
    reasons, n, entities = tuple(invalid), runs.tasks, len(np.unique(runs.entity))
    if n < 2 or entities < 4:
        reasons += (f"{n} {unit} under {entities} entities are too few: a difference needs 2 under 4",)
        return Estimate(math.nan, n, unit, method, Unknown(), reasons, label)
    weight = _weights(runs)
    difference = float(weight @ runs.value)
    middle = np.bincount(runs.task, np.abs(weight) * runs.value)[runs.task] * n / 2
    side = np.where(runs.top, 1, -1)
    influence = weight * (runs.value - middle - side * difference / 2)
    _, at = np.unique(runs.entity, return_index=True)
    if min(np.bincount(runs.top[at], minlength=2)) < 2:
        reasons += ("an arm of one entity says nothing of how far entities differ: a difference needs 2 in either",)
        return Estimate(math.nan, n, unit, method, Unknown(), reasons, label)
    error, df = clustered_error(influence, runs.entity, runs.task, runs.top[at].astype(np.float64))
    if binary:
        more, most = unseen(np.bincount(runs.task, weight * runs.value).astype(np.float64) * n)
        error, df = math.hypot(error, more), min(df, most)
    interval = Normal(difference, error, df)
    return Estimate(difference, n, unit, method, interval, tuple(dict.fromkeys(reasons)), label)


def unseen(differences: FloatArray) -> tuple[float, float]:
    """Return the error that two more tasks which the arms solve unequally would add, and the most degrees of freedom.

    Where nearly all tasks are solved by both arms or by none, those that are not are few, and chance may have shown
    none of them. The two are of the size of those seen, and of one more that differs by a half (our choice).

    Parameters
    ----------
    differences
        Of each task, shape (n_tasks,).
    """
    unequal = int(np.count_nonzero(np.abs(differences) > _ROUNDING))
    size = math.sqrt((float(differences @ differences) + ASSUMED_GAP**2) / (unequal + 1))
    return math.sqrt(2) * size / len(differences), unequal + 3.0


def _weights(runs: ArmRuns) -> FloatArray:
    """Return what each run's value counts in the difference, positive in the first arm."""
    count = np.bincount(2 * runs.task + runs.top, minlength=2 * runs.tasks)
    return np.asarray(np.where(runs.top, 1.0, -1.0) / (runs.tasks * count[2 * runs.task + runs.top]))


def exact_p_value(runs: ArmRuns) -> float:
    """Return the two-sided p of the exact test of 2 x 2 tables stratified by task (Mehta, Patel and Gray 1985).

    Given how many runs of a task succeeded, those of the first arm are hypergeometric if the arm makes no difference;
    the sum over tasks has the convolution of these. Probabilities no larger than that of what was seen are added up,
    as in Fisher's exact test, which this is where there is one task; with one run in each arm it is McNemar's.

    Parameters
    ----------
    runs
        The runs of both arms; values are 0 or 1.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arms import ArmRuns, exact_p_value
    >>> solved = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 1]], dtype=float)
    >>> task, entity = np.divmod(np.arange(12), 4)
    >>> round(exact_p_value(ArmRuns(task, entity, entity < 2, solved.ravel())), 3)
    0.083
    """
    runs = runs.paired()
    distribution = np.ones(1)
    lowest = 0
    for task in range(runs.tasks):
        here = runs.task == task
        total, solved, first = int(here.sum()), int(runs.value[here].sum()), int((here & runs.top).sum())
        low, high = max(0, first + solved - total), min(first, solved)
        # By whole numbers of any size. The same of scipy.stats would import all of it: a second.
        ways = [math.comb(first, count) * math.comb(total - first, solved - count) for count in range(low, high + 1)]
        distribution = np.convolve(distribution, [each / math.comb(total, solved) for each in ways])
        lowest += low
    seen = distribution[int(runs.value[runs.top].sum()) - lowest]
    return float(min(1.0, distribution[distribution <= seen * _ALIKE].sum()))


def permutation_p_value(runs: ArmRuns, *, seed: int) -> float:
    """Return the two-sided p of the difference, the arms' labels permuted within each task.

    What was seen counts as one of the permutations (Phipson and Smyth 2010).

    Parameters
    ----------
    runs
        The runs of both arms.
    seed
        Random seed of the permutations.

    Returns
    -------
    float
        Above 0, at most 1.
    """
    runs = runs.paired()
    rng = np.random.default_rng(seed)
    weight = _weights(runs)
    seen, extreme = abs(float(weight @ runs.value)), 0
    order = np.argsort(runs.task, kind="stable")
    sorted_weight, value, task = weight[order], runs.value[order], runs.task[order]
    for _ in range(RESAMPLES):
        shuffled = np.lexsort((rng.random(len(task)), task))
        extreme += abs(float(sorted_weight @ value[shuffled])) >= seen / _ALIKE
    return (extreme + 1) / (RESAMPLES + 1)


def entities_p_value(runs: ArmRuns) -> float:
    """Return the two-sided p of the difference among all ways to divide the entities into arms of these sizes.

    Entities are what is permuted, so that one unusual entity does not pass for a difference of arms. NaN where there
    are too many ways to count.

    Parameters
    ----------
    runs
        The runs of both arms.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.arms import ArmRuns, entities_p_value
    >>> solved = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 1]], dtype=float)
    >>> task, entity = np.divmod(np.arange(12), 4)
    >>> round(entities_p_value(ArmRuns(task, entity, entity < 2, solved.ravel())), 3)
    0.333
    """
    runs = runs.paired()
    entities, of = np.unique(runs.entity, return_inverse=True)
    first = np.unique(of[runs.top])
    if math.comb(len(entities), len(first)) > MOST_SPLITS:
        return math.nan
    seen, extreme, ways = abs(float(_weights(runs) @ runs.value)), 0, 0
    for chosen in combinations(range(len(entities)), len(first)):
        divided = ArmRuns(runs.task, runs.entity, np.isin(of, chosen), runs.value).paired()
        ways += 1
        if divided.tasks:
            extreme += abs(float(_weights(divided) @ divided.value)) >= seen / _ALIKE
    return extreme / ways


def minimum_detectable(difference: Estimate, *, alpha: float = 0.05, power: float = 0.80) -> float:
    """Return the smallest true difference that a study with this standard error finds with this power; NaN without.

    ``(t(1 - alpha / 2) + t(power)) * se`` (Bloom 1995), as for a study with a fixed sample size.

    Parameters
    ----------
    difference
        An estimate with Student's interval.
    alpha
        Two-sided error rate.
    power
        Chance to detect the difference.

    Returns
    -------
    float
        In the unit of the estimate.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal
    >>> from pytest_llmpref.stats.arms import minimum_detectable
    >>> round(minimum_detectable(Estimate(0.0, 50, "tasks", "by hand", Normal(0.0, 0.05, df=20))), 3)
    0.147
    """
    method = fixed_sample(difference.interval_method)
    if not isinstance(method, Normal):
        return math.nan
    return float((special.stdtrit(method.df, 1 - alpha / 2) + special.stdtrit(method.df, power)) * method.se)
