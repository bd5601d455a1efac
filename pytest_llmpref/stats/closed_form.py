"""What a study could detect, and whether a repetition would support it again: in closed form, without numpy.

A plan is to be had before statistics are imported.

References
----------
Cohen 1988
Cox 1958
Elo 1978
Fisher and Cornish 1960
Goodman 1992
Schuirmann 1987
Shao and Chow 2002
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

from pytest_llmpref.claims.intervals import Wilson

POWER = 0.80
"""Chance to detect the effect."""
ACCURACY = 0.85
"""Share of right answers that is expected of a model that reads. Our choice."""
DIFFICULTY_SD = 1.5
"""Standard deviation of the questions' log-odds of a right answer. Our choice."""
ENTITY_SD = 0.05
"""Standard deviation of what entities add to these log-odds whatever their preference. Our choice: half a point."""
ELO_PER_LOGIT = 400 / math.log(10)
"""Elo points in one unit of log-odds (Elo 1978: 400 points are odds of ten to one)."""
CONFIDENCE_SEQUENCE = "asked until decided"
"""Begins the method of an estimate whose interval is a confidence sequence."""
REPEATED_INTERVAL = "repeated interval over looks"
"""Stands in the method of an estimate whose interval holds at all interim analyses."""
_NORMAL = NormalDist()
_POINTS = 100
"""Points at which a mean over a normal distribution is taken."""


FEWEST_GROUPS = 5
"""Fewest groups that say how far others would differ from them. Our choice."""


def detectable_rho(n: int, alpha: float, groups: int = 1) -> float:
    """Return the smallest rho over n entities that is told from 0, by Fisher's z (Cohen 1988), two-sided.

    Groups are taken to be alike here: where both measures differ by group, rho must be larger.

    Parameters
    ----------
    n
        Number of entities, at least 4.
    alpha
        Two-sided error rate.
    groups
        How many groups the entities come in. From five on, Student's t with that many degrees of freedom, less one,
        takes the place of the normal distribution.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import detectable_rho
    >>> round(detectable_rho(72, 0.05), 3), round(detectable_rho(72, 0.05, groups=8), 3)
    (0.325, 0.368)
    """
    errors = _errors(alpha)
    if groups >= FEWEST_GROUPS:
        errors += _t_quantile(1 - alpha / 2, groups - 1) - _NORMAL.inv_cdf(1 - alpha / 2)
    return math.tanh(errors / math.sqrt(n - 3))


def _t_quantile(chance: float, df: int) -> float:
    """Return a quantile of Student's t by its expansion about the normal one (Fisher and Cornish 1960)."""
    z = _NORMAL.inv_cdf(chance)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / float(df) ** power for power, term in enumerate(terms))


def detectable_strength(n: int, trials: float, alpha: float) -> float:
    """Return by how many Elo points one of n entities must differ from what is expected of it to be told from it.

    From the variance of a Bradley-Terry strength, centred, where each entity is in ``trials`` comparisons that are
    spread evenly over the others. A comparison tells most where it could go either way, which is what is assumed.

    Parameters
    ----------
    n
        Number of entities.
    trials
        Comparisons of each entity.
    alpha
        Two-sided error rate.

    Returns
    -------
    float
        In Elo points.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import detectable_strength
    >>> round(detectable_strength(72, 142, 0.05))
    81
    """
    per_pair = trials / (n - 1) / 4
    return _errors(alpha) * ELO_PER_LOGIT * math.sqrt((1 - 1 / n) / (n * per_pair))


def detectable_pull(questions: int, alpha: float) -> float:
    """Return which slope of choices on two standard deviations of preference is told from none.

    From the variance of least squares over questions about random pairs, of which each could go either way.

    Parameters
    ----------
    questions
        How many are asked.
    alpha
        Two-sided error rate.

    Returns
    -------
    float
        In shares: 0.10 is ten percentage points.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import detectable_pull
    >>> round(detectable_pull(576, 0.05), 3)
    0.083
    """
    return _errors(alpha) * math.sqrt(1 / (2 * questions))


def supportable_margin(trials: int, alpha: float) -> float:
    """Return the smallest share of refusals that one entity, never refused in ``trials``, is shown to be below.

    Parameters
    ----------
    trials
        Sample size of the entity.
    alpha
        Two-sided error rate.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import supportable_margin
    >>> round(supportable_margin(88, 0.05), 4)
    0.0418
    """
    return Wilson(0, trials).limits(1 - alpha)[1]


def detectable_reading_gap(n: int, questions: int, alpha: float) -> float:
    """Return the smallest difference of accuracy between the extremes of n entities that is told from none.

    From the information of conditional logistic regression about the slope on preference (Cox 1958), preferences being
    normal scores with standard deviation 1: each of the ``questions`` adds the variance of its answers times n - 1.

    Parameters
    ----------
    n, questions
        Numbers of entities and of questions.
    alpha
        Two-sided error rate.

    Returns
    -------
    float
        Difference of accuracy; 0.01 is one percentage point.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import detectable_reading_gap
    >>> round(detectable_reading_gap(72, 200, 0.05), 3)
    0.037
    """
    level = _level()
    spread = _mean(_spread, level)
    error = math.sqrt((1 / (questions * spread) + ENTITY_SD**2) / (n - 1))
    scores = [_NORMAL.inv_cdf((place + 0.5) / n) for place in range(n)]
    farthest = scores[-1] / math.sqrt(sum(score**2 for score in scores) / (n - 1))
    shift = _errors(alpha) * error * farthest
    return _mean(_expit, level + shift) - _mean(_expit, level - shift)


