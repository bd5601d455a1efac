"""Differences of arms by difficulty: against sums by hand, and whose runs say what is hard."""

import numpy as np
import pytest

from pytest_llmpref.experiments.agents.difficulty_calibration import HarderTasksStudy
from pytest_llmpref.stats.arms import ArmRuns, clustered_error, unseen
from pytest_llmpref.stats.arms_by_difficulty import gap_per_level, gaps_by_difficulty

STUDY = HarderTasksStudy(gap=0.6, harder=0.6, tasks=40)
FOLD = np.array([0, 1, 1, 0, 0] * 2)


def drawn(seed, study=STUDY):
    return study._runs(np.random.default_rng(seed))


def test_it_is_the_mean_of_differences_in_tasks_that_the_others_found_hard():
    runs, control, _ = drawn(1)
    solved = runs.value.reshape(10, 40)
    gaps = {0: [], 1: []}
    for fold in (0, 1):
        unsolved = np.vstack([1 - solved[fold != FOLD], 1 - control]).mean(axis=0)
        top, bottom = (solved[(fold == FOLD) & side].mean(axis=0) for side in (np.arange(10) < 5, np.arange(10) >= 5))
        for half, in_half in ((1, unsolved > np.median(unsolved)), (0, unsolved <= np.median(unsolved))):
            gaps[half] += list((top - bottom)[in_half])
    found = gaps_by_difficulty(runs, np.arange(40), control)
    assert found.harder.value == pytest.approx(np.mean(gaps[1]))
    assert found.easier.value == pytest.approx(np.mean(gaps[0]))
    assert found.difference.value == pytest.approx(np.mean(gaps[1]) - np.mean(gaps[0]))


def test_a_difference_that_a_task_owes_to_chance_does_not_make_it_hard():
    # All tasks are alike. The arm that solves more varies more: its luck makes a task look easy, and its gap large.
    rng, found, by_the_same_runs = np.random.default_rng(3), [], []
    entity, task = np.divmod(np.arange(10 * 60), 60)
    for _ in range(60):
        solved = rng.random((10, 60)) < np.where(np.arange(10) < 5, 0.5, 0.05)[:, None]
        runs = ArmRuns(task, entity, entity < 5, solved.ravel().astype(float))
        found.append(gaps_by_difficulty(runs, np.arange(60), (rng.random(60) < 0.3).astype(float)).difference.value)
        gaps, hard = (
            solved[:5].mean(axis=0) - solved[5:].mean(axis=0),
            solved.sum(axis=0) < np.median(solved.sum(axis=0)),
        )
        by_the_same_runs.append(gaps[hard].mean() - gaps[~hard].mean())
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60)
    assert np.mean(by_the_same_runs) < -0.1


def test_the_slope_on_the_level_is_that_of_least_squares():
    runs, _, level = drawn(2)
    solved = runs.value.reshape(10, 40)
    gaps = solved[:5].mean(axis=0) - solved[5:].mean(axis=0)
    assert gap_per_level(runs, level, "slope").value == pytest.approx(np.polyfit(level, gaps, 1)[0])


def test_few_entities_or_one_level_give_no_value():
    runs, control, level = drawn(4, HarderTasksStudy(tasks=20, per_arm=3))
    found = gaps_by_difficulty(runs, np.arange(20), control)
    assert np.isnan(found.difference.value)
    assert "3 entities in an arm are too few" in found.difference.invalid[0]
    assert gap_per_level(runs, level, "slope").invalid
    runs, control, _ = drawn(4, HarderTasksStudy(tasks=20, per_arm=4))
    assert not gaps_by_difficulty(runs, np.arange(20), control).difference.invalid
    alike = gap_per_level(drawn(4)[0], np.ones(40), "slope", invalid=iter(["first"]))
    assert alike.invalid == ("first", "the tasks are of one level, so that no slope on it can be told")


def test_tasks_that_nobody_tells_apart_give_no_value():
    entity, task = np.divmod(np.arange(80), 8)
    found = gaps_by_difficulty(ArmRuns(task, entity, entity < 5, np.ones(80)), np.arange(8), np.ones(8)).difference
    assert "their difficulty is not told apart" in found.invalid[0]
    assert (found > 0).verdict == "invalid"


def incomplete(seed):
    """Runs of 10 entities at 12 tasks, of which some are missing; one arm alone has runs at the last task."""
    rng = np.random.default_rng(seed)
    entity, task = np.divmod(np.arange(120), 12)
    kept = (rng.random(120) < 0.9) & ~((task == 11) & (entity >= 5))
    solved = (rng.random(120) < np.where(entity < 5, 0.7, 0.4) - task / 60).astype(float)
    return ArmRuns(task[kept], entity[kept], entity[kept] < 5, solved[kept])


