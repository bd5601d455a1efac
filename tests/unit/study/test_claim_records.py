"""What results.json says of a claim."""

import pytest

from pytest_llmpref import Estimate, Normal
from pytest_llmpref.stats.sequential import with_repeated_interval
from pytest_llmpref.study.records import ClaimingTest, claim_record

TEST = ClaimingTest("sim/plain", "suites/test_it.py::test_it", 1, "", None, ("boolq",), gate=True, exploratory=False)


def gap(value: float) -> Estimate:
    return Estimate(value, 64, "questions", "difference", Normal(value, 0.006))


@pytest.mark.parametrize("fractions", [(0.25,), (0.25, 0.5, 1.0)])
def test_a_study_that_asks_until_its_verdict_is_decided_says_nothing_of_a_repetition(fractions):
    looked_at = with_repeated_interval(gap(0.001), fractions)
    assert claim_record(abs(gap(0.001)) < 0.02, TEST, fails=False).supported_again is not None
    assert claim_record(abs(looked_at) < 0.02, TEST, fails=False).supported_again is None


def test_about_how_many_questions_an_inconclusive_claim_needs_is_a_number_too():
    record = claim_record(gap(0.015) < 0.02, TEST, fails=True)
    assert record.to_decide == f"about {record.needed} questions (now 64), if 0.015 were the true value"
    assert claim_record(gap(0.02) < 0.02, TEST, fails=True).needed is None
    assert claim_record(gap(0.001) < 0.02, TEST, fails=False).needed is None
