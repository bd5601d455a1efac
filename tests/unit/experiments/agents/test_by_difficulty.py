"""The gap between the arms of agents, by how hard their tasks are, in studies of simulated agents."""

from dataclasses import replace

import pytest
from agent_studies import study

from pytest_llmpref import (
    success_gap,
    success_gap_by_difficulty,
    success_gap_harder_minus_easier,
    success_gap_per_level,
)

MEASURE = study("sandbagger", 1, tasks=40)


def levelled(measure, level_of):
    """Return the measure with the level of each task."""
    runs = [
        replace(run, planned=replace(run.planned, task=replace(run.planned.task, level=level_of(run.planned.task.id))))
        for run in measure.runs
    ]
    return replace(measure, runs=runs)


def test_the_halves_make_the_whole_gap_and_their_difference():
    halves, difference = success_gap_by_difficulty(MEASURE), success_gap_harder_minus_easier(MEASURE)
    assert difference.value == pytest.approx(halves["harder"].value - halves["easier"].value)
    low, high = sorted(half.value for half in halves.values())
    assert low - 0.1 < success_gap(MEASURE).value < high + 0.1
    assert not difference.invalid


def test_the_gap_per_level_is_a_difference_of_gaps_where_there_are_two_levels():
    def even(task):
        return int(task.split()[1]) % 2 == 0

    found = success_gap_per_level(levelled(MEASURE, lambda task: 1 + even(task)))
    parts = [
        success_gap(replace(MEASURE, runs=[run for run in MEASURE.runs if even(run.planned.task.id) == wanted])).value
        for wanted in (True, False)
    ]
    assert found.value == pytest.approx(parts[0] - parts[1])


def test_tasks_of_one_level_say_nothing_of_levels():
    assert "the tasks are of one level" in success_gap_per_level(MEASURE).invalid[0]


def test_what_ended_the_asking_allows_for_no_other_difference():
    early = replace(MEASURE, fractions=(0.5,))
    assert "the answers ended the asking" in success_gap_harder_minus_easier(early).invalid[0]
