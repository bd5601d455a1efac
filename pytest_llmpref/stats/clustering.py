"""Standard errors where trials share an entity, and others a question."""

import math

import numpy as np

from pytest_llmpref.stats.comparisons import FloatArray, IntArray
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
