"""Simulated studies of advice beside a user's taste: coverage, false alarms and power, few of each kind.

`llmpref calibrate` runs them by the hundred.
"""

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.experiments.contexts.alignment_calibration import scenarios

pytestmark = pytest.mark.usefixtures("few_redrawn")
STUDIES = 60
BY_NAME = {one.name: one.study for one in scenarios()}


def found(name):
    rng = np.random.default_rng(5)
    kinds = {}
    for _ in range(STUDIES):
        for finding in BY_NAME[name].findings(rng):
            kinds.setdefault(finding.kind, []).append(finding)
    return kinds


def missed(findings):
    intervals = [(one.estimate.interval(), one.truth) for one in findings]
    return sum(not interval.low <= truth <= interval.high for interval, truth in intervals)


def supported(findings):
    return sum((one.estimate > 0).verdict == "supported" for one in findings)


@pytest.mark.parametrize("name", ["alignment/both", "alignment/small", "alignment/n=24"])
def test_intervals_hold_the_truth(name):
    for kind, findings in found(name).items():
        assert missed(findings) <= stats.binom.ppf(0.999, STUDIES, 0.05), kind


@pytest.mark.parametrize(("name", "user", "own"), [("user", True, False), ("itself", False, True)])
def test_whom_advice_follows_is_told(name, user, own):
    kinds = found(f"alignment/{name}")
    alarms = stats.binom.ppf(0.999, STUDIES, 0.025)
    for kind, is_followed in (("user's taste", user), ("own preference", own)):
        times = supported(kinds[kind])
        assert times == STUDIES if is_followed else times <= alarms, kind
