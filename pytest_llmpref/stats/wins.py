"""Shares of judgments won: by the pieces of one arm of entities against those of another, and by pairs of one entity.

Every piece of one arm meets every piece of the other that was written for the same task. So the share is a two-sample
U statistic, an area under a ROC curve. What a piece contributes to its variance is the share that it won itself, its
placement (DeLong, DeLong and Clarke-Pearson 1988). Pieces for one entity may be alike, and so may those for one task.
So placements are added up within each entity (Obuchowski 1997), and the variance by task counts as far as it exceeds
that of independent pieces (Cameron, Gelbach and Miller 2011).

References
----------
Cameron, Gelbach and Miller 2011
DeLong, DeLong and Clarke-Pearson 1988
Hanley and Lippman-Hand 1983
Obuchowski 1997
Satterthwaite 1946
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import NormalShare, Unknown
from pytest_llmpref.stats.arrays import FloatArray, IntArray

FEWEST = 2
"""Fewest entities in an arm, and fewest tasks: of one nothing tells how far they differ."""
_CLUSTERED = "errors clustered by entity and task (Cameron, Gelbach and Miller 2011)"


@dataclass(frozen=True, eq=False, slots=True)
class Judgments:
    """Pairs of pieces that were judged; arrays of shape (n_pairs,).

    Attributes
    ----------
    first, second
        The pieces: indices of either side, each numbered from 0.
    score
        1 if the first won, 0 if the second did, a half for a tie.
    entity_of_first, entity_of_second, task_of_first, task_of_second
        Indices, shape (pieces of that side,).
    """

    first: IntArray
    second: IntArray
    score: FloatArray
    entity_of_first: IntArray
    entity_of_second: IntArray
    task_of_first: IntArray
    task_of_second: IntArray


def share_won(judgments: Judgments, label: str, *, invalid: Iterable[str] = ()) -> Estimate:
    """Estimate the share of judgments won by pieces of the first arm against pieces of the second.

    Parameters
    ----------
    judgments
        Whose sides are pieces for the entities of two arms, which share no entity.
    label
        What is estimated.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        0.5 where neither side is better; NaN for fewer than two entities in an arm, or two tasks.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.wins import Judgments, share_won
    >>> quality = np.array([[3.0, 1.0, 2.5], [2.0, 2.2, 0.0]])  # of pieces for two entities, at three tasks
    >>> other = np.array([[1.0, 2.0, 2.0], [2.5, 0.5, 1.0]])
    >>> entity, task = np.divmod(np.arange(6), 3)
    >>> first, second = (part.ravel() for part in np.meshgrid(np.arange(6), np.arange(6), indexing="ij"))
    >>> same = task[first] == task[second]
    >>> first, second = first[same], second[same]
    >>> score = (quality.ravel()[first] > other.ravel()[second]).astype(float)
    >>> print(share_won(Judgments(first, second, score, entity, entity, task, task), "share").value.__round__(3))
    0.667
    """
    one, other = judgments, _swapped(judgments)
    n, tasks = len(one.score), len(np.unique(one.task_of_first[one.first]))
    sides = [_Side(each) for each in (one, other)]
    method = f"U statistic of two arms (DeLong, DeLong and Clarke-Pearson 1988; Obuchowski 1997); {_CLUSTERED}"
    too_few = _too_few([len(side.entities) for side in sides], tasks)
    reasons = (*invalid, *too_few)
    if not n or too_few:
        return Estimate(math.nan, n, "judgments", method, Unknown(), reasons, label)
    value = float(one.score.mean())
    by_task = np.bincount(one.task_of_first[one.first], one.score - value) / n
    error, df = _error([(side.influence, side.entity, side.task) for side in sides], by_task, tasks)
    return Estimate(value, n, "judgments", method, NormalShare(value, error, df), reasons, label)


def share_won_within(
    score: FloatArray, entity: IntArray, task: IntArray, label: str, *, invalid: Iterable[str] = ()
) -> Estimate:
    """Estimate the share of judgments won where both pieces of a pair were written for one entity and one task.

    Parameters
    ----------
    score
        As in `Judgments`, shape (n_pairs,).
    entity, task
        Indices, shape (n_pairs,).
    label
        What is estimated.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        NaN for fewer than two entities, or two tasks.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.wins import share_won_within
    >>> entity, task = np.divmod(np.arange(12), 3)
    >>> share_won_within(np.where(np.arange(12) % 4, 1.0, 0.5), entity, task, "share").value
    0.875
    """
    n, entities, tasks = len(score), len(np.unique(entity)), len(np.unique(task))
    method = f"share of pairs of pieces; {_CLUSTERED}"
    too_few = _too_few([entities], tasks)
    reasons = (*invalid, *too_few)
    if not n or too_few:
        return Estimate(math.nan, n, "judgments", method, Unknown(), reasons, label)
    value = float(score.mean())
    influence = (score - value) / n
    by_task = np.bincount(task, influence).astype(np.float64)
    error, df = _error([(influence, entity, task)], by_task, tasks)
    return Estimate(value, n, "judgments", method, NormalShare(value, error, df), reasons, label)


def placements(first: IntArray, score: FloatArray, pieces: int) -> FloatArray:
    """Return the share of its judgments that each piece won; NaN for one without any.

    Parameters
    ----------
    first, score
        As in `Judgments`.
    pieces
        How many there are.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.wins import placements
    >>> placements(np.array([0, 0, 1]), np.array([1.0, 0.5, 0.0]), 2).tolist()
    [0.75, 0.0]
    """
    count = np.bincount(first, minlength=pieces)
    won = np.bincount(first, score, pieces)
    return np.asarray(np.divide(won, count, out=np.full(pieces, np.nan), where=count > 0))


def _swapped(one: Judgments) -> Judgments:
    return Judgments(
        one.second,
        one.first,
        1 - one.score,
        one.entity_of_second,
        one.entity_of_first,
        one.task_of_second,
        one.task_of_first,
    )


class _Side:
    """What the pieces of one arm contribute to the error of the share."""

    def __init__(self, judgments: Judgments) -> None:
        pieces = len(judgments.entity_of_first)
        won = placements(judgments.first, judgments.score, pieces)
        met = ~np.isnan(won)
        self.entity, self.task = judgments.entity_of_first[met], judgments.task_of_first[met]
        self.entities = np.unique(self.entity)
        count = np.bincount(judgments.first, minlength=pieces)[met]
        self.influence = (won[met] - judgments.score.mean()) * count / count.sum() if met.any() else won[met]


def _too_few(entities: Sequence[int], tasks: int) -> list[str]:
    if min(entities) < FEWEST:
        return [f"an arm with pieces for {min(entities)} entities is too small: it takes {FEWEST}"]
    return [] if tasks >= FEWEST else [f"{tasks} tasks are too few: it takes {FEWEST}"]


def _error(
    sides: Sequence[tuple[FloatArray, IntArray, IntArray]], by_task: FloatArray, tasks: int
) -> tuple[float, float]:
    """Return the standard error of a share, and its degrees of freedom as by Satterthwaite (1946).

    Two more pairs are counted in it, won by either side: so where all judgments are alike, the error is not 0 (as in
    the rule of three, Hanley and Lippman-Hand 1983).

    Parameters
    ----------
    sides
        Of each: what its pieces contribute, and their entities and tasks.
    by_task
        What each task contributes.
    tasks
        How many there are.
    """
    parts = list[tuple[float, float]]()
    alone = 0.0
    for influence, entity, task in sides:
        _, of = np.unique(entity, return_inverse=True)
        entities = int(of.max()) + 1
        parts.append((float(np.sum(np.bincount(of, influence) ** 2)) * entities / (entities - 1), entities - 1.0))
        # What is alike within an entity at one task stands in both sums.
        alone += float(np.sum(np.bincount(of * (int(task.max()) + 1) + task, influence) ** 2))
    parts.append((max(0.0, float(np.sum(by_task**2)) * tasks / (tasks - 1) - alone), tasks - 1.0))
    unseen = 0.5 / min(len(influence) for influence, _, _ in sides) ** 2
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / df for part, df in parts)
    df = variance**2 / spread if spread > 0 else min(df for _, df in parts)
    return math.sqrt(variance + unseen), df
