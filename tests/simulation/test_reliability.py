"""Retest correlations: how often the interval holds them."""

import math

import numpy as np
from scipy import stats
from simulated_comparisons import drawn

from pytest_llmpref.stats.halves import split_half
from pytest_llmpref.stats.rating import bradley_terry


def test_the_interval_holds_the_retest_correlation():
    rng = np.random.default_rng(3)
    held, pairs = [], []
    for _ in range(60):
        strengths = rng.normal(0, 0.5, 24)
        one, two = drawn(rng, strengths), drawn(rng, strengths)
        pairs.append(stats.spearmanr(bradley_terry(one).elo, bradley_terry(two).elo).statistic)
        held.append(split_half(one, seed=4, splits=10).interval())
    truth = np.mean(pairs)
    coverage = np.mean([interval.low < truth < interval.high for interval in held])
    assert coverage > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 60)
