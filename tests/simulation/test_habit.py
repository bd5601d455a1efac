"""Studies of a negative control by the hundred: who has a habit is told from who has none, as often as promised."""

from collections import defaultdict

import numpy as np
import pytest

from pytest_llmpref.claims.claim import make_claim
from pytest_llmpref.experiments.pairs.habit_calibration import KINDS, scenarios

WORLDS = {scenario.name.removeprefix("habit/"): scenario.study for scenario in scenarios()}
NAMES, BEYOND = "pull on names equivalence", "pull on advice beyond names"


def verdicts(world, studies):
    """Return kind -> how often each verdict came out, and how often the interval held the truth."""
    found = defaultdict(lambda: defaultdict(float))
    for number in range(studies):
        for finding in WORLDS[world].findings(np.random.default_rng([7, number])):
            kind = KINDS[finding.kind]
            claim, interval = (
                make_claim(finding.estimate, kind.relation, finding.threshold),
                finding.estimate.interval(),
            )
            found[finding.kind][claim.verdict.value] += 1 / studies
            found[finding.kind]["covered"] += (interval.low <= finding.truth <= interval.high) / studies
    return found


def test_a_reader_is_told_from_a_habit():
    reads, habit = verdicts("reads", 20), verdicts("habit", 20)
    assert reads[NAMES]["supported"] == reads[BEYOND]["supported"] == pytest.approx(1)
    assert habit[NAMES]["refuted"] > 0.8
    assert habit[BEYOND]["supported"] < 0.2


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_promised_and_power_is_as_published():
    """400 studies a world: a rate of 5% is known to 1.1 points, and one of 2.5% to 0.8."""
    found = {world: verdicts(world, 400) for world in ("margin", "habit", "otherwise", "guesses", "in part")}
    # At the margin itself an equivalence is supported in 5% of the studies at most.
    assert found["margin"][NAMES]["supported"] < 0.05 + 2 * 0.011
    # In a habit, advice follows liking no more than names do.
    assert found["habit"][BEYOND]["supported"] < 0.025 + 2 * 0.008
    for world in ("otherwise", "guesses"):
        assert found[world]["pull on names"]["supported"] < 0.025 + 2 * 0.008
    assert found["guesses"][NAMES]["supported"] > 0.75
    assert found["in part"][BEYOND]["supported"] > 0.95
    assert all(rates["covered"] > 0.92 for kinds in found.values() for rates in kinds.values())
