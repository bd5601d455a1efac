"""The randomisation test whose inversion is the interval of an effect, to compare with others' tests."""

import numpy as np

from pytest_llmpref.stats.randomisation import RandomisedStudy, _contrasts


def p_value(study: RandomisedStudy) -> float:
    """The two-sided p-value of: no assignment changes anything. Twice the smaller tail, with what was drawn in it."""
    seen, others = _contrasts(study, study.outcome)
    tails = (int(np.sum(others >= seen - 1e-9)), int(np.sum(others <= seen + 1e-9)))
    return float(min(1.0, 2 * (1 + min(tails)) / (len(others) + 1)))
