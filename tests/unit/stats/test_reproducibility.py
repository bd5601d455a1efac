"""How firm a verdict is: the chance that a repetition of the study would support the claim again."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.closed_form import chance_of_support, on_fisher_scale

LEVEL = 0.95
QUANTILE = float(stats.norm.isf((1 - LEVEL) / 2))


@pytest.mark.parametrize(("p", "known", "flat"), [(0.05, 0.50, 0.50), (0.01, 0.73, 0.668), (0.001, 0.91, 0.827)])
@pytest.mark.parametrize(("relation", "sign"), [(">", 1), ("<", -1)])
def test_it_allows_for_the_noise_of_the_first_study_as_well(p, known, flat, relation, sign):
    """Goodman (1992): were the truth the observed effect, p = .05, .01 and .001 would be below .05 again so often.

    With a flat prior the repetition has twice the variance, so the distance in standard errors shrinks by the square
    root of 2: the published chances come back if it is undone.
    """
    value = sign * float(stats.norm.isf(p / 2))
    found = chance_of_support(value, value - QUANTILE, value + QUANTILE, level=LEVEL, relation=relation, threshold=0.0)
    assert found == pytest.approx(flat, abs=0.0006)
    assert stats.norm.cdf(math.sqrt(2) * stats.norm.ppf(found)) == pytest.approx(known, abs=0.0051)


@pytest.mark.parametrize(
    ("relation", "threshold", "level", "errors", "truths"),
    [
        (">", 0.2, 0.95, (0.1, 0.1), (-0.6, 1.0)),
        ("<", 0.2, 0.95, (0.1, 0.1), (-0.6, 1.0)),
        (">", 0.2, 0.999, (0.1, 0.1), (-0.6, 1.2)),
        ("abs <", 0.4, 0.90, (0.1, 0.1), (-1.0, 1.0)),
        # Below four standard errors of room neither side can be decided by itself.
        ("abs <", 0.25, 0.90, (0.1, 0.1), (-1.0, 1.0)),
    ],
)
def test_it_is_the_share_of_repetitions_that_support_the_claim(relation, threshold, level, errors, truths):
    """Truths from a flat prior, a study and its repetition of each: of those with a chance near x, x are supported."""
    random = np.random.default_rng(20260218)
    truth = random.uniform(*truths, size=200_000)
    quantile = float(stats.norm.isf((1 - level) / 2))
    below, above = (quantile * error for error in errors)
    first, second = (truth + random.normal(0, errors[0], truth.size) for _ in range(2))
    predicted = np.array(
        [
            chance_of_support(value, value - below, value + above, level=level, relation=relation, threshold=threshold)
            for value in first[:40_000]
        ]
    )
    again = second[:40_000]
    supported = {
        ">": again - below > threshold,
        "<": again + above < threshold,
        "abs <": (again - below > -threshold) & (again + above < threshold),
    }[relation]
    bins = np.digitize(predicted, np.arange(0.1, 1.0, 0.1))
    filled = [number for number in np.unique(bins) if (bins == number).sum() >= 500]
    assert len(filled) >= 3
    for number in filled:
        here = bins == number
        noise = math.sqrt(0.25 / here.sum())
        assert predicted[here].mean() == pytest.approx(supported[here].mean(), abs=0.005 + 3.5 * noise)


@pytest.mark.parametrize(("relation", "sign"), [(">", 1), ("<", -1)])
def test_an_interval_that_touches_the_threshold_is_a_coin(relation, sign):
    for step, holds in ((-1e-3, False), (0, None), (1e-3, True)):
        value = sign * (0.2 + step)
        found = chance_of_support(value, value - 0.2, value + 0.2, level=LEVEL, relation=relation, threshold=0.0)
        assert (None if found == 0.5 else found > 0.5) is holds


def test_each_side_has_its_own_width():
    wide_below = chance_of_support(0.5, 0.1, 0.55, level=LEVEL, relation=">", threshold=0.3)
    wide_above = chance_of_support(0.5, 0.45, 0.9, level=LEVEL, relation=">", threshold=0.3)
    assert wide_below < 0.5 < wide_above
    mirrored = chance_of_support(-0.5, -0.55, -0.1, level=LEVEL, relation="<", threshold=-0.3)
    assert mirrored == pytest.approx(wide_below)


@pytest.mark.parametrize("sign", [1, -1])
def test_equivalence_has_two_sides(sign):
    """Well inside it is as firm as both one-sided tests together; outside, or without room, it has no chance."""

    def chance(value, width, threshold):
        value *= sign
        return chance_of_support(value, value - width, value + width, level=0.9, relation="abs <", threshold=threshold)

    assert chance(0.0, 0.1, 1.0) > 0.999
    assert chance(0.9, 0.1, 1.0) == pytest.approx(0.5, abs=1e-6)
    assert chance(1.5, 0.1, 1.0) < 0.001
    assert chance(0.0, 2.0, 1.0) == 0.0


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [(math.nan, 0, 1), (0.5, math.nan, 1), (0.5, 0, math.nan), (0.5, 0.6, 0.9), (0.5, 0.1, 0.4)],
)
@pytest.mark.parametrize("relation", [">", "<", "abs <"])
def test_without_an_interval_about_the_value_it_cannot_be_said(value, low, high, relation):
    assert math.isnan(chance_of_support(value, low, high, level=LEVEL, relation=relation, threshold=0.2))


@pytest.mark.parametrize(("value", "chance"), [(0.5, 1.0), (0.2, 0.0), (0.1, 0.0)])
def test_what_is_known_exactly_comes_out_the_same_again(value, chance):
    assert chance_of_support(value, value, value, level=LEVEL, relation=">", threshold=0.2) == chance


@pytest.mark.parametrize(
    ("relation", "threshold", "sides"), [(">", 0.1, (0.1,)), ("<", 0.9, (0.3,)), ("abs <", 0.8, (1.0, 0.2))]
)
def test_chances_by_hand(relation, threshold, sides):
    """An estimate of 0.4 from 0.2 to 0.6 at 90%; each side has so much room between its end and the threshold."""
    se = 0.2 / stats.norm.ppf(0.95)
    expected = sum(stats.norm.cdf(side / (math.sqrt(2) * se)) for side in sides) - (len(sides) - 1)
    found = chance_of_support(0.4, 0.2, 0.6, level=0.9, relation=relation, threshold=threshold)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("method", "values", "fits"),
    [
        ("interval on Fisher's z", (0.5, -0.99), True),
        ("interval on Fisher's z", (0.5, 1.0), False),
        ("interval on Fisher's z", (-1.0, 0.5), False),
        ("Wilson", (0.5,), False),
    ],
)
def test_fishers_scale_is_for_correlations_short_of_1(method, values, fits):
    assert on_fisher_scale(method, *values) is fits
