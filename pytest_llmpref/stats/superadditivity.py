"""Whether two dislikes add up to more than their sum, or whether something else makes it look so.

On the log-odds scale, beside one effect for each entity. Three rivals would show in the product of two dislikes too:

- options of one group, which are liked alike, are refused more together;
- a floor: some refusals have nothing to do with the options, which bends the log-odds of the seldom refused;
- the option that is refused more decides alone.

References
----------
Carroll et al. 2006
Firth 1993
Vuong 1989
Wilson 1927
"""

import math
from typing import NamedTuple

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Envelope, Normal, Unknown, Wilson
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.noise import Noisy, true_values
from pytest_llmpref.stats.pair_logit import PairRegression
from pytest_llmpref.stats.refusal import Attempts, fit_additive, regression
from pytest_llmpref.stats.refusal_patterns import all_alike, dislikes

LEAST_REFUSED = 0.25
"""Share of the trials, those with the least refused pairs, whose refusals bound the floor. Our choice."""
FLOOR_LEVEL = 0.90
"""Level of the interval of that share, whose upper end the floor may reach: 95% on one side."""
LEAST_LIKELY = 0.82
"""Log-likelihood that a floor may lie below the best: half of the 80% quantile of chi-square, so 90% on one side. Our
choice: with floors that a claim of no floor would deny, superadditivity is then claimed in fewer than 2.5%."""
BETTER_BY = 1.96
"""Standard errors by which the model must fit better than that of the option refused more alone (Vuong 1989)."""
_MOST_ROUNDS = 25
_WORSE_ROUNDS = 10
"""Most rounds in which it is told anew which option of a pair is refused more. It goes to and fro where two are alike,
so the best fit counts."""
_REST = 1e-3
"""Change of a parameter at which the search has come to rest."""
LABEL = "interaction of dislikes"


def interaction(attempts: Attempts, preference: Noisy, group: IntArray | None = None) -> Estimate:
    """Estimate what the product of both entities' true dislikes adds to the log-odds of a refusal.

    Dislike is preference with its sign turned, standardised over the entities. The product stands beside one effect
    for each entity (`stats.refusal.fit_additive`), so what each entity does alone is taken out, whatever its form, and
    beside one for two options of the same group. Noise in preferences would draw the coefficient to nothing, so true
    dislikes take the place of the measured ones as far as these tell them (`stats.noise.true_values`); how well the
    share of noise is known is part of the error. The interval covers two models: without a floor under the chance of a
    refusal, and with the highest that agrees with the answers (`fits_above`).

    Parameters
    ----------
    attempts
        The trials.
    preference
        Preference for each entity, shape (n_entities,); trials about an entity without one (NaN) are left out.
    group
        Number of each entity's group, shape (n_entities,); ``None`` for no groups.

    Returns
    -------
    Estimate
        In log-odds; 0 where dislikes add up. Invalid unless this explains refusals better than the option that is
        refused more does alone, by more than pairs differ by chance (Vuong 1989, 2.5% on one side).
    """
    method = "logistic model with one effect for each entity and one for options of one group, clustered by pair"
    truth = true_values(preference)
    if np.ptp(preference.values) > 0 and not truth.spread:
        reason = "preferences differ by no more than their noise"
        return Estimate(math.nan, len(attempts), "trials", method, Unknown(), (reason,), LABEL)
    dislike, known = dislikes(attempts, truth)
    if not known.any():
        return Estimate(math.nan, 0, "trials", method, Unknown(), ("no trial with two known preferences",), LABEL)
    asked = attempts.part(known)
    covariates = [dislike[asked.first] * dislike[asked.second]]
    if group is not None and np.ptp(same := (group[asked.first] == group[asked.second]).astype(np.float64)) > 0:
        covariates.insert(0, same)
    fits = fits_above(asked, np.column_stack(covariates))
    method += (
        f", dislikes corrected for noise (reliability {truth.reliability:.2f}; Carroll et al. 2006); log-odds scale, "
        f"interval over no floor and a floor of {fits[-1].floor:.1%}, the highest that agrees with the answers"
    )
    intervals = []
    for fit in fits:
        of_reliability = fit.interaction * truth.reliability_error / truth.reliability
        intervals.append(Normal(fit.interaction, math.hypot(fit.error, of_reliability), fit.df))
    reasons = all_alike(asked) or _rival_reasons(asked, fits)
    return Estimate(fits[0].interaction, len(asked), "trials", method, Envelope(tuple(intervals)), reasons, LABEL)


