"""What a plan says could be detected: against published values, simulation, and the statistics that judge claims."""

import math

import numpy as np
import pytest
from scipy import optimize, special
from simulated_comparisons import drawn
from statsmodels.stats.proportion import proportion_confint

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.cli import main
from pytest_llmpref.experiments.stopping import fractions_of
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
from pytest_llmpref.stats.arms import ArmRuns, arm_difference, minimum_detectable
from pytest_llmpref.stats.closed_form import (
    POWER,
    detectable_arm_difference,
    detectable_reading_gap,
    detectable_rho,
    detectable_strength,
    supportable_gap,
    supportable_margin,
)
from pytest_llmpref.stats.opening import CLUSTERED, chance_of_no_gap, quarters_error
from pytest_llmpref.stats.performance import top_minus_bottom
from pytest_llmpref.stats.power import reading_power
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.stats.sequential import expected_course

ALPHA = 0.05
ERRORS = special.ndtri(1 - ALPHA / 2) + special.ndtri(POWER)


@pytest.mark.parametrize(("n", "rho"), [(10, 0.80), (20, 0.60), (30, 0.50), (50, 0.40), (72, 0.33)])
def test_the_smallest_rho_is_about_that_of_the_published_table(n, rho):
    """The list is of exact powers; Fisher's z is an approximation, and rougher where n is small."""
    assert detectable_rho(n, ALPHA) == pytest.approx(rho, abs=0.02)


def test_a_strength_has_the_error_that_equal_entities_scatter_by():
    n, rng = 24, np.random.default_rng(1)
    elo = np.array([bradley_terry(drawn(rng, np.zeros(n)), prior_sd=100.0).elo for _ in range(60)])
    assert detectable_strength(n, 2 * (n - 1), ALPHA) == pytest.approx(ERRORS * elo.std(), rel=0.06)


def test_a_margin_is_wilsons_upper_end_at_no_refusal():
    assert supportable_margin(142, ALPHA) == pytest.approx(proportion_confint(0, 142, ALPHA, "wilson")[1])


@pytest.mark.parametrize("questions", [64, 200])
def test_a_reading_gap_is_a_little_less_than_the_statistic_itself_sees_in_simulation(questions):
    simulated = reading_power(ReadingDesign(72, questions), simulations=10).smallest_difference
    assert 0.85 * simulated < detectable_reading_gap(72, questions, ALPHA) < 1.05 * simulated


def test_quarters_within_a_margin_are_called_equal_as_often_as_is_stated():
    design, rng, equal = ReadingDesign(72, 200), np.random.default_rng(3), 0
    margin = supportable_gap(72, 200, ALPHA)
    for _ in range(60):
        difference = top_minus_bottom(simulate_answers(design, rng), design.preference)
        with ledger(1, ALPHA):
            equal += (abs(difference) < margin).verdict is Verdict.SUPPORTED
    assert equal / 60 == pytest.approx(POWER, abs=0.13)  # two and a half standard errors


@pytest.mark.parametrize(("questions", "accuracy"), [(64, 0.95), (200, 0.85), (64, 0.85)])
def test_a_gate_on_quarters_opens_about_as_often_as_in_simulation(questions, accuracy):
    design, rng, opens = ReadingDesign(72, questions, accuracy), np.random.default_rng(6), 0
    for _ in range(100):
        difference = top_minus_bottom(simulate_answers(design, rng), design.preference)
        with ledger(1, ALPHA):
            opens += (abs(difference) < 0.02).verdict is Verdict.SUPPORTED
    stated = chance_of_no_gap(72, questions, 0.02, ALPHA, accuracy=accuracy)
    assert opens / 100 == pytest.approx(stated, abs=0.125)  # two and a half standard errors
    assert chance_of_no_gap(3, questions, 0.02, ALPHA, accuracy=accuracy) == 0


@pytest.mark.parametrize(
    ("questions", "accuracy", "opens"),
    [(64, 0.85, 0.004), (64, 0.95, 0.29), (200, 0.85, 0.57), (200, 0.95, 0.97), (1000, 0.85, 0.999)],
)
def test_with_looks_a_gate_on_quarters_opens_about_as_often_as_the_validation_found(questions, accuracy, opens):
    """2,000 studies each by the real rule: docs/validation/gates.md, under Reading."""
    error = quarters_error(72, questions, accuracy=accuracy)
    stated = expected_course(fractions_of(questions), 0.02, error, ALPHA, wider=CLUSTERED).supported
    assert stated == pytest.approx(opens, abs=0.05)
    assert stated < chance_of_no_gap(72, questions, 0.02, ALPHA, accuracy=accuracy) + 1e-9


