"""Power before spending: of a correlation, and the smallest effect on accuracy that a reading task would see.

Of a correlation it follows from the error of Fisher's z. Reading studies are simulated, and analysed by the very
statistic that the real one will be.

References
----------
Bonett and Wright 2000
Cohen 1988
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import scipy
from scipy import special

from pytest_llmpref.claims.claim import DEFAULT_ALPHA
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.claims.verdicts import Relation
from pytest_llmpref.stats.answers import Answers, ReadingDesign, simulate_answers
from pytest_llmpref.stats.arrays import normal_scores
from pytest_llmpref.stats.performance import preference_slope
from pytest_llmpref.stats.ranks import FEWEST, RhoInterval, Scatter


@dataclass(frozen=True, slots=True)
class Power:
    """What a design can see.

    Attributes
    ----------
    smallest_slope
        Smallest slope, in log-odds per SD of preference, that is told from 0.
    smallest_difference
        The same as accuracy between extreme entities, 0.01 being one percentage point.
    standard_error
        Expected standard error of that difference.
    power, alpha
        Chance to tell it, and two-sided error rate.
    simulations
        Simulated studies.
    """

    smallest_slope: float
    smallest_difference: float
    standard_error: float
    power: float
    alpha: float
    simulations: int


@dataclass(frozen=True, slots=True)
class Visible:
    """What answers that were given can show.

    Attributes
    ----------
    smallest_difference
        Accuracy between extreme entities that is told from none, 0.01 being one percentage point.
    questions_for_one_point
        Questions that would tell one point, asked under the same entities; at least, since what entities add whatever
        their preference does not average out.
    power, alpha
        Chance to tell it, and two-sided error rate.
    """

    smallest_difference: float
    questions_for_one_point: int
    power: float
    alpha: float


def visible_difference(
    answers: Answers, *, power: float = 0.8, alpha: float = 0.05, orders: int = 8, seed: int = 0
) -> Visible | None:
    """Find the smallest effect of preference that given answers tell from none; ``None`` if they have no slope.

    The standard error is that of `preference_slope` on random orders of the entities, whose preferences are normal
    scores: how hard the questions are, and how entities and questions cluster, is that of the answers. An effect that
    they hold counts as noise, so that the difference is overstated where there is one.

    Parameters
    ----------
    answers
        The trials.
    power, alpha
        As in `reading_power`.
    orders
        Random orders; 8 give the standard error to about 5%.
    seed
        Random seed of the orders.

    Returns
    -------
    Visible or None
        In accuracy between extreme entities.
    """
    rng = np.random.default_rng(seed)
    recipes = []
    for _ in range(orders if answers.n_entities >= 4 else 0):
        preference = rng.permutation(normal_scores(answers.n_entities))
        recipe = preference_slope(answers, preference).between_extremes.interval_method
        recipes += [recipe] if isinstance(recipe, Normal) else []
    if not recipes:
        return None
    error = math.sqrt(float(np.mean([recipe.se**2 for recipe in recipes])))
    smallest = _quantiles(recipes[0].df, power, alpha) * error
    questions = len(np.unique(answers.question))
    return Visible(smallest, math.ceil(questions * (smallest / 0.01) ** 2 / 10) * 10, power, alpha)


def reading_power(
    design: ReadingDesign, *, power: float = 0.8, alpha: float = 0.05, simulations: int = 40, seed: int = 0
) -> Power:
    """Find the smallest effect of preference that a design tells from none.

    It is the expected standard error times the sum of the quantiles of Student's t at ``1 - alpha / 2`` and at
    ``power`` (Cohen 1988); the standard error comes from simulated studies without an effect.

    Parameters
    ----------
    design
        The design.
    power
        Chance to tell the effect from none, between 0.5 and 1.
    alpha
        Two-sided error rate; divide it by the number of claims in a family.
    simulations
        Studies to simulate. 40 give the standard error to about 2%.
    seed
        Random seed of the simulations.

    Returns
    -------
    Power
        The smallest effect, as a slope and as a difference of accuracy.

    Raises
    ------
    ValueError
        If a number is out of range, or the design is too small or too easy for one simulated study to have a slope.

    Examples
    --------
    >>> from pytest_llmpref.stats.answers import ReadingDesign
    >>> from pytest_llmpref.stats.power import reading_power
    >>> round(reading_power(ReadingDesign(8, 60, 0.8), simulations=4).smallest_difference, 2)
    0.3
    """
    _check(power, alpha, simulations)
    error, df = _standard_error(design, simulations, seed)
    smallest = _quantiles(df, power, alpha) * error
    return Power(design.slope(smallest), smallest, error, power, alpha, simulations)


def questions_needed(
    design: ReadingDesign,
    difference: float = 0.01,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    simulations: int = 40,
    seed: int = 0,
) -> float:
    """Return the number of questions that detects a difference in accuracy between extreme entities, or infinity.

    More questions average out all noise but the entities' own effects: the variance falls as ``floor + slope / n``,
    with both taken from simulations of the design and of one with four times its questions. Rounded up to tens.

    Parameters
    ----------
    design
        The design; its number of questions is where the law is started from.
    difference
        Accuracy between extreme entities, 0.01 being one percentage point.
    power, alpha, simulations, seed
        As in `reading_power`.

    Returns
    -------
    float
        A multiple of ten, or infinity.

    Raises
    ------
    ValueError
        As in `reading_power`, or if the difference is not above 0.
    """
    _check(power, alpha, simulations)
    if not difference > 0:
        raise ValueError(f"difference={difference}: give a difference above 0, such as 0.01 for one point")
    few, many = design.n_questions, 4 * design.n_questions
    error_few, _ = _standard_error(design, simulations, seed)
    error_many, df = _standard_error(replace(design, n_questions=many), simulations, seed)
    per_question = max(0.0, (error_few**2 - error_many**2) / (1 / few - 1 / many))
    floor = max(0.0, error_many**2 - per_question / many)
    wanted = (difference / _quantiles(df, power, alpha)) ** 2
    return math.inf if wanted <= floor else float(math.ceil(per_question / (wanted - floor) / 10) * 10)


def _quantiles(df: float, power: float, alpha: float) -> float:
    """Return how many standard errors an effect must have (Cohen 1988)."""
    return float(special.stdtrit(df, 1 - alpha / 2) + special.stdtrit(df, power))


def _check(power: float, alpha: float, simulations: int) -> None:
    if not 0.5 <= power < 1 or not 0 < alpha < 0.5 or simulations < 2:
        raise ValueError(
            f"power={power}, alpha={alpha}, simulations={simulations}: "
            "power is 0.5 to 1, alpha 0 to 0.5, and 2 simulations are the fewest"
        )


def _standard_error(design: ReadingDesign, simulations: int, seed: int) -> tuple[float, float]:
    """Return root mean square standard error of the difference between extremes, and its degrees of freedom."""
    rng = np.random.default_rng(seed)
    recipes = []
    for _ in range(simulations):
        estimate = preference_slope(simulate_answers(design, rng), design.preference).between_extremes
        if isinstance(estimate.interval_method, Normal):
            recipes.append(estimate.interval_method)
    if len(recipes) < simulations / 2:
        raise ValueError(
            f"{simulations - len(recipes)} of {simulations} simulated studies have no slope: too few questions "
            f"({design.n_questions}) are answered both right and wrong at an accuracy of {design.accuracy}; use more"
        )
    errors, dfs = ([getattr(recipe, name) for recipe in recipes] for name in ("se", "df"))
    return math.sqrt(float(np.mean(np.square(errors)))), float(np.median(dfs))


def correlation_power(
    rho: float,
    n: int,
    *,
    threshold: float = 0.0,
    relation: Relation = ">",
    alpha: float = DEFAULT_ALPHA,
    df: float = math.inf,
) -> float:
    """Return the chance that a claim about Spearman's rho is supported.

    Fisher's z of the estimate is taken to be normal about that of ``rho`` with the standard error of Bonett and Wright
    (2000), and the claim is judged as `claims.claim.make_claim` does: by the two-sided interval at ``1 - alpha``, or by
    two one-sided tests at ``alpha`` for equivalence.

    Parameters
    ----------
    rho
        The population's rho between the two measures as they are measured: noise lowers it.
    n
        Entities with a value in both.
    threshold, relation
        The claim.
    alpha
        Error rate of the claim; divide it by the number of claims in a family.
    df
        Degrees of freedom that the error is known with: of ``k`` groups, k - 1.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If there are fewer than 4 entities, or rho or the threshold is not between -1 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.power import correlation_power
    >>> round(correlation_power(0.7, 72, threshold=0.5), 3)
    0.693
    """
    if n < FEWEST:
        raise ValueError(f"n={n}: a correlation needs at least {FEWEST} entities")
    if not abs(rho) < 1 or not abs(threshold) < 1:
        raise ValueError(f"rho={rho}, threshold={threshold}: both lie between -1 and 1")
    if relation == ">":
        return _above(_lowest_supported(threshold, n, 1 - alpha, df), rho, n)
    if relation == "<":
        return _above(_lowest_supported(-threshold, n, 1 - alpha, df), -rho, n)
    edge = _lowest_supported(-threshold, n, 1 - 2 * alpha, df)
    return max(0.0, _above(edge, rho, n) + _above(edge, -rho, n) - 1)


def _lowest_supported(threshold: float, n: int, level: float, df: float) -> float:
    """Return the smallest estimate whose interval lies above the threshold."""

    def margin(rho: float) -> float:
        return RhoInterval(rho, n, scatter=Scatter(df=df)).limits(level)[0] - threshold

    largest = RhoInterval(1.0, n).largest
    return float(scipy.optimize.brentq(margin, threshold, largest)) if margin(largest) > 0 else 1.0


def _above(threshold: float, rho: float, n: int) -> float:
    """Return the chance of an estimate above a threshold."""
    if threshold >= 1:
        return 0.0
    return 1 - NormalDist().cdf((math.atanh(threshold) - math.atanh(rho)) / RhoInterval(rho, n).se)
