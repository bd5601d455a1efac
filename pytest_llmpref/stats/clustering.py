"""Standard errors where trials share an entity, and others a question."""

import numpy as np

from pytest_llmpref.stats.comparisons import FloatArray, IntArray


def clustered_variance(influence: FloatArray, entity: IntArray, question: IntArray, *, leverage: FloatArray) -> float:
    """Return the variance of a statistic from what each trial contributes to its error, clustered two ways.

    Variance by entity, plus by question, less that by both (Cameron, Gelbach and Miller 2011, equation 2.11); never
    less than the last, which is that of independent trials. Clusters are few, and a fit follows them: the sum of an
    entity is divided by the root of 1 less its leverage (CR2: Bell and McCaffrey 2002), squares of those of questions
    are scaled by Q / (Q - 1).

    Parameters
    ----------
    influence
        Shape (t,), as `entity` and `question`.
    entity, question
        Clusters, numbered from 0.
    leverage
        Of each entity, in the order of their numbers; shape (entities,).
    """
    _, by_entity = np.unique(entity, return_inverse=True)
    _, by_question = np.unique(question, return_inverse=True)
    questions = int(by_question.max()) + 1
    of_entity, of_question, of_both = (
        np.bincount(cluster, influence) ** 2
        for cluster in (by_entity, by_question, by_entity * questions + by_question)
    )
    independent = float(of_both.sum())
    clustered = float(np.sum(of_entity / (1 - leverage))) + float(of_question.sum()) * questions / max(questions - 1, 1)
    return max(clustered - independent, independent)
