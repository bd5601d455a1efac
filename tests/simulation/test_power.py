"""The stated power beside that of simulated studies."""

import math

import numpy as np
import pytest

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.association import spearman_estimate
from pytest_llmpref.stats.performance import preference_slope
from pytest_llmpref.stats.power import correlation_power, questions_needed, reading_power

SMALL = ReadingDesign(n_entities=24, n_questions=60, accuracy=0.8)


def found_share(design, slope, studies, seed=1):
    rng = np.random.default_rng(seed)
    return np.mean([
        (preference_slope(simulate_answers(design, rng, slope=slope), design.preference).log_odds > 0).verdict
        is Verdict.SUPPORTED
        for _ in range(studies)
    ])  # fmt: skip


def test_the_stated_effect_is_found_with_the_stated_power():
    stated = reading_power(SMALL, simulations=30)
    assert stated.power == 0.8
    assert found_share(SMALL, stated.smallest_slope, 150) == pytest.approx(0.8, abs=0.1)
    assert found_share(SMALL, 0.0, 150) <= 0.07


def test_one_point_at_200_questions_is_rarely_found_and_the_power_says_so():
    """72 entities, 200 questions: a slope of one point between the extremes is far below what can be seen."""
    design = ReadingDesign()
    stated = reading_power(design, simulations=6)
    assert stated.smallest_difference > 0.03
    assert found_share(design, design.slope(0.01), 25) < 0.4


def test_more_questions_see_less_and_the_number_for_a_difference_sees_it():
    few, many = (reading_power(ReadingDesign(24, n, 0.8), simulations=15) for n in (60, 240))
    assert many.smallest_difference < 0.65 * few.smallest_difference
    wanted = 0.05
    needed = int(questions_needed(SMALL, wanted, simulations=15))
    there = reading_power(ReadingDesign(24, needed, 0.8), simulations=15)
    assert there.smallest_difference == pytest.approx(wanted, rel=0.12)
    assert questions_needed(ReadingDesign(8, 60, 0.8, entity_sd=0.6), 0.01, simulations=8) == float("inf")


@pytest.mark.parametrize(
    ("pearson", "threshold", "relation"), [(0.5, 0.0, ">"), (0.6, 0.8, "<"), (0.1, 0.5, "abs <"), (-0.5, 0.0, "<")]
)
def test_the_power_of_a_claim_about_rho_is_what_simulated_studies_show(pearson, threshold, relation):
    rng, n, studies, supported = np.random.default_rng(1), 36, 600, 0
    for _ in range(studies):
        estimate = spearman_estimate(*rng.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], size=n).T)
        claim = {">": lambda e: e > threshold, "<": lambda e: e < threshold, "abs <": lambda e: abs(e) < threshold}[
            relation
        ]
        supported += claim(estimate).verdict is Verdict.SUPPORTED
    truth = 6 / math.pi * math.asin(pearson / 2)
    # How rho scatters is estimated from the entities themselves, with n - 1 degrees of freedom.
    predicted = correlation_power(truth, n, threshold=threshold, relation=relation, df=n - 1)
    assert predicted == pytest.approx(supported / studies, abs=0.05)
