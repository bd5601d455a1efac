"""What a plan says could be detected: against published values, simulation, and the statistics that judge claims."""

import numpy as np
import pytest
from scipy import special
from simulated_comparisons import drawn
from statsmodels.stats.proportion import proportion_confint

from pytest_llmpref.claims.claim import Verdict, ledger
from pytest_llmpref.cli import main
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
from pytest_llmpref.stats.performance import top_minus_bottom
from pytest_llmpref.stats.power import reading_power
from pytest_llmpref.stats.rating import bradley_terry

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
        "correlations: |rho| 0.33 over 72 entities",
        "preference, one entity: 122 Elo points",
        "refusals, one entity: a margin above 0.07",
        "reading, the extremes: 6.5 points",
        "reading, quarters: within 3.9 points can be supported",
    ):
        assert line in text
