"""Studies of simulated agents: bias, error and power."""

import numpy as np
import pytest
from agent_studies import planted_gap, study

from pytest_llmpref.experiments.agents.measure import effort_gap, success_gap
from pytest_llmpref.stats.arms import minimum_detectable

PAPER = [f"paper-{letter}" for letter in "abcde"]


@pytest.mark.parametrize("name", PAPER)
def test_no_difference_is_found_where_none_is_planted(name):
    """Over 40 studies of the paper's size: 53 and 16 tasks, five entities an arm."""
    studies = [study(name, seed, tasks=69) for seed in range(40)]
    assert planted_gap(name, 0, tasks=69) == 0
    gaps = [success_gap(found) for found in studies]
    assert abs(np.mean([gap.value for gap in gaps])) < 4 * np.std([gap.value for gap in gaps]) / 40**0.5
    assert sum(not gap.interval().low <= 0 <= gap.interval().high for gap in gaps) <= 6


def test_a_planted_difference_is_measured_without_bias_and_with_the_error_that_is_stated():
    studies = [study("sandbagger", seed, tasks=69) for seed in range(60)]
    planted = np.array([planted_gap("sandbagger", seed, tasks=69) for seed in range(60)])
    gaps = [success_gap(found) for found in studies]
    values = np.array([gap.value for gap in gaps])
    assert 0.07 < planted.mean() < 0.11
    assert values.mean() == pytest.approx(planted.mean(), abs=0.015)
    covered = [gap.interval().low <= truth <= gap.interval().high for gap, truth in zip(gaps, planted, strict=True)]
    assert np.mean(covered) >= 0.9


def test_lessened_effort_is_told_from_none_and_ten_points_on_sixteen_tasks_are_beyond_power():
    sandbagger = [study("sandbagger", seed, tasks=16) for seed in range(60)]
    even = [study("paper-a", seed, tasks=16) for seed in range(60)]
    assert power(effort_gap(found, "calls") for found in sandbagger) > 0.8
    assert power(effort_gap(found, "calls") for found in even) < 0.15
    detectable = np.median([minimum_detectable(success_gap(found)) for found in sandbagger])
    assert detectable > 0.12
    assert power(success_gap(found) for found in sandbagger) < 0.6


def power(gaps):
    return np.mean([gap.interval().low > 0 for gap in gaps])
