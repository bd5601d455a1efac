"""How often attempts are refused: a rate for each entity, an additive model of log-odds, and what goes beyond it.

References
----------
Kish 1965
Lehmann and Casella 1998
Wilson 1927
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.clustering import own_design_effects
from pytest_llmpref.stats.pair_logit import PairFits, PairRegression
from pytest_llmpref.stats.refits import Refits
from pytest_llmpref.stats.reliability import of_halves, split_correlations

PRIOR_SD = 2.0
"""Standard deviation of the prior on entities' effects, in log-odds. Our choice; wide for rates from 1 to 99%."""
WORDING_SD = 5.0
"""The same for the effects of wordings and of the interaction: all but flat, yet finite under separation."""


@dataclass(frozen=True, eq=False)
class Attempts:
    """Trials about two entities, each asked until its answer was valid; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    wording
        Index of the wording.
    refused, made
        Attempts that were refused, and all.
    refused_first
        Whether the first attempt was refused.
    n_entities
        Number of entities, asked about or not.

    Raises
    ------
    ValueError
        If lengths differ, an index is out of range, or a trial has more refusals than attempts, or no attempt.
    """

    first: IntArray
    second: IntArray
    wording: IntArray
    refused: IntArray
    made: IntArray
    refused_first: BoolArray
    n_entities: int

    def __post_init__(self) -> None:
        arrays = (self.first, self.second, self.wording, self.refused, self.made, self.refused_first)
        if len({array.shape for array in arrays}) != 1 or self.first.ndim != 1:
            raise ValueError(f"attempts need six arrays of one shape (t,), not {[array.shape for array in arrays]}")
        entities = np.r_[self.first, self.second]
        if entities.size and not 0 <= entities.min() <= entities.max() < self.n_entities:
            raise ValueError(f"attempts: entities must lie within 0 and {self.n_entities - 1} (n_entities - 1)")
        if np.any(self.made < 1) or np.any(self.refused > self.made) or np.any(self.refused < 0):
            raise ValueError("attempts: a trial has at least one attempt, and no more refusals than attempts")

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def pair_of(self) -> IntArray:
        """Number of each trial's unordered pair, from 0; shape (t,)."""
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        return np.asarray(np.unique(low * self.n_entities + high, return_inverse=True)[1], dtype=np.intp)

    def part(self, chosen: BoolArray) -> "Attempts":
        """Return some of the trials."""
        return Attempts(
            self.first[chosen],
            self.second[chosen],
            self.wording[chosen],
            self.refused[chosen],
            self.made[chosen],
            self.refused_first[chosen],
            self.n_entities,
        )


@dataclass(frozen=True, slots=True, eq=False)
class AdditiveFit:
    """The additive model of refusal log-odds.

    Attributes
    ----------
    effects, standard_errors
        What each entity adds to the log-odds, mean 0 over the entities asked about; shape (n_entities,). NaN for
        an entity that was never asked about.
    degrees_of_freedom
        Of each standard error; shape (n_entities,).
    converged
        Whether Newton's steps came to rest.
    """

    effects: FloatArray
    standard_errors: FloatArray
    degrees_of_freedom: FloatArray
    converged: bool


def refusal_rates(attempts: Attempts) -> list[Estimate]:
    """Estimate for each entity how often a question about it is refused, averaged over its questions.

    Only first attempts count: an average over all would give questions that are often refused more weight, and with
    geometric stopping the first is the one unbiased estimator of a question's own rate (the geometric family is
    complete: Lehmann and Casella 1998, chapter 2). The interval is Wilson's (1927), for the number of trials divided by
    the entity's design effect (`stats.clustering.own_design_effects`), or that of all where its trials all ended alike.

    Parameters
    ----------
    attempts
        The trials.

    Returns
    -------
    list of Estimate
        One for each entity, in order, between 0 and 1.
    """
    n, common = attempts.n_entities, design_effect(attempts, by_entity=True)
    entity = np.r_[attempts.first, attempts.second]
    pair, refused = np.tile(attempts.pair_of, 2), np.tile(attempts.refused_first, 2)
    effects = own_design_effects(entity, pair, refused, n, otherwise=common)
    counts = np.bincount(entity, refused, n), np.bincount(entity, minlength=n), effects
    return [_rate(int(count), int(made), float(effect)) for count, made, effect in zip(*counts, strict=True)]


