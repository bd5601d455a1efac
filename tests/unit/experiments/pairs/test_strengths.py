"""Strengths of entities that nearly always win, or lose: an interval has no end where only the prior would set it."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_llmpref.claims.intervals import Normal, OneSided
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.pairs.measure import strengths
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.few_outcomes import FEWEST_OF_EITHER, FEWEST_TO_BOUND, Skewed
from pytest_llmpref.stats.noise import Noisy, residuals
from pytest_llmpref.stats.rating import bradley_terry

IDS = [*"abcdef"]
FIRST, SECOND = np.array([(i, j) for i in range(6) for j in range(6) if i != j]).T


def rated(losses):
    """Six entities meet each other in both orders; the first loses so many of its ten trials, the others half."""
    score = ((FIRST < SECOND) == (FIRST + SECOND) % 2).astype(float)
    own = np.flatnonzero((FIRST == 0) | (SECOND == 0))
    score[own] = FIRST[own] == 0
    score[own[:losses]] = 1 - score[own[:losses]]
    comparisons = Comparisons(FIRST, SECOND, score, FIRST < SECOND, 6)
    return strengths(comparisons, bradley_terry(comparisons), IDS)


@pytest.mark.parametrize("losses", [0, FEWEST_TO_BOUND - 1])
def test_an_entity_that_nearly_always_wins_may_lie_as_far_above_as_may_be(losses):
    found = rated(losses)["a"]
    assert -math.inf < found.interval().low < found.value
    assert found.interval().high == math.inf
    assert f"chosen in {10 - losses} of 10 trials" in found.method
    assert found.method.endswith("the interval has no end there")


def test_one_that_nearly_always_loses_may_lie_as_far_below():
    found = rated(10)["a"]
    assert found.interval().low == -math.inf
    assert found.value < found.interval().high < math.inf


@pytest.mark.parametrize("losses", [FEWEST_TO_BOUND, 10 - FEWEST_TO_BOUND])
def test_two_wins_or_losses_set_an_end_further_out_than_a_normal_error(losses):
    found = rated(losses)["a"]
    assert isinstance(found.interval_method, Skewed)
    low, high = found.interval_method.inner.limits(0.95)
    shown = found.interval()
    assert math.isfinite(shown.low + shown.high)
    assert shown.low <= low
    assert shown.high >= high
    assert (shown.low, shown.high) != (low, high)
    assert "no end there" not in found.method


def test_the_others_keep_both_ends():
    assert all(not isinstance(rated(0)[entity].interval_method, OneSided) for entity in IDS[1:])


def test_claims_towards_the_known_end_are_decided_and_others_are_not():
    found = rated(0)["a"]
    low = found.interval().low
    assert (found > low - 1).verdict is Verdict.SUPPORTED
    assert (found < low - 1).verdict is Verdict.REFUTED
    undecided = found < found.value + 10_000
    assert undecided.verdict is Verdict.INCONCLUSIVE
    assert "more trials: the answers so far do not tell how far" in undecided.to_decide


def test_probabilities_tell_how_far_so_the_interval_has_both_ends():
    strength = np.array([6.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    score = special.expit(strength[FIRST] - strength[SECOND])
    comparisons = Comparisons(FIRST, SECOND, score, FIRST < SECOND, 6)
    found = strengths(comparisons, bradley_terry(comparisons), IDS)["a"]
    assert isinstance(found.interval_method, Normal)


def test_a_difference_has_no_end_where_a_side_has_none():
    found = rated(0)
    above = (found["a"] - found["b"]).interval()
    assert math.isfinite(above.low)
    assert above.high == math.inf
    assert (found["b"] - found["a"]).interval().low == -math.inf


class Measured:
    name, reasons = "preference", ()

    def __init__(self, estimates):
        self.estimates = estimates


def test_noise_is_that_of_the_fit_whether_or_not_the_interval_has_an_end():
    found = rated(0)
    noisy = Noisy.of(Measured(found), tuple(IDS))
    inner = found["a"].interval_method
    assert isinstance(inner, OneSided)
    assert noisy.variances[0] == pytest.approx(inner.inner.se**2)
    assert all(math.isfinite(one.interval().high) for one in residuals(Measured(found), Measured(found)).values())


@pytest.mark.parametrize("losses", [FEWEST_OF_EITHER - 1, FEWEST_OF_EITHER, 10 - FEWEST_OF_EITHER + 1])
def test_fewer_than_five_wins_or_losses_are_said_to_leave_it_to_the_prior(losses):
    found = rated(losses)["a"]
    for said in ("rests on the prior", "mid-P"):
        assert (said in found.method) is (losses != FEWEST_OF_EITHER)
    assert isinstance(found.interval_method, Skewed) is (losses != FEWEST_OF_EITHER)


def test_noise_is_that_of_the_fit_where_the_error_is_skewed():
    found = rated(FEWEST_TO_BOUND)
    method = found["a"].interval_method
    assert isinstance(method, Skewed)
    assert Noisy.of(Measured(found), tuple(IDS)).variances[0] == pytest.approx(method.inner.se**2)
