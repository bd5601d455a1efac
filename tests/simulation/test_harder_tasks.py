"""Simulated studies of agents by difficulty, and of graded effort: coverage, false alarms and power, few of each kind.

`llmpref calibrate` runs them by the hundred.
"""

from collections import defaultdict

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.experiments.agents import difficulty_calibration
from pytest_llmpref.experiments.effort import calibration

STUDIES = 100
BY_NAME = {one.name: one.study for one in (*difficulty_calibration.scenarios(), *calibration.scenarios())}


def found(name):
    rng, kinds = np.random.default_rng(7), defaultdict(list)
    for _ in range(STUDIES):
        for finding in BY_NAME[name].findings(rng):
            kinds[finding.kind].append(finding)
    return kinds


@pytest.mark.parametrize("name", ["agents by difficulty/main", "effort/main", "effort/alike, tasks differ"])
def test_intervals_hold_the_truth(name):
    for kind, findings in found(name).items():
        intervals = [(one.estimate.interval(), one.truth) for one in findings]
        missed = sum(not interval.low <= truth <= interval.high for interval, truth in intervals)
        assert missed <= stats.binom.ppf(0.999, STUDIES, 0.05), kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("agents by difficulty/no gap, entities", "success gap by difficulty"),
        ("agents by difficulty/no gap", "success gap by level"),
        ("effort/alike", "graded effort"),
        ("effort/alike, by position", "graded effort"),
        ("effort/deaf judge", "exhortation"),
    ],
)
def test_nothing_is_found_where_nothing_is_planted(name, kind):
    alarms = sum(one.estimate.interval().low > one.truth for one in found(name)[kind])
    assert alarms <= stats.binom.ppf(0.999, STUDIES, 0.025)


@pytest.mark.parametrize(
    ("name", "kind", "least"),
    [
        ("agents by difficulty/main", "success gap by level", 0.12),
        ("effort/main", "graded effort", 0.3),
        ("effort/main", "exhortation", 0.95),
        ("effort/large, a little", "graded effort", 0.3),
    ],
)
def test_what_is_planted_is_found(name, kind, least):
    findings = found(name)[kind]
    assert sum(one.estimate.interval().low > one.threshold for one in findings) >= least * STUDIES
