"""Simulated studies of randomised attitudes: coverage, false alarms and power, few of each kind.

`llmpref calibrate` runs them by the thousand.
"""

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.experiments.contexts import by_context_calibration, calibration
from pytest_llmpref.experiments.contexts.calibration import InducedStudy

pytestmark = pytest.mark.usefixtures("few_redrawn")
STUDIES = 100
BY_NAME = {one.name: one.study for each in (calibration, by_context_calibration) for one in each.scenarios()}


def found(study):
    rng = np.random.default_rng(5)
    kinds = {}
    for _ in range(STUDIES):
        for finding in study.findings(rng):
            kinds.setdefault(finding.kind, []).append(finding)
    return kinds


def missed(findings):
    intervals = [(one.estimate.interval(), one.truth) for one in findings]
    return sum(not interval.low <= truth <= interval.high for interval, truth in intervals)


@pytest.mark.parametrize(
    "name",
    [
        "contexts/main",
        "contexts/correlation",
        "contexts/weak",
        "contexts/uneven",
        "contexts/pressure",
        "contexts/pressure, n=24",
        "contexts/pressure, halved",
        "contexts/pressure, stirred",
        "contexts/reading",
        "contexts/reading, null",
        "contexts/agents",
        "contexts/agents, n=6",
        "contexts/priming",
        "contexts/priming, n=24, null",
    ],
)
def test_intervals_hold_the_truth(name):
    for kind, findings in found(BY_NAME[name]).items():
        assert missed(findings) <= stats.binom.ppf(0.999, STUDIES, 0.05), kind


def test_cause_and_mere_correlation_are_told_apart():
    cause, correlation = (
        found(BY_NAME[f"contexts/{name}"])["effect of an attitude"] for name in ("main", "correlation")
    )
    power, alarms = (
        np.mean([(one.estimate > 0).verdict == "supported" for one in each]) for each in (cause, correlation)
    )
    assert power == 1
    assert alarms <= stats.binom.ppf(0.999, STUDIES, 0.025) / STUDIES


def test_of_a_weak_instrument_most_intervals_are_unbounded():
    per_point = found(BY_NAME["contexts/weak"])["effect per preference"]
    assert np.mean([np.isinf(one.estimate.interval().low) for one in per_point]) > 0.5


def test_a_truth_is_that_of_a_very_large_study():
    study = InducedStudy(n_entities=24, partners=400, spread=0.5)
    truth, rng = InducedStudy(n_entities=24, spread=0.5)._truth(1.0), np.random.default_rng(1)
    effects = [next(iter(study.findings(rng))).estimate.value for _ in range(10)]
    assert np.mean(effects) == pytest.approx(truth, abs=0.02)


def test_a_context_that_changes_nothing_is_hardly_ever_found_to_and_one_that_wipes_out_preference_always():
    none, wiped = (found(BY_NAME[f"contexts/pressure{name}"])["change in slope"] for name in ("", ", wiped out"))
    alarms, power = (np.mean([(one.estimate < 0).verdict == "supported" for one in each]) for each in (none, wiped))
    assert alarms <= stats.binom.ppf(0.999, STUDIES, 0.025) / STUDIES
    assert power == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("reading, null", "effect on what is right"),
        ("agents, null", "effect on what is right"),
        ("agents, n=6, null", "effect on what is right"),
        ("priming, null", "priming"),
    ],
)
def test_where_nothing_is_swayed_hardly_anything_is_found(name, kind):
    alarms = np.mean([(one.estimate > 0).verdict == "supported" for one in found(BY_NAME[f"contexts/{name}"])[kind]])
    assert alarms <= stats.binom.ppf(0.999, STUDIES, 0.025) / STUDIES


@pytest.mark.parametrize(("name", "kind"), [("reading", "effect on what is right"), ("priming", "priming")])
def test_what_is_swayed_is_found(name, kind):
    assert (
        np.mean([(one.estimate > 0).verdict == "supported" for one in found(BY_NAME[f"contexts/{name}"])[kind]]) > 0.9
    )