def overall_rate(attempts: Attempts) -> Estimate:
    """Estimate how often a question is refused, averaged over the questions; see `refusal_rates`.

    Parameters
    ----------
    attempts
        The trials.

    Returns
    -------
    Estimate
        Between 0 and 1.
    """
    # A few pairs tell little of how alike their trials are.
    effect = max(1.0, design_effect(attempts, by_entity=False))
    return _rate(int(attempts.refused_first.sum()), len(attempts), effect)


def fit_additive(
    attempts: Attempts,
    *,
    prior_sd: float = PRIOR_SD,
) -> AdditiveFit:
    """Fit ``logit P(refused) = wording + effect[first] + effect[second]`` to all attempts.

    Penalised maximum likelihood by Newton's method: effects have a Gaussian prior, so that a model that refuses
    everything, or nothing, has finite ones. That a trial goes on until an answer
    is valid leaves the likelihood as it is. Standard errors are clustered by pair: see `PairRegression.errors`.

    Parameters
    ----------
    attempts
        The trials.
    prior_sd
        Standard deviation of the prior on effects, in log-odds.

    Returns
    -------
    AdditiveFit
        Effects in log-odds, with their errors.

    Raises
    ------
    ValueError
        If there are no trials.
    """
    if not len(attempts):
        raise ValueError("a fit needs at least one trial")
    successes, made = attempts.refused.astype(np.float64), attempts.made.astype(np.float64)
    model, fits = _fit_to_all(attempts, prior_sd)
    chances = fits.chances[:, 0]
    n, parameters = attempts.n_entities, fits.parameters[:, 0]
    asked = model.met(np.ones((len(attempts), 1)))[:, 0] > 0
    centring = np.eye(len(parameters))
    centring[:n, :n] -= np.where(asked, 1 / asked.sum(), 0.0)
    residuals, variance = successes - made * chances, made * chances * (1 - chances)
    errors, df = model.errors(residuals, variance, attempts.pair_of, centring, parameters=parameters, drawn=True)
    return AdditiveFit(
        effects=np.where(asked, (centring @ fits.parameters)[:n, 0], np.nan),
        standard_errors=np.where(asked, errors[:n], np.nan),
        degrees_of_freedom=df[:n],
        converged=bool(fits.converged[0]),
    )


@lru_cache(maxsize=4)
def _fit_to_all(attempts: Attempts, prior_sd: float) -> tuple[PairRegression, PairFits]:
    """Return the additive model, and its fit to all attempts."""
    model = regression(attempts, None, prior_sd)
    refused, made = (values.astype(np.float64)[:, None] for values in (attempts.refused, attempts.made))
    return model, model.fit(refused, made)


def refits(attempts: Attempts, unread: IntArray) -> Refits:
    """Return what fits the additive model again, with other numbers of refusals among attempts that cannot be read.

    Parameters
    ----------
    attempts
        The trials; attempts that cannot be read are made, but not refused.
    unread
        How many of each trial's cannot be read, shape (t,).

    Returns
    -------
    Refits
        Its effects are in log-odds.
    """
    return Refits(
        model=regression(attempts, None),
        successes=attempts.refused.astype(np.float64),
        made=attempts.made.astype(np.float64),
        varying=np.flatnonzero(unread),
        n_entities=attempts.n_entities,
    )


def leave_one_out_changes(attempts: Attempts) -> FloatArray:
    """Return the leave-one-out changes of each entity's effect, by the entity left out; shape (n_entities, n_entities).

    ``[j, i]`` is the effect of j without the trials about i minus the effect with them: one Newton step from the fit to
    all trials. NaN where either was never asked about.

    Parameters
    ----------
    attempts
        The trials.

    Returns
    -------
    FloatArray
        In log-odds.
    """
    n = attempts.n_entities
    model, fits = _fit_to_all(attempts, PRIOR_SD)
    chances = fits.chances[:, 0]
    absent = np.arange(n)
    kept = ((attempts.first[:, None] != absent) & (attempts.second[:, None] != absent)).astype(np.float64)
    residuals = attempts.refused - attempts.made * chances
    changes = model.step(fits.parameters[:, 0], residuals, attempts.made * chances * (1 - chances), kept)[:n]
    asked = model.met(np.ones((len(attempts), 1)))[:, 0] > 0
    return np.where(asked[:, None] & asked, changes, np.nan)