def by_hand(runs, stratum, weight, fitted):
    """A weighted sum of differences, its error and its degrees of freedom, by loops over strata and arms."""
    value, influence, gaps = 0.0, np.zeros(len(runs.task)), {}
    for one in weight:
        upper, lower = (runs.value[(stratum == one) & side].mean() for side in (runs.top, ~runs.top))
        gaps[one] = upper - lower
        value += weight[one] * gaps[one]
        for side, sign in ((runs.top, 1), (~runs.top, -1)):
            here = (stratum == one) & side
            residual = runs.value[here] - (upper + lower) / 2 - sign * fitted[one] / 2
            influence[here] = sign * weight[one] / here.sum() * residual
    kept = np.isin(stratum, list(weight))
    entity = runs.entity[kept]
    arm = np.array([float(one < 5) for one in sorted(set(entity))])
    error, df = clustered_error(influence[kept], entity, runs.task[kept], arm)
    for sign in (1, -1):
        part = [one for one in weight if sign * weight[one] > 0]
        if part:
            size, most = unseen(np.array([gaps[one] for one in part]))
            error, df = np.hypot(error, size * sum(abs(weight[one]) for one in part)), min(df, most)
    return value, error, df


def parts(estimate):
    return estimate.value, estimate.interval_method.se, estimate.interval_method.df


def test_the_slope_on_the_level_and_its_error_computed_a_second_way():
    runs = incomplete(1)
    level = np.array([1.0, 1, 2, 3, 5, 1, 2, 2, 3, 3, 5, 9])
    x = level[:11]
    gaps = [np.diff([runs.value[(runs.task == one) & (runs.top == side)].mean() for side in (False, True)])[0]
            for one in range(11)]  # fmt: skip
    slope, start = np.polyfit(x, gaps, 1)
    weight = dict(enumerate((x - x.mean()) / np.sum((x - x.mean()) ** 2)))
    found = gap_per_level(runs, level, "slope", invalid=("cut",))
    assert parts(found) == pytest.approx(by_hand(runs, runs.task, weight, dict(enumerate(start + slope * x))))
    assert (found.n, found.unit, found.label, found.invalid) == (11, "tasks", "slope", ("cut",))
    assert found.method.startswith("least squares over tasks, of paired differences; errors clustered by entity and")
    alike = gap_per_level(runs, np.ones(12), "slope")
    assert (alike.n, alike.unit, alike.label, alike.method) == (11, "tasks", "slope", found.method)


@pytest.mark.parametrize("alone", [12, 9, 14])
def test_differences_by_difficulty_and_their_errors_computed_a_second_way(alone):
    """The runs for nobody are of all tasks, of fewer, or of more."""
    runs = incomplete(2)
    control = (np.arange(alone) % 3 > 0).astype(float)
    fold, half = FOLD[runs.entity], {}
    for own in (0, 1):
        share = {}
        for one in sorted(set(runs.task[fold == own])):
            others = 1 - runs.value[(runs.task == one) & (fold != own)]
            share[one] = np.mean(np.r_[others, 1 - control[one : one + 1]])
        for one, unsolved in share.items():
            here = (runs.task == one) & (fold == own)
            if runs.top[here].any() and not runs.top[here].all():
                half[2 * one + own] = int(unsolved > np.median(list(share.values())))
    stratum = 2 * runs.task + fold
    gaps = {
        one: runs.value[(stratum == one) & runs.top].mean() - runs.value[(stratum == one) & ~runs.top].mean()
        for one in half
    }
    fitted = {one: np.mean([gaps[other] for other in half if half[other] == half[one]]) for one in half}
    count = {side: sum(half[one] == side for one in half) for side in (0, 1)}
    found = gaps_by_difficulty(runs, np.arange(alone), control, invalid=("cut",))
    for estimate, where, signs in (
        (found.easier, "easier", (1, 0)),
        (found.harder, "harder", (0, 1)),
        (found.difference, "harder minus easier", (-1, 1)),
    ):
        weight = {one: signs[half[one]] / count[half[one]] for one in half}
        assert parts(estimate) == pytest.approx(by_hand(runs, stratum, weight, fitted))
        assert (estimate.n, estimate.unit, estimate.invalid) == (len({one // 2 for one in half}), "tasks", ("cut",))
        assert estimate.label == f"difference in share of tasks solved, top minus bottom arm, {where} tasks"