class FitAbove(NamedTuple):
    """A fit of refusals above a floor.

    Attributes
    ----------
    floor
        Chance of a refusal whatever the options.
    interaction, error, df
        Coefficient of the last covariate, its standard error, and the degrees of freedom of that.
    likelihood
        Log-likelihood of each trial, shape (t,).
    scatter
        Dispersion of pairs about the fit, at least 1, its value for independent attempts.
    converged
        Whether Newton's steps came to rest.
    """

    floor: float
    interaction: float
    error: float
    df: float
    likelihood: FloatArray
    scatter: float
    converged: bool


def fits_above(attempts: Attempts, covariates: FloatArray) -> list[FitAbove]:
    """Fit refusals without a floor, and above the highest that agrees with the answers.

    It agrees with the least refused trials (`floor_allowed`), and with all: its log-likelihood, a parabola over floors,
    is below the best by no more than chance (90% on one side). Pairs count as what they scatter.

    Parameters
    ----------
    attempts
        The trials.
    covariates
        Further regressors, shape (t, k).

    Returns
    -------
    list of FitAbove
        Two.
    """
    allowed = floor_allowed(attempts)
    tried = [fit_above(attempts, covariates, floor) for floor in (0.0, allowed / 2, allowed)]
    losses = np.array([float(fit.likelihood.sum()) for fit in tried])
    losses = (losses.max() - losses) / tried[0].scatter
    if losses[-1] <= LEAST_LIKELY:
        return [tried[0], tried[-1]]
    # The parabola through the three, and where it rises to that.
    rise, bend = (4 * losses[1] - 3 * losses[0] - losses[2]) / 2, (losses[0] - 2 * losses[1] + losses[2]) / 2
    missing = LEAST_LIKELY - float(losses[0])
    steps = 2 * missing / float(rise + np.sqrt(rise**2 + 4 * bend * missing))
    return [tried[0], fit_above(attempts, covariates, steps * allowed / 2)]


def floor_allowed(attempts: Attempts) -> float:
    """Return how many attempts may be refused at the least refused quarter of trials: no floor can be higher.

    That is the upper end of the interval of this share (Wilson 1927), since the share itself falls short of the floor
    by chance in some studies. Which trials these are is told by the additive model.

    Parameters
    ----------
    attempts
        The trials.
    """
    effects = np.nan_to_num(fit_additive(attempts).effects)
    expected = effects[attempts.first] + effects[attempts.second]
    least = expected <= np.quantile(expected, LEAST_REFUSED)
    refused, made = float(attempts.refused[least].sum()), float(attempts.made[least].sum())
    return Wilson(refused, made).limits(FLOOR_LEVEL)[1]


