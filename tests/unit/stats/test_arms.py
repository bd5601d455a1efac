"""The statistics of two arms: against scipy, against brute force, and by simulation with planted truth."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats import arms
from pytest_llmpref.stats.arms import (
    ArmRuns,
    arm_difference,
    clustered_error,
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


def clustered_by_hand(influence, entity, question, regressor):
    """The same as `clustered_error`, by matrices and loops."""
    n, q = len(regressor), len(set(question))
    design = np.c_[np.ones(n), regressor]
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    left = np.maximum(1 - np.diag(hat), 0.1)
    sums = {e: influence[entity == e].sum() for e in sorted(set(entity))}
    entities = sum(total**2 / part for total, part in zip(sums.values(), left, strict=True))
    questions = sum(influence[question == one].sum() ** 2 for one in set(question))
    cells = {(e, one): influence[(entity == e) & (question == one)].sum() for e in sums for one in set(question)}
    alike = max(0.0, questions * q / (q - 1) - sum(total**2 for total in cells.values()))
    spread = (np.eye(n) - hat) @ np.diag((regressor - regressor.mean()) ** 2 / left) @ (np.eye(n) - hat)
    df = np.trace(spread) ** 2 / np.trace(spread @ spread)
    whole = entities + alike
    return math.sqrt(whole), whole**2 / (entities**2 / df + alike**2 / (q - 1))


@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_clustered_errors_are_those_of_matrices_and_loops(alike):
    rng = np.random.default_rng(4)
    entity, question = (found.ravel() for found in np.meshgrid([3, 5, 6, 8, 9], np.arange(2, 9)))
    influence = rng.normal(size=35) + alike * rng.normal(size=9)[question]
    # Two runs of one entity at one question, and some that are missing.
    entity, question, influence = (np.r_[part, part[:3]][2:] for part in (entity, question, influence))
    regressor = np.array([0.0, 1, 1, 2, 9])
    found = clustered_error(influence, entity, question, regressor)
    assert found == pytest.approx(clustered_by_hand(influence, entity, question, regressor))


def test_an_entity_that_alone_differs_leaves_a_tenth_and_no_influence_has_no_error():
    entity, question = np.repeat(np.arange(12), 2), np.tile(np.arange(2), 12)
    influence, regressor = np.random.default_rng(5).normal(size=24), np.r_[1.0, np.zeros(11)]
    assert clustered_error(influence, entity, question, regressor) == pytest.approx(
        clustered_by_hand(influence, entity, question, regressor)
    )
    error, df = clustered_error(np.zeros(24), entity, question, np.arange(12.0))
    assert error == 0
    assert df > 1


def test_a_difference_and_its_error_computed_a_second_way():
    rng = np.random.default_rng(6)
    task, entity = (found.ravel() for found in np.meshgrid(np.arange(7), np.arange(6)))
    kept = ~np.isin(np.arange(42), [0, 8, 9, 23, 30, 41])
    task, entity = task[kept], entity[kept]
    top, value = entity < 3, rng.normal(size=kept.sum())
    shares, influence = [], np.zeros(len(task))
    for one in range(7):
        inside = task == one
        upper, lower = value[inside & top].mean(), value[inside & ~top].mean()
        shares.append(upper - lower)
        for arm, size in ((top, 1), (~top, -1)):
            here = inside & arm
            influence[here] = size / here.sum() / 7
            influence[here] *= value[here] - (upper + lower) / 2
    difference = float(np.mean(shares))
    for one in range(7):
        for arm in (top, ~top):
            here = (task == one) & arm
            influence[here] -= difference / 2 / here.sum() / 7
    found = arm_difference(ArmRuns(task, entity, top, value), "gap", binary=False, stratum="question", invalid=("cut",))
    error, df = clustered_by_hand(influence, entity, task, np.array([1.0, 1, 1, 0, 0, 0]))
    assert found.value == pytest.approx(difference)
    assert (found.interval_method.se, found.interval_method.df) == pytest.approx((error, df))
    assert (found.n, found.unit, found.label, found.invalid) == (7, "questions", "gap", ("cut",))
    assert found.method.startswith("paired difference by question; errors clustered by entity and question")


def test_why_a_difference_cannot_be_told():
    few = arm_difference(runs_of([[1, 0]], [[0, 0]]), "gap", binary=True, invalid=("cut",))
    assert few.invalid == ("cut", "1 tasks under 4 entities are too few: a difference needs 2 under 4")
    assert (few.n, few.unit, few.label) == (1, "tasks", "gap")
    lone = arm_difference(runs_of([[1], [1]], [[0, 1, 1], [1, 0, 1]]), "gap", binary=True)
    assert lone.invalid[0].startswith("an arm of one entity")
    assert (lone.n, math.isnan(lone.value), math.isnan(lone.interval().low)) == (2, True, True)


def test_the_smallest_difference_by_hand_and_none_without_students_interval():
    found = arm_difference(runs_of([[1, 0], [1, 1], [1, 0]], [[0, 0], [1, 0], [0, 1]]), "gap", binary=False)
    se, df = found.interval_method.se, found.interval_method.df
    for alpha, power in ((0.05, 0.8), (0.01, 0.9)):
        expected = (stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df)) * se
        assert minimum_detectable(found, alpha=alpha, power=power) == pytest.approx(expected)
    assert math.isnan(minimum_detectable(arm_difference(runs_of([[1]], [[0]]), "gap", binary=True)))


def test_permuting_entities_is_counted_by_brute_force_and_not_beyond_10_000_ways():
    rng = np.random.default_rng(8)
    runs = runs_of(rng.normal(0.5, 1, (3, 3)), rng.normal(0, 1, (3, 3)))
    table = runs.value.reshape(3, 6)

    def gap(chosen):
        others = [one for one in range(6) if one not in chosen]
        return (table[:, list(chosen)].mean(axis=1) - table[:, others].mean(axis=1)).mean()

    gaps = [abs(gap(chosen)) for chosen in combinations(range(6), 3)]
    seen = abs(gap((0, 1, 2)))
    assert entities_p_value(runs) == pytest.approx(np.mean([one >= seen - 1e-9 for one in gaps]))
    many = runs_of(np.ones((1, 9)), np.zeros((1, 9)))
    assert math.isnan(entities_p_value(many))


@pytest.mark.parametrize("resamples", [1, 9])
def test_what_was_seen_is_one_of_the_permutations(monkeypatch, resamples):
    """Of arms that differ as much as can be, no shuffle is as extreme; of values all alike, each one is."""
    monkeypatch.setattr(arms, "RESAMPLES", resamples)
    apart = runs_of(np.ones((8, 5)), np.zeros((8, 5)))
    assert arms.permutation_p_value(apart, seed=1) == pytest.approx(1 / (resamples + 1))
    assert arms.permutation_p_value(runs_of(np.ones((8, 5)), np.ones((8, 5))), seed=1) == 1
