"""Strengths of entities from comparisons by Bradley and Terry's model.

References
----------
Bradley and Terry 1952
Davidson and Beaver 1977
Wedderburn 1974
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pytest_llmpref.stats.arrays import BoolArray, FloatArray
from pytest_llmpref.stats.closed_form import ELO_PER_LOGIT
from pytest_llmpref.stats.comparisons import ELO_MEAN, Comparisons, require_comparisons
from pytest_llmpref.stats.pair_logit import MOST_STEPS, PairFits, PairRegression
from pytest_llmpref.stats.refits import Refits

PRIOR_SD = math.log(10)
"""Standard deviation of the prior on strengths, in log-odds: 400 Elo points. Our choice; wide for real models."""
NUISANCE_SD = 10.0
"""The same for the position and label effects: all but flat, yet finite for a model that always takes one side."""
LEAST_SCATTER = 0.01
"""What probabilities are taken to scatter at least, the variance of draws being 1. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Rating:
    """Strengths with their standard errors.

    Attributes
    ----------
    elo
        Strength on the Elo scale, mean 1500 over the entities that were compared; shape (n_entities,).
        NaN for an entity that was never compared.
    standard_errors
        In Elo points, shape (n_entities,); they carry sampling noise, clustered by unordered pair. All NaN where
        the comparisons fall apart into groups without a link: only the prior then sets one against another.
    degrees_of_freedom
        Of each standard error, shape (n_entities,); infinite if they know it as well as if it were given.
    converged
        Whether Newton's steps came to rest.
    iterations
        How many steps were taken.
    connected
        Whether all compared entities hang together.
    """

    elo: FloatArray
    standard_errors: FloatArray
    degrees_of_freedom: FloatArray
    converged: bool
    iterations: int
    connected: bool


def bradley_terry(
    comparisons: Comparisons,
    *,
    weights: FloatArray | None = None,
    prior_sd: float = PRIOR_SD,
    max_iterations: int = MOST_STEPS,
) -> Rating:
    """Rate entities by penalised maximum likelihood, with the position and the label as nuisance effects.

    The log-odds that the first is chosen are ``strength[first] - strength[second] + position + label / 2``, the
    label with a minus sign where the first carries B (Bradley and Terry 1952; order effect as in Davidson and
    Beaver 1977). Strengths have a Gaussian prior with mean 0, so that an entity that always wins stays finite. Answers
    read as probabilities scatter less than draws from them, and tell so much more: their likelihood is divided by how
    far they scatter (quasi-likelihood, Wedderburn 1974), which the prior then hardly shrinks.
    Standard errors are clustered by unordered pair (`stats.pair_logit.PairRegression.errors`), so they hold whether or
    not the two orders of a pair, or repetitions of it, are independent, and carry the prior's shrinkage of entities
    that nearly always win or lose.

    Parameters
    ----------
    comparisons
        The trials.
    weights
        Weight of each comparison, shape (t,), not negative; 1 where left out.
    prior_sd
        Standard deviation of the prior on strengths, in log-odds.
    max_iterations
        Maximum number of Newton steps.

    Returns
    -------
    Rating
        Strengths in Elo points, with their errors.

    Raises
    ------
    ValueError
        If there are no comparisons, or weights do not fit them.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.comparisons import Comparisons
    >>> from pytest_llmpref.stats.rating import bradley_terry
    >>> first, second = np.array([0, 1, 1, 2, 2, 0]), np.array([1, 0, 2, 1, 0, 2])
    >>> chosen = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    >>> bradley_terry(Comparisons(first, second, chosen, np.array([True, False] * 3), 3)).elo.round()
    array([1789., 1500., 1211.])
    """
    require_comparisons(comparisons)
    weights = _checked(weights, len(comparisons))
    return _in_elo(comparisons, weights, *_fitted(comparisons, weights, prior_sd, max_iterations))


