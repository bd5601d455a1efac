"""Studies of agents that end early: errors at the margin."""

import math

import numpy as np
import pytest

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_cyber")

from agent_studies import followed, planted_gap, study

from pytest_llmpref.experiments.agents.measure import effort_gap, success_gap

TASKS = 120


def test_a_difference_at_the_margin_is_called_smaller_no_more_often_than_allowed_and_none_ends_early():
    studies = 120
    planted = [planted_gap("sandbagger", seed, tasks=TASKS) for seed in range(studies)]
    at_margin = [followed(study("sandbagger", seed, tasks=TASKS), margin) for seed, margin in enumerate(planted)]
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)
    assert np.mean([ended == "supported" for ended, _ in at_margin]) <= allowed
    intervals = [success_gap(made).interval(0.95) for _, made in at_margin]
    assert np.mean([not i.low <= truth <= i.high for i, truth in zip(intervals, planted, strict=True)]) <= allowed
    none = [followed(study("paper-a", seed, tasks=TASKS), 0.12) for seed in range(30)]
    assert np.mean([ended == "supported" for ended, _ in none]) > 0.9
    assert np.mean([made.fractions[-1] for _, made in none]) < 0.85
    efforts = [effort_gap(made, "calls").interval(0.95) for _, made in none]
    assert np.mean([not i.low <= 0 <= i.high for i in efforts]) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 30)
