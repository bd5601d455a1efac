"""Family error rates, against worked examples."""

import math

import numpy as np
import pytest

from pytest_llmpref.stats.multiplicity import holm_adjusted


def test_holm_stops_at_the_first_that_fails():
    # By hand, at 0.05: .005 <= .05/4, .01 <= .05/3, .03 > .05/2 stops; .04 <= .05/1 must not be rejected any more.
    adjusted = holm_adjusted([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert (adjusted <= 0.05).tolist() == [True, False, False, True]


def test_holm_rejects_what_bonferroni_would_not():
    pvalues = [0.015, 0.001, 0.02]
    assert (holm_adjusted(pvalues) <= 0.05).tolist() == [True, True, True]
    assert [p <= 0.05 / 3 for p in pvalues] == [True, True, False]


def test_holm_of_nothing_of_ties_and_of_what_was_not_tested():
    assert holm_adjusted([]).tolist() == []
    assert holm_adjusted([0.025, 0.025]) == pytest.approx([0.05, 0.05])
    assert holm_adjusted([0.026, math.nan, 0.026])[[0, 2]] == pytest.approx([0.052, 0.052])
    assert np.isnan(holm_adjusted([0.5, math.nan])).tolist() == [False, True]


@pytest.mark.parametrize("pvalues", [[1.1], [-0.1]])
def test_what_is_no_p_value_is_refused(pvalues):
    with pytest.raises(ValueError, match="within 0 and 1"):
        holm_adjusted(pvalues)