def _in_elo(comparisons: Comparisons, weights: FloatArray, fits: PairFits, model: PairRegression) -> Rating:
    """Return fitted strengths about the mean of the entities that were compared, with their errors."""
    n = comparisons.n_entities
    compared, connected = _connection(comparisons, weights)
    # Centring is part of the estimate, so it is part of its error too.
    centring = np.eye(n + 2)
    centring[:n, :n] -= np.where(compared, 1 / compared.sum(), 0.0)
    parameters = centring @ fits.parameters[:, 0]
    errors, df = _standard_errors(comparisons, weights, fits, model, centring)
    errors = errors * ELO_PER_LOGIT
    return Rating(
        elo=np.where(compared, ELO_MEAN + ELO_PER_LOGIT * parameters[:n], np.nan),
        standard_errors=np.where(compared & connected, errors[:n], np.nan),
        degrees_of_freedom=df[:n],
        converged=bool(fits.converged[0]),
        iterations=int(fits.iterations[0]),
        connected=connected,
    )


def fit_strengths(
    comparisons: Comparisons,
    weights: FloatArray,
    *,
    prior_sd: float = PRIOR_SD,
    max_iterations: int = MOST_STEPS,
    start: FloatArray | None = None,
) -> tuple[PairFits, PairRegression]:
    """Maximise the penalised likelihood of `bradley_terry`, for several weightings of the comparisons at once.

    Parameters
    ----------
    weights
        Weights of the comparisons in each fit; shape (t, b).
    start
        Parameters to start from, shape (n_entities + 2,): strengths, position effect, label effect.

    Returns
    -------
    tuple of PairFits and PairRegression
        The fits in log-odds, and the model.
    """
    model = _regression(comparisons, weights.sum(axis=1), prior_sd)
    score = comparisons.score[:, None]
    return model.fit(weights * score, weights, max_iterations=max_iterations, start=start), model


def refits(comparisons: Comparisons, varying: BoolArray) -> Refits:
    """Return what fits strengths as `bradley_terry` does, on the Elo scale and less its mean, to other scores.

    Parameters
    ----------
    comparisons
        The trials.
    varying
        Those whose scores vary, shape (t,).

    Returns
    -------
    Refits
        Its effects are in Elo points.
    """
    weights = np.ones(len(comparisons))

    def precision(scores: FloatArray, chances: FloatArray) -> FloatArray:
        scatter = np.array(
            [
                _scatter(replace(comparisons, score=score), weights, chance)
                for score, chance in zip(scores.T, chances.T, strict=True)
            ]
        )
        strengths = np.repeat(scatter[None] * PRIOR_SD**-2.0, comparisons.n_entities, axis=0)
        return np.concatenate([strengths, np.full((2, len(scatter)), NUISANCE_SD**-2.0)])

    score = comparisons.score
    return Refits(
        model=_regression(comparisons, weights, PRIOR_SD),
        successes=np.where(varying, 0.0, score),
        made=weights,
        varying=np.flatnonzero(varying),
        n_entities=comparisons.n_entities,
        scale=ELO_PER_LOGIT,
        wider=None if comparisons.drawn else precision,
    )


def _regression(comparisons: Comparisons, weights: FloatArray, prior_sd: float) -> PairRegression:
    """Return the model of `bradley_terry`; ``weights`` tell which comparisons count, shape (t,)."""
    n = comparisons.n_entities
    return PairRegression(
        comparisons.first,
        comparisons.second,
        n,
        sign=-1.0,
        others=np.stack([np.ones(len(comparisons)), _label_design(comparisons, weights)], axis=1),
        precision=np.r_[np.full(n, prior_sd**-2.0), np.full(2, NUISANCE_SD**-2.0)],
    )


def fit_to_all(
    comparisons: Comparisons, *, prior_sd: float = PRIOR_SD, max_iterations: int = MOST_STEPS
) -> tuple[PairFits, PairRegression]:
    """Return `fit_strengths` of all comparisons, each of weight 1; what was fitted last is kept.

    Parameters
    ----------
    comparisons
        The trials.
    prior_sd, max_iterations
        As for `bradley_terry`.

    Returns
    -------
    tuple of PairFits and PairRegression
        As of `fit_strengths`.
    """
    return _fit_to_all(comparisons, prior_sd, max_iterations)


