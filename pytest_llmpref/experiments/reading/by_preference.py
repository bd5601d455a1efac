"""How accuracy follows preference: its slope, in harder and in easier questions too, and extremes compared."""

from functools import lru_cache

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.reading.measure import answers_of
from pytest_llmpref.stats import performance
from pytest_llmpref.stats.answers import Answers
from pytest_llmpref.stats.arrays import quartiles, values_in
from pytest_llmpref.stats.association import reasons_of
from pytest_llmpref.stats.difficulty import DifficultySlopes, slopes_by_difficulty
from pytest_llmpref.stats.performance import PreferenceSlope, preference_slope
from pytest_llmpref.stats.sequential import with_repeated_interval

OTHER_QUARTERS = "asked of the quarters by other preferences than these"


def accuracy_slope(boolq: Measure, preferences: Measure) -> Estimate:
    """Return the change in log-odds of a correct answer per standard deviation of preference.

    Conditional logistic regression with questions as strata, errors clustered by entity and question; see
    `stats.performance.preference_slope`.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Returns
    -------
    Estimate
        In log-odds; above 0, the model answers better for entities that it prefers.

    Examples
    --------
    >>> from pytest_llmpref import accuracy_slope, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     accuracy_slope(study.boolq, study.preferences)
    <slope of accuracy 0.119..., 95% [-0.809..., 1.048], n=12 questions>
    """
    return _slope(boolq, preferences).log_odds


def between_extremes(boolq: Measure, preferences: Measure) -> Estimate:
    """Return the difference in accuracy, most minus least preferred entity; 0.01 is one percentage point.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Examples
    --------
    >>> from pytest_llmpref import between_extremes, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     between_extremes(study.boolq, study.preferences)
    <difference in accuracy, most minus least preferred entity 0.00915, 95% [-0.063..., 0.081...], n=12 questions>
    """
    return _slope(boolq, preferences).between_extremes


def yes_slope(boolq: Measure, preferences: Measure) -> Estimate:
    """Return the change in log-odds of answering yes, right or wrong, per standard deviation of preference.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Returns
    -------
    Estimate
        In log-odds; above 0, the model says yes more often for entities that it prefers.

    Examples
    --------
    >>> from pytest_llmpref import open_study, yes_slope
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     yes_slope(study.boolq, study.preferences)
    <slope of answering yes -0.2199, 95% [-1.142, 0.7019], n=12 questions>
    """
    return _slope(boolq, preferences).yes_bias


def top_minus_bottom(boolq: Measure, preferences: Measure) -> Estimate:
    """Return the difference in accuracy, most minus least preferred quarter; 0.01 is one percentage point.

    If interim analyses of this difference stopped the questions, its interval allows for that.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Examples
    --------
    >>> from pytest_llmpref import open_study, top_minus_bottom
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     top_minus_bottom(study.boolq, study.preferences)
    <difference in accuracy, top minus bottom quarter of preference 0, 95% [-0.0695..., 0.0695...], n=12 questions>
    """
    answers = answers_of(boolq)
    if boolq.diagnostics.get("stopping", {}).get("top"):
        return _until_decided(boolq, preferences, answers)
    return performance.top_minus_bottom(
        answers, values_in(preferences.values, boolq.estimates), invalid=reasons_of(boolq, preferences)
    )


def _until_decided(boolq: Measure, preferences: Measure, answers: Answers) -> Estimate:
    """Return the difference of the quarters that were asked, at the last look."""
    stopping = boolq.diagnostics["stopping"]
    quarter = quartiles(values_in(preferences.values, boolq.estimates))
    top, bottom = (np.isin(list(boolq.estimates), stopping[arm]) for arm in ("top", "bottom"))
    same = bool(np.array_equal(top, quarter == 3) and np.array_equal(bottom, quarter == 0))
    reasons = [*boolq.reasons, *reasons_of(preferences), *([] if same else [OTHER_QUARTERS])]
    difference = performance.quarters_difference(answers, top, bottom, invalid=reasons)
    return with_repeated_interval(difference, tuple(stopping["fractions"]))


@lru_cache(maxsize=64)
def _slope(boolq: Measure, preferences: Measure) -> PreferenceSlope:
    return preference_slope(
        answers_of(boolq), values_in(preferences.values, boolq.estimates), invalid=reasons_of(boolq, preferences)
    )


def accuracy_slope_by_difficulty(boolq: Measure, preferences: Measure) -> dict[str, Estimate]:
    """Return `accuracy_slope` in the easier and in the harder half of the questions.

    The controls and the entities that the slope does not use determine how hard a question is; see
    `stats.difficulty.slopes_by_difficulty`.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Returns
    -------
    dict
        ``easier`` and ``harder`` -> estimate.

    Examples
    --------
    >>> from pytest_llmpref import accuracy_slope_by_difficulty, open_study
    >>> with open_study("sim/sandbagger", profile="standard") as study:
    ...     slopes = accuracy_slope_by_difficulty(study.boolq, study.preferences)
    >>> slopes["easier"]
    <slope of accuracy in easier questions 0.154..., 95% [-0.215..., 0.523...], n=64 questions>
    >>> slopes["harder"]
    <slope of accuracy in harder questions 0.931..., 95% [0.512..., 1.35...], n=64 questions>
    """
    found = _slopes_by_difficulty(boolq, preferences)
    return {"easier": found.easier, "harder": found.harder}


def harder_minus_easier(boolq: Measure, preferences: Measure) -> Estimate:
    """Return the difference in `accuracy_slope`, harder minus easier half of the questions.

    Above 0, preference matters more in hard questions.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Returns
    -------
    Estimate
        In log-odds per standard deviation of preference.

    Examples
    --------
    >>> from pytest_llmpref import harder_minus_easier, open_study
    >>> with open_study("sim/sandbagger", profile="standard") as study:
    ...     harder_minus_easier(study.boolq, study.preferences)
    <difference in slope of accuracy, harder minus easier questions 0.777..., 95% [0.215..., 1.33...], n=64 questions>
    """
    return _slopes_by_difficulty(boolq, preferences).difference


@lru_cache(maxsize=64)
def _slopes_by_difficulty(boolq: Measure, preferences: Measure) -> DifficultySlopes:
    reasons = [f"{boolq.name}: {reason}" for reason in (*boolq.reasons, *boolq.unranked, *boolq.early)]
    reasons += reasons_of(preferences)
    return slopes_by_difficulty(answers_of(boolq), values_in(preferences.values, boolq.estimates), invalid=reasons)
