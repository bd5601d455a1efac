"""Mean scores of entities, and how far two halves of the samples agree."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.reliability import means, split_half


def test_a_mean_has_students_interval_over_its_samples():
    scores = np.array([[1.0, 5.0, np.nan], [3.0, np.nan, np.nan], [5.0, np.nan, np.nan]])
    found = means(scores, ["a", "b", "c"], unit="trials", method="mean", label="praise")
    assert {id_: (each.value, each.n) for id_, each in found.items() if each.n} == {"a": (3.0, 3), "b": (5.0, 1)}
    reach = stats.t.ppf(0.975, 2) * 2.0 / math.sqrt(3)
    assert (found["a"].interval(0.95).low, found["a"].interval(0.95).high) == pytest.approx((3 - reach, 3 + reach))
    assert math.isnan(found["c"].value)
    assert found["a"].label == "praise of a"


def test_samples_that_order_entities_alike_are_reliable_and_too_few_say_nothing():
    alike = np.tile(np.arange(6.0), (8, 1)) + np.linspace(0, 0.1, 8)[:, None]
    assert split_half(alike, seed=0, unit="samples").value == pytest.approx(1.0)
    assert split_half(alike[:3], seed=0, unit="samples") is None
    assert split_half(alike[:, :3], seed=0, unit="samples") is None


def test_samples_of_noise_are_not_reliable_and_equal_scores_tell_nothing_apart():
    noise = np.random.default_rng(1).standard_normal((40, 30))
    assert abs(split_half(noise, seed=0, unit="samples").value) < 0.5
    assert math.isnan(split_half(np.ones((8, 6)), seed=0, unit="samples").value)
