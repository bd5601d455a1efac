"""Which pairs to ask next, given the answers so far: those that say most about the strengths."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_llmpref.stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray
from pytest_llmpref.stats.rating import fit_strengths

SPREADS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.2, 2.0, 3.5)
"""Standard deviations of strengths that are tried, in log-odds. Our choice: all but alike, to wider than real ones."""
EVIDENCE_NEEDED = 3.0
"""Log-likelihood that any other spread must gain over the smallest: about twenty to one (Kass and Raftery 1995).

Without it a model that likes nothing more than another is taken to have opinions, and its chance extremes, which more
questions would level, are not asked about again.
"""
DIGITS = 6
"""Significant digits in which gains are compared, so that another machine's rounding chooses the same pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """All questions of a design, asked or not; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    label_first_is_a
        Whether the option shown first carries label A.
    pair_of
        Number of each question's unordered pair, from 0, in the order in which a fixed design asks them.
    n_entities
        Number of entities.
    """

    first: IntArray
    second: IntArray
    label_first_is_a: BoolArray
    pair_of: IntArray
    n_entities: int


def next_pairs(pool: Pool, scores: FloatArray, closed: BoolArray, count: int, *, seed: int) -> list[int]:
    """Choose the pairs to ask next: each the one whose answers say most, given the answers and the pairs before it.

    That is the largest product of the variance of the difference of two strengths, and the information of its
    questions under Bradley-Terry, ``p (1 - p)`` each: the greedy step of a D-optimal design (Silvey 1980; Glickman and
    Jensen 2005 for paired comparisons). The variance shrinks with each pair that is chosen, as if it was answered.

    Strengths are drawn from what is believed of them (Thompson 1933). Were they the likeliest ones, entities that came
    near each other by chance would be compared with each other only, and 95% intervals would hold the truth 82 to 93%
    of the time. The spread of the strengths is found from the answers too (empirical Bayes, Laplace's approximation),
    so that few answers are not taken for firm opinions. Ties go to the pair that a fixed design asks first.

    Parameters
    ----------
    pool
        The questions.
    scores
        Probability that the first was chosen; NaN where there is no answer; shape (t,).
    closed
        Whether a pair is not to be asked, most often because it was; shape (pairs,).
    count
        How many to choose.
    seed
        Of the draw, together with the number of pairs that are closed.

    Returns
    -------
    The numbers of the pairs, in the order chosen; fewer than ``count`` where fewer are open.
    """
    is_open = ~closed
    count = min(count, int(is_open.sum()))
    answered = ~np.isnan(scores)
    if not answered.any():
        return [int(pair) for pair in np.flatnonzero(is_open)[:count]]
    parameters, covariance = _believed(pool, scores, answered)
    rng = np.random.default_rng([seed, int(closed.sum())])
    strengths = parameters[:-2] + np.linalg.cholesky(covariance) @ rng.standard_normal(pool.n_entities)
    # The label is averaged over, like the position over the orders: what it is worth says nothing of the two entities,
    # and must not make all pairs that carry one label look as if they told more.
    logits = strengths[pool.first] - strengths[pool.second] + parameters[-2]
    chances = special.expit(np.stack([logits + parameters[-1] / 2, logits - parameters[-1] / 2]))
    information = np.bincount(pool.pair_of, (chances * (1 - chances)).mean(axis=0), len(closed))
    of_pair = np.unique(pool.pair_of, return_index=True)[1]
    a, b = pool.first[of_pair], pool.second[of_pair]
    chosen = list[int]()
    for _ in range(count):
        diagonal = np.diag(covariance)
        variance = diagonal[a] + diagonal[b] - 2 * covariance[a, b]
        gain = np.where(is_open, _rounded(variance * information), -1.0)
        pair = int(np.argmax(gain))
        chosen.append(pair)
        is_open[pair] = False
        towards = covariance[:, a[pair]] - covariance[:, b[pair]]
        covariance = covariance - np.outer(towards, towards) * (
            information[pair] / (1 + information[pair] * variance[pair])
        )
    return chosen


def _believed(pool: Pool, scores: FloatArray, answered: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return parameters (n_entities + 2,) and the strengths' covariance, at the likeliest spread of the strengths."""
    n = pool.n_entities
    comparisons = Comparisons(
        pool.first[answered], pool.second[answered], scores[answered], pool.label_first_is_a[answered], n
    )
    weights = np.ones((len(comparisons), 1))
    found: list[tuple[float, FloatArray, FloatArray]] = []
    for spread in SPREADS:
        start = found[-1][1] if found else None
        fits, model = fit_strengths(comparisons, weights, prior_sd=spread, start=start)
        parameters, chances = fits.parameters[:, 0], fits.chances[:, 0]
        information = model.information((chances * (1 - chances))[:, None])[0]
        likelihood = special.xlogy(comparisons.score, chances) + special.xlog1py(1 - comparisons.score, -chances)
        evidence = (
            float(likelihood.sum())
            - float(np.sum(parameters[:n] ** 2)) / (2 * spread**2)
            - n * np.log(spread)
            - np.linalg.slogdet(information)[1] / 2
        )
        found.append((evidence, parameters, information))
    needed = found[0][0] + EVIDENCE_NEEDED
    best = max(range(len(SPREADS)), key=lambda index: found[index][0])
    _, parameters, information = found[best if found[best][0] > needed else 0]
    return parameters, np.asarray(np.linalg.inv(information)[:n, :n], dtype=np.float64)


def _rounded(values: FloatArray) -> FloatArray:
    """Round positive values to `DIGITS` significant digits."""
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.maximum(values, 1e-300))))
    return np.asarray(np.round(values * scale) / scale)
