"""Superadditivity by studies: bias, coverage and false alarms, with each rival in a world of its own."""

import math

import numpy as np
import pytest
from planted_refusals import asked, found, pairs
from scipy import special

from pytest_llmpref.stats import refusal_patterns, superadditivity
from pytest_llmpref.stats.noise import Noisy
from pytest_llmpref.stats.refusal import regression


@pytest.mark.parametrize("planted", [{"together": 1.0}, {"floor": 0.08}])
def test_rivals_are_not_called_superadditive(planted):
    """40 studies each: nominal is 2.5%, and 5% may be."""
    lows = [found(seed, **planted).interval(0.95).low for seed in range(40)]
    assert np.mean(np.array(lows) > 0) <= 0.10


def test_options_of_one_group_would_be_called_so_without_a_term_for_them():
    lows = [found(seed, group=None, together=1.0).interval(0.95).low for seed in range(30)]
    assert np.mean(np.array(lows) > 0) > 0.3


def test_where_the_worse_option_decides_nothing_is_said_of_what_two_add_up_to():
    estimates = [found(seed, worse=True) for seed in range(20)]
    assert sum("alone explains" in " ".join(one.invalid) for one in estimates) >= 19


def test_planted_superadditivity_is_still_found():
    estimates = [found(seed, product=0.4) for seed in range(30)]
    assert np.mean([bool(one.invalid) for one in estimates]) < 0.05
    assert np.mean([one.interval(0.95).low > 0 for one in estimates]) > 0.6
    assert np.mean([one.value for one in estimates]) == pytest.approx(0.4, abs=0.06)
    assert not math.isnan(estimates[0].value)
    assert "log-odds scale" in estimates[0].method


def test_superadditivity_is_not_overestimated_where_entities_are_many_to_the_trials():
    """Firth's penalty takes off what a fit without one finds too much of, 0.05 here.

    What `interaction` gives as its value is the fit without a floor, so no other is made, but for the first study.
    """
    rng = np.random.default_rng(11)
    first = np.repeat(np.arange(48), 4)
    second = (first + np.tile(np.arange(1, 5), 48)) % 48
    found, unpenalised = [], []
    for _ in range(60):
        dislike = rng.normal(size=48)
        dislike = (dislike - dislike.mean()) / dislike.std()
        chance = special.expit(-1 + 0.5 * dislike[first] * dislike[second])
        attempts = asked(rng, np.r_[first, second], np.r_[second, first], np.r_[chance, chance])
        product = (dislike[attempts.first] * dislike[attempts.second])[:, None]
        found.append(superadditivity.fit_above(attempts, product, 0.0).interaction)
        refused, made = (of.astype(float)[:, None] for of in (attempts.refused, attempts.made))
        unpenalised.append(regression(attempts, product).fit(refused, made).parameters[-1, 0])
        if len(found) == 1:
            whole = superadditivity.interaction(attempts, Noisy.exact(-dislike))
            assert whole.value == pytest.approx(found[0], abs=1e-9)
    assert np.mean(found) == pytest.approx(0.5, abs=3 * np.std(found) / math.sqrt(60))
    assert np.mean(unpenalised) - np.mean(found) > 0.03


def studies(rng, beyond, count):
    """Simulate studies in which the product of dislikes adds ``beyond`` to the log-odds; yield preferences too."""
    first, second = pairs(24)
    for _ in range(count):
        preference = rng.normal(0, 1, 24)
        dislike = (preference.mean() - preference) / preference.std()
        own = 0.6 * dislike + rng.normal(0, 0.3, 24)
        chance = special.expit(-2 + own[first] + own[second] + beyond * dislike[first] * dislike[second])
        attempts = asked(rng, first, second, chance)
        yield superadditivity.interaction(attempts, Noisy.exact(preference)), attempts, preference


def test_no_superadditivity_is_found_where_there_is_none():
    many = 60
    found = [estimate.interval() for estimate, *_ in studies(np.random.default_rng(7), 0.0, many)]
    alarms = np.mean([not interval.low < 0 < interval.high for interval in found])
    assert alarms <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / many)


def test_planted_superadditivity_is_found_and_covered():
    found = list(studies(np.random.default_rng(8), 0.5, 40))
    intervals = [estimate.interval() for estimate, *_ in found]
    assert np.mean([interval.low > 0 for interval in intervals]) > 0.9
    assert np.mean([interval.low < 0.5 < interval.high for interval in intervals]) >= 0.85
    beyond = [refusal_patterns.excess(*study) for _, *study in found]
    assert np.mean([estimate.value for estimate in beyond]) > 0.1
    assert "of first attempts" in beyond[0].method