def test_arms_are_told_apart_from_what_their_runs_scatter_by():
    tasks, entities, rng = 60, 10, np.random.default_rng(2)
    task, entity = np.divmod(np.arange(tasks * entities), entities)
    found = [
        minimum_detectable(
            arm_difference(ArmRuns(task, entity, entity < 5, rng.random(len(task)) < 0.5), "", binary=True)
        )
        for _ in range(40)
    ]
    stated = detectable_arm_difference(tasks * entities // 2, ALPHA)
    assert 0.8 * np.mean(found) < stated < 1.05 * np.mean(found)


def test_a_plan_says_of_every_kind_of_claim_what_it_could_detect(capsys):
    assert main(["plan", "--model=openai/gpt-4.1-nano", "--profile=paper"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for line in (
        "correlations: |rho| 0.37 over 72 entities in 8 groups",
        "preference, one entity: 122 Elo points",
        "refusals, one entity: a margin above 0.03",
        "refusals, gate within 0.1: opens in 100%, 100%, 99% of studies",
        "reading, each entity: no gate; it takes 200 questions",
        "reading, the extremes: 6.5 points",
        "reading, quarters: within 3.9 points can be supported",
        "reading, gate within 2 points: opens in 0%, 41% of studies",
    ):
        assert line in text


def test_a_plan_says_before_money_is_spent_that_a_profile_cannot_open_a_gate(capsys):
    for profile, opens in (("standard", "opens in 18%, 0%, 0% of studies"), ("gate", "opens in 100%, 100%, 96%")):
        assert main(["plan", "--model=openai/gpt-4.1-nano", f"--profile={profile}", "--measure=refusal"]) == 0
        text = capsys.readouterr().out
        assert opens in text
        assert ("TOO FEW QUESTIONS" in text) == (profile == "standard")


def test_the_chance_that_reading_opens_allows_for_early_stopping(capsys):
    assert main(["plan", "--model=openai/gpt-4.1-nano", "--profile=gate", "--measure=boolq"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "reading, gate within 2 points: opens in 0%, 32% of studies" in text
    assert "if 85, 95% are right, drawn anew for each entity" in text


def test_detectable_effects_by_hand():
    assert detectable_rho(72, 0.05) == pytest.approx(math.tanh(ERRORS / math.sqrt(69)))
    assert detectable_arm_difference(100, 0.05) == pytest.approx(ERRORS * math.sqrt(0.25 / 100 + 0.25 / 100))
    strict = special.ndtri(1 - 0.01 / 2) + special.ndtri(0.8)
    assert detectable_rho(30, 0.01) == pytest.approx(math.tanh(strict / math.sqrt(27)))


@pytest.mark.parametrize("groups", [5, 8, 12, 72])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_smallest_rho_over_groups_has_the_quantile_of_students_t(groups, alpha):
    exact = math.tanh((special.stdtrit(groups - 1, 1 - alpha / 2) + special.ndtri(POWER)) / math.sqrt(69))
    assert detectable_rho(72, alpha, groups) == pytest.approx(exact, abs=0.005)
    assert detectable_rho(72, alpha, 4) == detectable_rho(72, alpha)


def test_a_strength_has_the_variance_of_a_balanced_design():
    n, trials = 9, 24
    per_pair = trials / (n - 1) / 4
    laplacian = per_pair * (n * np.eye(n) - np.ones((n, n)))
    error = math.sqrt(np.linalg.pinv(laplacian)[0, 0])
    assert detectable_strength(n, trials, 0.05) == pytest.approx(ERRORS * error * 400 / math.log(10))


def expected_level(accuracy=0.85, sd=1.5):
    """The level of the questions at which this share of the answers is right, and the quantiles of a normal."""
    at = special.ndtri((np.arange(100) + 0.5) / 100) * sd
    return optimize.brentq(lambda level: special.expit(level + at).mean() - accuracy, 0, 20), at


def test_reading_gaps_computed_a_second_way():
    level, at = expected_level()
    chance = special.expit(level + at)
    spread = (chance * (1 - chance)).mean()
    scores = special.ndtri((np.arange(40) + 0.5) / 40)
    scores /= scores.std(ddof=1)
    error = math.sqrt((1 / (300 * spread) + 0.05**2) / 39)
    shift = ERRORS * error * scores[-1]
    gap = special.expit(level + shift + at).mean() - special.expit(level - shift + at).mean()
    assert detectable_reading_gap(40, 300, 0.05) == pytest.approx(gap, rel=1e-6)
    quarter = math.sqrt(2 / 10 * (spread / 300 + (0.05 * spread) ** 2))
    assert supportable_gap(40, 300, 0.05) == pytest.approx(
        (special.ndtri(0.95) + special.ndtri(0.9)) * quarter, rel=1e-6
    )
    # A quarter of 43 entities is 10 of them.
    assert supportable_gap(43, 300, 0.05) == supportable_gap(40, 300, 0.05)