def supportable_gap(n: int, questions: int, alpha: float) -> float:
    """Return within which margin two quarters of n entities can be called equally accurate, where they are.

    By two one-sided tests (Schuirmann 1987), each question being asked under every entity of both quarters.

    Parameters
    ----------
    n, questions
        Numbers of entities and of questions.
    alpha
        Error rate of the claim.

    Returns
    -------
    float
        Difference of accuracy; 0.01 is one percentage point.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import supportable_gap
    >>> round(supportable_gap(72, 200, 0.05), 3)
    0.022
    """
    spread = _mean(_spread, _level())
    error = math.sqrt(2 / (n // 4) * (spread / questions + (ENTITY_SD * spread) ** 2))
    return (_NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf((1 + POWER) / 2)) * error


def detectable_arm_difference(runs: int, alpha: float) -> float:
    """Return the smallest difference between two arms of ``runs`` each that is told from none, at half solved.

    Parameters
    ----------
    runs
        Runs of either arm.
    alpha
        Two-sided error rate.

    Returns
    -------
    float
        Difference of the shares solved, between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import detectable_arm_difference
    >>> round(detectable_arm_difference(100, 0.05), 3)
    0.198
    """
    return _errors(alpha) * arms_error(runs)


def arms_error(runs: int) -> float:
    """Return the standard error of the difference between two arms of ``runs`` each, at half solved.

    Parameters
    ----------
    runs
        Runs of either arm.

    Returns
    -------
    float
        In shares solved.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import arms_error
    >>> round(arms_error(50), 3)
    0.1
    """
    return math.sqrt(2 * 0.25 / runs)


def _errors(alpha: float) -> float:
    """Return how many standard errors an effect must have, two-sided (Cohen 1988)."""
    return _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(POWER)


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _spread(logit: float) -> float:
    """Return the variance of an answer."""
    return _expit(logit) * (1 - _expit(logit))


_QUANTILES = [_NORMAL.inv_cdf((point + 0.5) / _POINTS) for point in range(_POINTS)]


def _mean(function: Callable[[float], float], level: float) -> float:
    """Return the mean over questions whose log-odds are ``level`` on average."""
    return math.fsum(function(level + DIFFICULTY_SD * at) for at in _QUANTILES) / _POINTS


def _level() -> float:
    """Return the mean log-odds at which the expected share of answers is right."""
    low, high = 0.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(_expit, middle) < ACCURACY else (low, middle)
    return low


def chance_of_support(
    value: float, low: float, high: float, *, level: float, relation: Literal[">", "<", "abs <"], threshold: float
) -> float:
    """Return the chance that the same study, done once more, would support the claim.

    The repetition's estimate is normal about this one's with twice its variance, since both hold sampling noise
    (Goodman 1992, with a flat prior; the Bayesian version of Shao and Chow 2002). Its interval reaches as far to
    either side as this one's does.

    Parameters
    ----------
    value, low, high
        The estimate and its interval, all on a scale on which the error is about normal.
    level
        Confidence level of the interval, between 0 and 1.
    relation, threshold
        The claim: above ``threshold``, below it, or between ``-threshold`` and ``threshold``.

    Returns
    -------
    float
        Between 0 and 1; NaN if there is no interval.

    Examples
    --------
    An estimate whose interval just touches the threshold is supported again half of the time.

    >>> chance_of_support(0.5, 0.3, 0.7, level=0.95, relation=">", threshold=0.3)
    0.5
    """
    if not low <= value <= high:
        return math.nan
    quantile = _NORMAL.inv_cdf((1 + level) / 2)
    below, above = value - low, high - value
    if relation == ">":
        return _chance(value - below - threshold, below / quantile)
    if relation == "<":
        return _chance(threshold - value - above, above / quantile)
    not_too_low = _chance(value - below + threshold, below / quantile)
    not_too_high = _chance(threshold - value - above, above / quantile)
    return max(0.0, not_too_low + not_too_high - 1)


def _chance(distance: float, error: float) -> float:
    """Return the chance that a repetition falls less than ``distance`` short; 0 or 1 without any error."""
    if error == 0:
        return float(distance > 0)
    return _NORMAL.cdf(distance / (math.sqrt(2) * error))


def on_fisher_scale(method: str, *values: float) -> bool:
    """Tell whether values are correlations with an interval on Fisher's z, on which their error is about normal.

    Parameters
    ----------
    method
        How the estimate came about, in words.
    values
        The estimate, its limits, and what it is compared with.

    Returns
    -------
    bool
        False where one of them is -1 or 1, or beyond.

    Examples
    --------
    >>> from pytest_llmpref.stats.closed_form import on_fisher_scale
    >>> on_fisher_scale("score interval on Fisher's z", 0.5, 0.9), on_fisher_scale("Wilson", 0.5)
    (True, False)
    """
    return "Fisher" in method and all(-1 < value < 1 for value in values)