def split_half(attempts: Attempts, *, splits: int = 10, seed: int) -> Estimate:
    """Estimate the reliability of the entities' effects: how far two halves of the pairs order them alike.

    As `stats.halves.split_half`: pairs are split at random, Spearman's rho between the halves is averaged and
    stepped up by Spearman-Brown.

    Parameters
    ----------
    attempts
        The trials.
    splits
        Random halves of the pairs.
    seed
        Random seed of the halves.

    Returns
    -------
    Estimate
        At most 1.
    """
    rng = np.random.default_rng(seed)
    # Where all attempts ended alike, effects differ only by how often an entity came into a half.
    differ = 0 < attempts.refused.sum() < attempts.made.sum()
    pairs = int(attempts.pair_of.max()) + 1 if differ else 0
    halves = [rng.permutation(np.arange(pairs) % 2)[attempts.pair_of] for _ in range(splits if pairs > 1 else 0)]
    fits = _fit_halves(attempts, np.stack(halves, axis=1)) if halves else ()
    known = ((one, other, ~np.isnan(one) & ~np.isnan(other)) for one, other in fits)
    found, fewest = split_correlations(
        (np.round(one[shared], 6), np.round(other[shared], 6)) for one, other, shared in known
    )
    return of_halves(
        found,
        fewest or attempts.n_entities,
        halved="pairs",
        noise_df=pairs - attempts.n_entities + 1,
        otherwise="refusals do not tell at least four entities apart",
    )


def _rate(refused: int, n: int, effect: float) -> Estimate:
    return Estimate(
        value=refused / n if n else math.nan,
        n=n,
        unit="trials",
        method=f"share of first attempts, Wilson (1927) interval, design effect {effect:.2f} (Kish 1965)",
        interval_method=Wilson(refused / effect, n / effect),
    )


def design_effect(attempts: Attempts, *, by_entity: bool) -> float:
    """Return what the likeness of trials about one pair costs: the factor on the variance of a rate (Kish 1965).

    ``1 + (m - 1) * ICC``, m being the trials about one pair, by a one-way analysis of variance.

    Parameters
    ----------
    attempts
        The trials.
    by_entity
        Whether the rate is an entity's: each entity's pairs are compared with one another, and all entities are pooled.
        Otherwise the rate is that of all trials.

    Returns
    -------
    float
        1 where trials about one pair are as unlike as any.
    """
    if not len(attempts):
        return 1.0
    twice = 2 if by_entity else 1
    refused, pair = (np.tile(of, twice) for of in (attempts.refused_first.astype(np.float64), attempts.pair_of))
    group = np.concatenate([attempts.first, attempts.second]) if by_entity else np.zeros(len(pair), dtype=np.intp)
    of_group = np.bincount(group, refused) / np.maximum(np.bincount(group), 1)
    names, cluster = np.unique(group * (pair.max() + 1) + pair, return_inverse=True)
    size = np.bincount(cluster)
    means = np.bincount(cluster, refused) / size
    between_df, within_df = len(names) - len(np.unique(group)), len(refused) - len(names)
    if between_df < 1 or within_df < 1:
        return 1.0
    between = float(np.sum((means[cluster] - of_group[group]) ** 2)) / between_df
    within = float(np.sum((refused - means[cluster]) ** 2)) / within_df
    m = float(size.mean())
    if between + (m - 1) * within <= 0:
        return 1.0
    return 1 + (m - 1) * (between - within) / (between + (m - 1) * within)


def _fit_halves(attempts: Attempts, halves: IntArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield entities' effects in either half of the trials, NaN for an entity without any; halves (t, splits)."""
    weights = np.concatenate([halves == 0, halves == 1], axis=1).astype(np.float64)
    model = regression(attempts, None)
    fits = model.fit(attempts.refused[:, None] * weights, attempts.made[:, None] * weights)
    effects = np.where(model.met(weights) > 0, fits.parameters[: attempts.n_entities], np.nan)
    effects -= np.nanmean(effects, axis=0)
    splits = halves.shape[1]
    yield from zip(effects.T[:splits], effects.T[splits:], strict=True)


def regression(attempts: Attempts, covariate: FloatArray | None, prior_sd: float = PRIOR_SD) -> PairRegression:
    """Return the additive model: effects of entities, of wordings, and the coefficients of covariates.

    Parameters
    ----------
    attempts, prior_sd
        As for `fit_additive`.
    covariate
        Further regressors, shape (t,) or (t, k).
    """
    others = np.eye(int(attempts.wording.max()) + 1)[attempts.wording]
    if covariate is not None:
        others = np.column_stack([others, covariate])
    n = attempts.n_entities
    precision = np.r_[np.full(n, prior_sd**-2.0), np.full(others.shape[1], WORDING_SD**-2.0)]
    return PairRegression(attempts.first, attempts.second, n, sign=1.0, others=others, precision=precision)
