"""How often a plan says the gate on accuracy opens, beside simulated studies."""

import numpy as np
from scipy import stats

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.accuracy_shift import minus_others
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.opening import chance_of_like_accuracies


def test_the_chance_of_like_accuracies_is_about_that_of_simulated_studies():
    """60 studies of 200 questions, 85% right: the normal errors of the plan are a little too hopeful."""
    design, rng, opens = ReadingDesign(72, 200, 0.85, entity_sd=0.0), np.random.default_rng(5), 0
    for _ in range(60):
        with ledger(72, all_must_hold=True):
            found = minus_others(simulate_answers(design, rng, effects=np.zeros(72)))
            opens += all((abs(one) < 0.10).verdict is Verdict.SUPPORTED for one in found)
    stated = chance_of_like_accuracies(72, 200, 0.10, 0.05, accuracy=0.85)
    assert stats.binomtest(opens, 60, stated - 0.08).pvalue > 0.01
