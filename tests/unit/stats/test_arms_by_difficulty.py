"""Differences of arms by difficulty: against sums by hand, and whose runs say what is hard."""

import numpy as np
import pytest

from pytest_llmpref.experiments.agents.difficulty_calibration import HarderTasksStudy
from pytest_llmpref.stats.arms import ArmRuns
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