def fit_above(attempts: Attempts, covariates: FloatArray, floor: float) -> FitAbove:
    """Fit ``P(refused) = floor + (1 - floor) * expit(additive model + covariates)`` with a floor that is given.

    By expectation and maximisation: of the refusals, those that the floor made are expected, and left out of the
    logistic fit, the last of which is freed of its bias (Firth 1993).

    Parameters
    ----------
    attempts
        The trials.
    covariates
        Further regressors, shape (t, k).
    floor
        Chance of a refusal whatever the options, below 1.

    Returns
    -------
    FitAbove
        Of the last covariate.
    """
    model = regression(attempts, covariates)
    refused, made = attempts.refused.astype(np.float64), attempts.made.astype(np.float64)
    fits = model.fit(refused[:, None], made[:, None])

    def by_floor(chances: FloatArray) -> FloatArray:
        return np.asarray(refused * floor / (floor + (1 - floor) * chances))

    for _ in range(_MOST_ROUNDS if floor else 0):
        thinned, before = by_floor(fits.chances[:, 0]), fits.parameters
        fits = model.fit((refused - thinned)[:, None], (made - thinned)[:, None], start=before)
        if np.max(np.abs(fits.parameters - before)) <= _REST:
            break
    thinned = by_floor(fits.chances[:, 0]) if floor else 0.0 * refused
    fits = model.fit_unbiased(refused - thinned, made - thinned)
    above = fits.chances[:, 0]
    chances = floor + (1 - floor) * above
    residuals = refused - made * chances
    by_pair = np.bincount(attempts.pair_of, residuals)
    left = max(len(by_pair) - len(fits.parameters), 1)
    slope = (1 - floor) * above * (1 - above)
    errors, df = model.errors(
        residuals * slope / (chances * (1 - chances)),
        made * slope**2 / (chances * (1 - chances)),
        attempts.pair_of,
        np.eye(len(fits.parameters)),
        parameters=fits.parameters[:, 0],
        drawn=True,
    )
    return FitAbove(
        floor=floor,
        interaction=float(fits.parameters[-1, 0]),
        error=float(errors[-1]),
        df=float(df[-1]),
        likelihood=_likelihood(attempts, chances),
        scatter=max(1.0, len(by_pair) / left * float(by_pair @ by_pair / (made @ (chances * (1 - chances))))),
        converged=bool(fits.converged[0]),
    )


def worse_alone(attempts: Attempts) -> FloatArray:
    """Return the log-likelihood of each trial if the option that is refused more decides alone, shape (t,).

    Which of two that is follows from the fit, which is repeated, ten times at most: two entities that are refused alike
    trade places for ever, so the best of the fits counts. No search is sure to find the highest likelihood: in 24
    planted studies of 24 and 72 entities, scipy's from 19 starts found at most 4.4 more, and never more than 0.31
    standard errors of the difference by which this rival is judged.

    Parameters
    ----------
    attempts
        The trials.
    """
    effects = np.nan_to_num(fit_additive(attempts).effects)
    refused, made = (values.astype(np.float64)[:, None] for values in (attempts.refused, attempts.made))
    start, decided, best = None, None, np.full(len(attempts), -np.inf)
    for _ in range(_WORSE_ROUNDS):
        decides = np.where(effects[attempts.first] >= effects[attempts.second], attempts.first, attempts.second)
        if decided is not None and np.array_equal(decides, decided):
            break
        fits = _alone(attempts, decides).fit(refused, made, start=start)
        start, decided, effects = fits.parameters, decides, fits.parameters[: attempts.n_entities, 0]
        found = _likelihood(attempts, fits.chances[:, 0])
        best = found if found.sum() > best.sum() else best
    return best


def _alone(attempts: Attempts, decides: IntArray) -> PairRegression:
    """Return the additive model as if both options were the one that decides."""
    part = Attempts(
        decides, decides, attempts.wording, attempts.refused, attempts.made, attempts.refused_first, attempts.n_entities
    )
    return regression(part, None)


def _likelihood(attempts: Attempts, chances: FloatArray) -> FloatArray:
    kept = np.clip(chances, 1e-12, 1 - 1e-12)
    return np.asarray(attempts.refused * np.log(kept) + (attempts.made - attempts.refused) * np.log1p(-kept))


def better_by(attempts: Attempts, one: FloatArray, other: FloatArray) -> float:
    """Return by how many standard errors one model's log-likelihood is above another's (Vuong 1989), pairs apart.

    Parameters
    ----------
    attempts
        The trials.
    one, other
        Log-likelihood of each trial, shape (t,).
    """
    by_pair = np.bincount(attempts.pair_of, one - other)
    error = math.sqrt(len(by_pair)) * float(by_pair.std())
    return float(by_pair.sum()) / error if error > 0 else 0.0


def _rival_reasons(attempts: Attempts, fits: list[FitAbove]) -> tuple[str, ...]:
    reasons = [] if all(fit.converged for fit in fits) else ["the fit did not converge"]
    best = max((fit.likelihood for fit in fits), key=lambda likelihood: float(likelihood.sum()))
    if better_by(attempts, best, worse_alone(attempts)) < BETTER_BY:
        reasons.append(
            "the option that is refused more alone explains refusals as well: nothing shows what two add up to"
        )
    return tuple(reasons)
