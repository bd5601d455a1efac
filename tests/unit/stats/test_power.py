"""Power of reading tasks: what is stated holds when studies are simulated with a planted effect."""

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

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


def test_the_smallest_design_is_one():
    design = ReadingDesign(n_entities=4, n_questions=4, accuracy=0.501, difficulty_sd=0.0, entity_sd=0.0)
    assert len(simulate_answers(design, np.random.default_rng(1))) == 16


def test_a_slope_makes_the_difference_that_integrals_over_questions_give():
    design = ReadingDesign(n_entities=10, accuracy=0.8, difficulty_sd=1.2)

    def right(at):
        return integrate.quad(lambda z: special.expit(at + 1.2 * z) * stats.norm.pdf(z), -10, 10)[0]

    level = optimize.brentq(lambda at: right(at) - 0.8, -5, 10)
    scores = stats.norm.ppf((np.arange(10) + 0.5) / 10)
    scores /= scores.std(ddof=1)
    assert design.level == pytest.approx(level, abs=1e-6)
    assert design.mean_accuracy(level, 0.7) == pytest.approx(right(level + 0.7), abs=1e-6)
    for slope in (0.2, -0.3):
        points = right(level + slope * scores[-1]) - right(level + slope * scores[0])
        assert design.points(slope) == pytest.approx(points, abs=1e-6)
        assert design.slope(points) == pytest.approx(slope, abs=1e-5)
    most = design.points(5.0)
    assert design.slope(0.999 * most) < 5
    for beyond in (most, -most):
        with pytest.raises(ValueError, match="no slope makes accuracies differ so much"):
            design.slope(beyond)


def test_simulated_answers_have_the_planted_chances():
    design = ReadingDesign(4, 20_000, accuracy=0.7, difficulty_sd=0.0)
    effects = np.array([-0.5, 0.0, 0.3, 1.0])
    found = simulate_answers(
        design, np.random.default_rng(1), yes_bias=0.4, yes_bias_slope=0.3, effects=effects, control="alone"
    )
    level = np.log(0.7 / 0.3)
    alone = found.controls["alone"]
    for yes, sign in ((True, 1), (False, -1)):
        leaning = 0.4 + 0.3 * design.preference
        for entity, chance in enumerate(special.expit(level + effects + sign * leaning)):
            own = found.correct[(found.entity == entity) & (found.truth == yes)]
            assert len(own) == 10_000
            assert own.mean() == pytest.approx(chance, abs=0.02)  # four standard errors
        own = alone.correct[(alone.correct == alone.said_yes) == yes]
        assert own.mean() == pytest.approx(special.expit(level + sign * 0.4), abs=0.02)
    assert np.array_equal(found.truth[:20_000], alone.correct == alone.said_yes)


def test_difficulty_and_effects_that_are_drawn_have_the_planted_spread():
    """One of them at a time: the other would draw shares towards a half."""
    design = ReadingDesign(400, 400, accuracy=0.7, difficulty_sd=0.0, entity_sd=0.5)
    right = simulate_answers(design, np.random.default_rng(2), slope=1.0).correct.reshape(400, 400)
    log_odds = special.logit(right.mean(axis=1))
    slope, level = np.polyfit(design.preference, log_odds, 1)
    assert (slope, level) == pytest.approx((1.0, special.logit(0.7)), abs=0.1)  # four standard errors
    rest = log_odds - level - slope * design.preference
    chance = right.mean(axis=1)
    sampling = np.mean(1 / (400 * chance * (1 - chance)))
    assert rest.var() - sampling == pytest.approx(0.25, abs=0.08)
    design = ReadingDesign(400, 400, accuracy=0.7, difficulty_sd=1.0, entity_sd=0.0)
    right = simulate_answers(design, np.random.default_rng(3)).correct.reshape(400, 400)
    chance = right.mean(axis=0)
    log_odds = special.logit(chance)
    assert log_odds.mean() == pytest.approx(design.level, abs=0.2)
    sampling = np.mean(1 / (400 * chance * (1 - chance)))
    assert log_odds.var() - sampling == pytest.approx(1.0, abs=0.28)  # four standard errors


def test_powers_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="power is"):
        reading_power(SMALL, power=1.0)
    with pytest.raises(ValueError, match="difference above 0"):
        questions_needed(SMALL, 0.0)
