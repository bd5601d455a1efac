"""Randomised studies by the hundred: false alarms, and how often intervals hold a planted effect."""

from random import Random

import numpy as np
import pytest
from randomisation_p_value import p_value
from scipy import stats

from pytest_llmpref.stats import randomisation
from pytest_llmpref.stats.assignment import Design
from pytest_llmpref.stats.randomisation import RandomisedStudy, effect_of_assignment, effect_per_unit

STUDIES = 400
DOSES = (1.0, -1.0, 0.0)
GROUPS = ("a",) * 13 + ("b",) * 9 + ("c",) * 8
AT_MOST = stats.binom.ppf(0.999, STUDIES, 0.05)
"""Most studies of which an interval at 95% misses the truth, but in one of a thousand tests."""


def studies(outcome):
    design, rng = Design(GROUPS, 3), np.random.default_rng(11)
    for seed in range(STUDIES):
        assigned = design.draw(Random(seed))
        doses = np.array(DOSES)[np.array(assigned)]
        yield RandomisedStudy(design, assigned, DOSES, outcome(rng, doses)), rng, doses


def skewed(rng):
    return rng.exponential(size=(3, len(GROUPS))) ** 2


@pytest.fixture(autouse=True)
def _few_are_drawn_again(monkeypatch):
    """A test's level holds however many are drawn; a thousand take a tenth of the time."""
    monkeypatch.setattr(randomisation, "REDRAWN", 999)
    randomisation._sampled.cache_clear()
    randomisation._sampled_weights.cache_clear()
    yield
    randomisation._sampled.cache_clear()
    randomisation._sampled_weights.cache_clear()


def test_without_an_effect_there_are_no_more_false_alarms_than_the_level_allows():
    alarms = [p_value(study) < 0.05 for study, *_ in studies(lambda rng, _: skewed(rng))]
    assert sum(alarms) <= AT_MOST
    assert sum(alarms) >= stats.binom.ppf(0.001, STUDIES, 0.05)


@pytest.mark.parametrize("effect", [0.0, 0.6])
def test_intervals_hold_the_planted_effect_whatever_the_noise(effect):
    missed = 0
    for study, *_ in studies(lambda rng, doses: effect / 2 * doses + skewed(rng)):
        interval = effect_of_assignment(study, "").interval()
        missed += not interval.low <= effect <= interval.high
    assert missed <= AT_MOST


@pytest.mark.parametrize("strength", [0.05, 0.3, 2.0], ids=["weak", "middling", "strong"])
def test_intervals_of_an_effect_per_unit_hold_it_however_weak_the_instrument(strength):
    """What is moved and what comes of it share a cause, so that regression would be wrong in every study."""
    missed = unbounded = 0
    for study, rng, doses in studies(lambda *_: np.zeros((3, len(GROUPS)))):
        shared = rng.normal(size=doses.shape)
        moved = strength * doses + shared
        found = RandomisedStudy(study.design, study.assigned, DOSES, 0.5 * moved + 2 * shared)
        interval = effect_per_unit(found, moved, "").interval()
        missed += not interval.low <= 0.5 <= interval.high
        unbounded += np.isinf(interval.low)
    assert missed <= AT_MOST
    assert (unbounded > STUDIES / 2) == (strength < 0.1)


def test_power_is_that_of_a_t_test_of_the_entities_differences():
    effect = 0.5
    found = [p_value(study) < 0.05 for study, *_ in studies(lambda rng, d: effect / 2 * d + rng.normal(size=d.shape))]
    n = len(GROUPS)
    # An entity's highest arm less its lowest, of noise 1 each: the third arm tells nothing of it.
    size = effect / np.sqrt(2 / n)
    power = stats.nct.sf(stats.t.ppf(0.975, 2 * n - 2), 2 * n - 2, size)
    assert np.mean(found) == pytest.approx(power, abs=0.1)
