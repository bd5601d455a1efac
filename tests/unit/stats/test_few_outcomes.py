"""The interval of an effect in log-odds of which few trials went one way."""

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from pytest_llmpref.claims.intervals import Normal, OneSided
from pytest_llmpref.stats.few_outcomes import FEWEST_OF_EITHER, FEWEST_TO_BOUND, Skewed, interval

ONE_OF_72 = 1 - 0.05 / 72


def wald(successes, failures):
    """The normal interval of the log-odds of a share."""
    return Normal(math.log(successes / failures), math.sqrt(1 / successes + 1 / failures))


@pytest.mark.parametrize("level", [0.5, 0.95, ONE_OF_72])
@pytest.mark.parametrize(("successes", "failures"), [(4, 4), (5, 3), (45, 3), (2, 140), (1, 1)])
def test_of_a_share_alone_it_is_the_mid_p_interval_where_that_is_wider(successes, failures, level):
    """As summed from the binomial distribution: half of the chance of the very count is left out at either end."""
    low, high = Skewed(wald(successes, failures), successes, failures).limits(level)
    narrow_low, narrow_high = wald(successes, failures).limits(level)
    count = stats.binom(successes + failures, special.expit([low, high]))
    above = count.sf(successes) + count.pmf(successes) / 2
    below = count.cdf(successes) - count.pmf(successes) / 2
    assert low == narrow_low or above[0] == pytest.approx((1 - level) / 2, rel=1e-6)
    assert high == narrow_high or below[1] == pytest.approx((1 - level) / 2, rel=1e-6)
    assert low <= narrow_low
    assert high >= narrow_high
    assert (low, high) != (narrow_low, narrow_high)


def test_it_turns_with_what_counts_as_a_success():
    low, high = Skewed(Normal(1.0, 0.7), 6, 2).limits(0.99)
    assert Skewed(Normal(-1.0, 0.7), 2, 6).limits(0.99) == pytest.approx((-high, -low))


def test_ends_lie_further_out_the_higher_the_level():
    """Found at any level, and p-values search over it."""
    limits = [Skewed(wald(45, 3), 45, 3).limits(level) for level in np.linspace(0.01, 0.99999, 60)]
    assert all(inner[0] > outer[0] and inner[1] < outer[1] for inner, outer in itertools.pairwise(limits))


def missed(method, trials, share):
    """How often intervals at the level of one claim of 72 miss a share, by the binomial distribution."""
    truth = special.logit(share)
    counts = np.arange(1, trials)
    outside = [not low <= truth <= high for low, high in (method(int(k), trials - int(k)) for k in counts)]
    return float(stats.binom(trials, share).pmf(counts[outside]).sum())


@pytest.mark.parametrize(("trials", "share"), [(8, 0.98), (24, 0.97), (48, 0.985), (142, 0.995)])
def test_a_claim_at_the_level_of_a_family_is_false_no_more_often_than_promised(trials, share):
    """One claim of 72, either way: 0.07%. By a normal error it was false in up to 1%."""

    def normal(successes, failures):
        return wald(successes, failures).limits(ONE_OF_72)

    def found(successes, failures):
        return interval(wald(successes, failures), successes, failures).limits(ONE_OF_72)

    promised = 1 - ONE_OF_72
    assert missed(normal, trials, share) > 4 * promised
    assert missed(found, trials, share) < 1.5 * promised


def test_which_interval_an_effect_has():
    inner = Normal(0.0, 1.0)
    assert interval(inner, FEWEST_OF_EITHER, 40) is inner
    assert interval(inner, 0, 0) is inner
    assert interval(inner, FEWEST_OF_EITHER - 1, 40) == Skewed(inner, FEWEST_OF_EITHER - 1, 40)
    assert interval(inner, 1, 1) == Skewed(inner, 1, 1)
    assert interval(inner, FEWEST_TO_BOUND - 1, 40) == OneSided(inner, "high")
    assert interval(inner, 40, 0) == OneSided(inner, "low")
    assert interval(inner, FEWEST_TO_BOUND, 40) == Skewed(inner, FEWEST_TO_BOUND, 40)
    assert interval(inner, 0, 40) == OneSided(inner, "high")