@lru_cache(maxsize=4)
def _fit_to_all(comparisons: Comparisons, prior_sd: float, max_iterations: int) -> tuple[PairFits, PairRegression]:
    weights = np.ones((len(comparisons), 1))
    return fit_strengths(comparisons, weights, prior_sd=prior_sd, max_iterations=max_iterations)


def _checked(weights: FloatArray | None, t: int) -> FloatArray:
    if weights is None:
        return np.ones(t)
    if weights.shape != (t,) or not np.all(weights >= 0) or not np.any(weights):
        raise ValueError(f"weights: one number of at least 0 for each of the {t} comparisons, and not all of them 0")
    return weights


def _label_design(comparisons: Comparisons, weights: FloatArray) -> FloatArray:
    """Return plus or minus a half, or zeros where every label stands with one position: then it has no effect apart."""
    used = comparisons.label_first_is_a[weights > 0]
    if used.all() or not used.any():
        return np.zeros(len(comparisons))
    return np.where(comparisons.label_first_is_a, 0.5, -0.5)


def _fitted(
    comparisons: Comparisons, weights: FloatArray, prior_sd: float, max_iterations: int
) -> tuple[PairFits, PairRegression]:
    """Fit strengths, and once more with the wider prior of answers that scatter less than draws."""
    if np.all(weights == 1):
        fits, model = fit_to_all(comparisons, prior_sd=prior_sd, max_iterations=max_iterations)
    else:
        fits, model = fit_strengths(comparisons, weights[:, None], prior_sd=prior_sd, max_iterations=max_iterations)
    if (scatter := _scatter(comparisons, weights, fits.chances[:, 0])) < 1:
        wider, start = prior_sd / math.sqrt(scatter), fits.parameters[:, 0]
        return fit_strengths(comparisons, weights[:, None], prior_sd=wider, max_iterations=max_iterations, start=start)
    return fits, model


def _scatter(comparisons: Comparisons, weights: FloatArray, chances: FloatArray) -> float:
    """Return the variance of pairs' answers about the fit, that of draws being 1; 1 for draws.

    At least `LEAST_SCATTER`, and never more than draws have.
    """
    if comparisons.drawn:
        return 1.0
    pairs, pair_of = comparisons.pairs
    residuals = np.where(comparisons.low_first, 1, -1) * weights * (comparisons.score - chances)
    found = float(np.sum(np.bincount(pair_of, residuals) ** 2)) / float(np.sum(weights * chances * (1 - chances)))
    left = len(pairs) - comparisons.n_entities - 1
    return min(1.0, max(LEAST_SCATTER, found * len(pairs) / left)) if left > 0 else 1.0


def _standard_errors(
    comparisons: Comparisons, weights: FloatArray, fits: PairFits, model: PairRegression, centring: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return standard errors of the centred parameters in log-odds, and their degrees of freedom, (n_entities + 2,)."""
    chances, parameters = fits.chances[:, 0], fits.parameters[:, 0]
    variance = weights * chances * (1 - chances)
    _, pair_of = comparisons.pairs
    return model.errors(
        weights * (comparisons.score - chances),
        variance,
        pair_of,
        centring,
        parameters=parameters,
        drawn=comparisons.drawn,
    )


def _connection(
    comparisons: Comparisons, weights: FloatArray
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], bool]:
    """Return which entities were compared, and whether these hang together."""
    n, used = comparisons.n_entities, weights > 0
    first, second = comparisons.first[used], comparisons.second[used]
    compared = np.bincount(np.r_[first, second], minlength=n) > 0
    # From one on to whom it met, and so on. scipy's search imports scipy.linalg, which takes a twentieth of a second.
    linked, count = np.zeros(n, dtype=np.bool_), 0
    linked[first[:1]] = True
    while (found := int(np.count_nonzero(linked))) > count:
        count = found
        reached = linked[first] | linked[second]
        linked[first[reached]] = linked[second[reached]] = True
    return compared, bool(linked[compared].all())
