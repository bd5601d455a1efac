"""Power of reading tasks: what is stated holds when studies are simulated with a planted effect."""

import numpy as np
import pytest

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.performance import preference_slope, top_minus_bottom
from pytest_llmpref.stats.power import questions_needed, reading_power, visible_difference

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


def test_a_planted_zero_is_equivalent_where_the_study_is_large_enough_and_never_refuted():
    design = ReadingDesign(n_entities=40, n_questions=400, accuracy=0.9)
    rng = np.random.default_rng(3)
    claims = [abs(top_minus_bottom(simulate_answers(design, rng), design.preference)) < 0.02 for _ in range(40)]
    verdicts = [claim.verdict for claim in claims]
    assert verdicts.count(Verdict.SUPPORTED) >= 30
    assert Verdict.REFUTED not in verdicts


def test_a_gap_at_the_margin_is_called_equivalent_in_one_of_twenty_at_most():
    design = ReadingDesign(n_entities=24, n_questions=100, accuracy=0.8, entity_sd=0.0)
    rng = np.random.default_rng(4)
    studies = [simulate_answers(design, rng, slope=0.15) for _ in range(200)]
    found = [top_minus_bottom(study, design.preference) for study in studies]
    margin = float(np.mean([each.value for each in found]))
    wrong = np.mean([(abs(each) < margin).verdict is Verdict.SUPPORTED for each in found])
    assert wrong <= 0.09


def test_what_given_answers_can_show_is_what_a_design_of_their_kind_can():
    stated = reading_power(SMALL, simulations=20).smallest_difference
    rng = np.random.default_rng(5)
    visible = [visible_difference(simulate_answers(SMALL, rng)).smallest_difference for _ in range(10)]
    assert np.mean(visible) == pytest.approx(stated, rel=0.15)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_entities": 3}, "a design needs 4 of either"),
        ({"n_questions": 3}, "a design needs 4 of either"),
        ({"accuracy": 0.5}, "more than half of the time"),
        ({"entity_sd": -1.0}, "neither is below 0"),
    ],
)
def test_a_design_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ReadingDesign(**wrong)


def test_powers_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="power is"):
        reading_power(SMALL, power=1.0)
    with pytest.raises(ValueError, match="difference above 0"):
        questions_needed(SMALL, 0.0)
