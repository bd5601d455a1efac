"""Standard errors where trials share an entity, and others a question."""

import numpy as np

from pytest_llmpref.stats.comparisons import FloatArray, IntArray


def clustered_variance(influence: FloatArray, entity: IntArray, question: IntArray, *, parameters: int) -> float:
    """Return the variance of a statistic from what each trial contributes to its error, clustered two ways.

    Variance by entity, plus by question, less that by both (Cameron, Gelbach and Miller 2011, equation 2.11); never
    less than the last, which is that of independent trials. Clusters are few, so sums over entities are scaled by
    G / (G - parameters), as for a regression on G entities, and sums over questions by Q / (Q - 1).

    Parameters
    ----------
    influence
        Shape (t,), as `entity` and `question`.
    entity, question
        Clusters, numbered from 0.
    parameters
        How many parameters the entities determine: 2 for a slope, or for two groups' means.
    """
    _, by_entity = np.unique(entity, return_inverse=True)
    _, by_question = np.unique(question, return_inverse=True)
    entities, questions = int(by_entity.max()) + 1, int(by_question.max()) + 1
    parts = []
    for cluster in (by_entity, by_question, by_entity * questions + by_question):
        sums = np.bincount(cluster, influence)
        parts.append(float(sums @ sums))
    two_way = parts[0] * entities / (entities - parameters) + parts[1] * questions / max(questions - 1, 1) - parts[2]
    return max(two_way, parts[2])
