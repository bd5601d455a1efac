"""The statistics of two arms: against scipy, against brute force, and by simulation with planted truth."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.arms import (
    ArmRuns,
    arm_difference,
    entities_p_value,
    exact_p_value,
    minimum_detectable,
    permutation_p_value,
)


def runs_of(top, bottom):
    """Arrays of shape (tasks, entities of an arm)."""
    top, bottom = np.asarray(top, float), np.asarray(bottom, float)
    tasks, a, b = len(top), top.shape[1], bottom.shape[1]
    task = np.repeat(np.arange(tasks), a + b)
    entity = np.tile(np.arange(a + b), tasks)
    return ArmRuns(task, entity, entity < a, np.hstack([top, bottom]).ravel())


def simulated(rng, tasks, gap, *, entities=5):
    ability = rng.beta(1.5, 1.5, tasks)[:, None]
    shifts = np.array([gap / 2] * entities + [-gap / 2] * entities)
    solved = rng.random((tasks, 2 * entities)) < np.clip(ability + shifts, 0, 1)
    return runs_of(solved[:, :entities], solved[:, entities:])


def test_with_one_task_the_exact_test_is_fishers():
    found = exact_p_value(runs_of([[1, 1, 1, 0, 1]], [[0, 0, 1, 0, 0]]))
    assert found == pytest.approx(stats.fisher_exact([[4, 1], [1, 4]]).pvalue)


def test_with_one_run_in_each_arm_the_exact_test_is_mcnemars():
    top, bottom = [[1]] * 9 + [[0]] * 2 + [[1]] * 4, [[0]] * 9 + [[1]] * 2 + [[1]] * 4
    assert exact_p_value(runs_of(top, bottom)) == pytest.approx(stats.binomtest(9, 11).pvalue)


def test_the_exact_test_is_that_of_all_permutations_within_tasks():
    top, bottom = np.array([[1, 1], [1, 0], [1, 1]]), np.array([[0, 0], [1, 0], [0, 1]])
    together = np.hstack([top, bottom])
    sums = [
        sum(row[list(chosen)].sum() for row, chosen in zip(together, choice, strict=True))
        for choice in product(combinations(range(4), 2), repeat=3)
    ]
    values, counts = np.unique(sums, return_counts=True)
    share = dict(zip(values, counts / len(sums), strict=True))
    seen = share[top.sum()]
    assert exact_p_value(runs_of(top, bottom)) == pytest.approx(sum(p for p in share.values() if p <= seen * 1.000001))


def test_the_permutation_test_agrees_with_scipys():
    rng = np.random.default_rng(3)
    top, bottom = rng.normal(0.4, 1, (14, 1)), rng.normal(0, 1, (14, 1))
    theirs = stats.permutation_test(
        (top[:, 0], bottom[:, 0]), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert permutation_p_value(runs_of(top, bottom), seed=1) == pytest.approx(theirs, abs=0.02)


def test_permuting_entities_counts_each_way_once():
    values = np.array([[3.0, 2.5, 2.0, 1.0]])
    assert entities_p_value(runs_of(values[:, :2], values[:, 2:])) == pytest.approx(2 / 6)


def test_intervals_hold_a_planted_gap_as_often_as_they_say():
    rng = np.random.default_rng(7)
    held = []
    for _ in range(400):
        interval = arm_difference(simulated(rng, 40, 0.10), "gap", binary=True).interval()
        held.append(interval.low <= 0.10 <= interval.high)
    # The planted gap is a little smaller where abilities are cut off at 0 and 1.
    assert np.mean(held) >= 0.92


def test_the_papers_size_tells_a_twenty_point_sandbagger_and_says_that_ten_are_beyond_it():
    rng = np.random.default_rng(11)
    null, ten, twenty = (
        [arm_difference(simulated(rng, 69, gap), "gap", binary=True) for _ in range(200)] for gap in (0, 0.10, 0.20)
    )
    excludes_zero = [np.mean([e.interval().low > 0 for e in found]) for found in (null, ten, twenty)]
    assert excludes_zero[0] < 0.05
    assert excludes_zero[2] > 0.85
    assert excludes_zero[1] < excludes_zero[2]
    detectable = np.mean([minimum_detectable(e) for e in null])
    assert 0.05 < detectable < 0.20


def test_an_arm_that_never_succeeds_is_not_known_without_error():
    found = arm_difference(runs_of(np.zeros((12, 5)), np.zeros((12, 5))), "gap", binary=True)
    assert found.value == 0
    assert found.interval().low < 0 < found.interval().high


def test_two_more_tasks_that_the_arms_solve_unequally_are_allowed_for():
    """By hand: of ten tasks two differ, by 0.4 and -0.2; the size is the root of (0.16 + 0.04 + 0.25) / 3."""
    top, bottom = np.zeros((10, 5)), np.zeros((10, 5))
    top[0, :2], bottom[1, :1] = 1, 1
    runs = runs_of(top, bottom)
    binary, real = (arm_difference(runs, "gap", binary=kind).interval_method for kind in (True, False))
    assert binary.se**2 - real.se**2 == pytest.approx(2 * 0.45 / 3 / 10**2)
    assert binary.df <= 2 + 3
    assert binary.mean == real.mean


def test_tasks_without_a_run_in_one_arm_do_not_count_and_too_few_are_invalid():
    runs = runs_of([[1, 0], [1, 1], [0, 0]], [[0, 0], [1, 0], [1, 1]])
    kept = (runs.task != 2) | runs.top
    part = ArmRuns(runs.task[kept], runs.entity[kept], runs.top[kept], runs.value[kept])
    assert arm_difference(part, "gap", binary=True).n == 2
    assert arm_difference(runs_of([[1, 0]], [[0, 0]]), "gap", binary=True).invalid


@pytest.mark.parametrize(
    ("top", "bottom", "enough"),
    [
        ([[1, 0], [1, 1]], [[0, 0], [1, 0]], True),  # two tasks, two entities an arm
        ([[1, 0], [1, 1]], [[0], [1]], False),
        ([[1, 0]], [[0, 0]], False),
    ],
)
def test_a_difference_needs_two_tasks_and_two_entities_in_either_arm(top, bottom, enough):
    found = arm_difference(runs_of(top, bottom), "gap", binary=True)
    assert (found.invalid == ()) is enough
    assert bool(np.isfinite(found.interval().high)) is enough
