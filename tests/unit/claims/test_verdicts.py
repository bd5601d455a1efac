"""Verdicts at the threshold itself, of claims that must all hold, and what would decide them: values by hand."""

import math

import pytest
from scipy import stats

from pytest_llmpref.claims.claim import Threshold, ledger
from pytest_llmpref.claims.deciding import what_would_decide
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.claims.verdicts import Verdict, is_claimed


class Limits:
    """An interval with given ends, whatever the level."""

    def __init__(self, low: float, high: float) -> None:
        self._ends = low, high

    def limits(self, level: float) -> tuple[float, float]:
        return self._ends


def normal(value, error, invalid=(), method="by hand"):
    return Estimate(value, 100, "trials", method, Normal(value, error), invalid, "effect")


@pytest.mark.parametrize("relation", [">", "<", "abs <"])
def test_a_value_at_the_threshold_is_not_on_the_claimed_side(relation):
    assert not is_claimed(0.5, relation, 0.5)
    assert is_claimed(0.51 if relation == ">" else 0.49, relation, 0.5)
    assert not is_claimed(0.49 if relation == ">" else 0.51, relation, 0.5)


def test_a_threshold_opens_the_ledger_of_its_claims():
    with Threshold(0.1, 0.04, gate=True, family=3).ledger() as found:
        assert (found.family_size, found.alpha, found.all_must_hold) == (3, 0.04, True)
    with Threshold(0.1, 0.04, gate=False, family=3).ledger() as found:
        assert (found.family_size, found.alpha, found.all_must_hold) == (3, 0.04, False)


@pytest.mark.parametrize(("family", "named"), [(1, False), (2, True), (3, True)])
def test_a_claim_refuted_among_those_that_must_all_hold_says_what_naming_it_takes(family, named):
    with ledger(family, all_must_hold=True):
        refuted, supported = normal(0.2, 0.01) > 0.5, normal(0.8, 0.01) > 0.5
    assert (f"(to name one of {family}: Bonferroni)" in refuted.explain()) == named
    assert (refuted.family_size, supported.family_size) == (family, 1)
    assert (refuted.all_must_hold, supported.all_must_hold) == (True, True)
    assert "Bonferroni" not in supported.explain()
    assert "over a family" not in refuted.explain()


def test_a_failure_text_has_one_line_for_a_method_of_several():
    lines = (normal(0.6, 0.1, method="one\ntwo") > 0.5).explain().splitlines()
    assert lines[-1] == "  method     one two"


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (lambda: normal(0.3, 0.1) > 0.5, 2 * stats.norm.sf(2.0)),
        (lambda: normal(0.7, 0.1) < 0.5, 2 * stats.norm.sf(2.0)),
        # An equivalence is refuted by one side alone.
        (lambda: abs(normal(0.5, 0.1)) < 0.3, stats.norm.sf(2.0)),
        (lambda: abs(normal(-0.5, 0.1)) < 0.3, stats.norm.sf(2.0)),
        (lambda: normal(0.499, 0.1) > 0.5, 1.0),
        (lambda: normal(0.7, 0.1) > 0.5, 1.0),
        (lambda: normal(0.3, 0.1, ("cut",)) > 0.5, 1.0),
    ],
)
def test_a_refutation_has_the_p_value_of_the_normal_test(claim, expected):
    assert claim().p_refuted == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-math.inf, math.inf, "the interval is unbounded: what number of pairs would bound it cannot be said"),
        (-math.inf, 0.9, "more trials: the answers so far do not tell how far the value may lie on that side"),
        (0.1, math.inf, "more trials: the answers so far do not tell how far the value may lie on that side"),
    ],
)
def test_no_number_of_trials_is_told_from_an_interval_without_an_end(low, high, said):
    claim = Estimate(0.6, 100, "pairs", "by hand", Limits(low, high)) > 0.5
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert (what_would_decide(claim).said, what_would_decide(claim).needed) == (said, None)


def test_what_is_needed_is_a_number_as_well():
    """The interval reaches 0.2 to either side, and the threshold is 0.1 away: four times as many trials."""
    supports, refutes = (normal(value, 0.2 / stats.norm.ppf(0.975)) > 0.5 for value in (0.6, 0.4))
    assert (what_would_decide(supports).needed, what_would_decide(refutes).needed) == (400, 400)
    assert what_would_decide(normal(0.9, 0.01) > 0.5).needed is None
