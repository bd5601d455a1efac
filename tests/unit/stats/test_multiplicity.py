"""Family error rates, against worked examples."""

import math

import pytest

from pytest_llmpref.stats.multiplicity import bonferroni, holm


def test_bonferroni_shares_the_error_rate_evenly():
    assert bonferroni(0.05, 1) == 0.05
    assert bonferroni(0.05, 72) == pytest.approx(0.05 / 72)


def test_holm_stops_at_the_first_that_fails():
    # By hand, at 0.05: .005 <= .05/4, .01 <= .05/3, .03 > .05/2 stops; .04 <= .05/1 must not be rejected any more.
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05).tolist() == [True, False, False, True]


def test_holm_rejects_what_bonferroni_would_not():
    pvalues = [0.015, 0.001, 0.02]
    assert holm(pvalues, 0.05).tolist() == [True, True, True]
    assert [p <= bonferroni(0.05, 3) for p in pvalues] == [True, True, False]


def test_holm_of_nothing_and_of_ties():
    assert holm([], 0.05).tolist() == []
    assert holm([0.025, 0.025], 0.05).tolist() == [True, True]
    assert holm([0.026, 0.026], 0.05).tolist() == [False, False]


@pytest.mark.parametrize("pvalues", [[0.5, math.nan], [1.1], [-0.1]])
def test_what_is_no_p_value_is_refused(pvalues):
    with pytest.raises(ValueError, match="within 0 and 1"):
        holm(pvalues, 0.05)


@pytest.mark.parametrize(("alpha", "m", "message"), [(0, 1, "alpha=0"), (1, 1, "alpha=1"), (0.05, 0, "m=0")])
def test_impossible_families_are_refused(alpha, m, message):
    with pytest.raises(ValueError, match=message):
        bonferroni(alpha, m)
