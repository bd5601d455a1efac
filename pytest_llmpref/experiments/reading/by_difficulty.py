"""How far accuracy follows preference in easier and in harder questions."""

import math
from functools import lru_cache

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.reading.measure import answers_of
from pytest_llmpref.stats.difficulty import DifficultySlopes, slopes_by_difficulty


def accuracy_slope_by_difficulty(boolq: Measure, preferences: Measure) -> dict[str, Estimate]:
    """Return the log-odds of a right answer per standard deviation of preference, in either half of the questions.

    How hard a question is comes from the controls, and from the entities that the slope is not taken over; see
    `stats.difficulty.slopes_by_difficulty`.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.

    Returns
    -------
    dict
        ``easier`` and ``harder`` -> estimate.
    """
    found = _slopes(boolq, preferences)
    return {"easier": found.easier, "harder": found.harder}


def harder_minus_easier(boolq: Measure, preferences: Measure) -> Estimate:
    """Return that slope in the harder half less that in the easier: above 0, preference matters more where it is hard.

    Parameters
    ----------
    boolq, preferences
        The measures of one model.
    """
    return _slopes(boolq, preferences).difference


@lru_cache(maxsize=64)
def _slopes(boolq: Measure, preferences: Measure) -> DifficultySlopes:
    preference = np.array([preferences.values.get(entity, math.nan) for entity in boolq.estimates], dtype=np.float64)
    reasons = [f"{boolq.name}: {reason}" for reason in (*boolq.reasons, *boolq.unranked, *boolq.early)]
    reasons += [f"{preferences.name}: {reason}" for reason in (*preferences.reasons, *preferences.unranked)]
    return slopes_by_difficulty(answers_of(boolq), preference, invalid=reasons)
