"""Power of reading tasks: what is stated holds when studies are simulated with a planted effect."""

import numpy as np
import pytest

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.performance import top_minus_bottom
from pytest_llmpref.stats.power import questions_needed, reading_power, visible_difference

SMALL = ReadingDesign(n_entities=24, n_questions=60, accuracy=0.8)


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
