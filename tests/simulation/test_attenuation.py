"""Corrections for attenuation: how often the interval holds the planted rho."""

import math

import numpy as np
import pytest

from pytest_llmpref.stats.association import spearman_estimate
from pytest_llmpref.stats.attenuation import disattenuated
from pytest_llmpref.stats.reliability import split_half


def bivariate(rng, rho, n):
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


STUDIES, N = 400, 48


@pytest.mark.parametrize(("rho", "noise", "samples"), [(0.9, 1.0, 8), (0.5, 1.0, 8), (0.5, 2.0, 5)])
def test_intervals_hold_the_planted_rho_where_dividing_by_the_ceiling_is_too_wide(rho, noise, samples):
    """Of 400 studies of 48 entities; dividing takes reliabilities as known, and is far too wide where rho is 0.9."""
    rng = np.random.default_rng([5, samples, round(10 * rho)])
    truth = 6 / math.pi * math.asin(rho / 2)  # Spearman's rho of normal values (Pearson 1907)
    held, divided = 0, 0
    for study in range(STUDIES):
        true = bivariate(rng, rho, N)
        scores = true[:, None, :] + noise * rng.normal(size=(2, samples, N))
        x, y = (split_half(one, seed=study, unit="samples", splits=10) for one in scores)
        raw = spearman_estimate(*scores.mean(axis=1))
        interval, bare = disattenuated(raw, x, y).interval(), raw.interval()
        ceiling = math.sqrt(max(x.value, 1e-9) * max(y.value, 1e-9))
        held += interval.low <= truth <= interval.high
        divided += bare.low / ceiling <= truth <= bare.high / ceiling
    error = math.sqrt(0.95 * 0.05 / STUDIES)
    assert held / STUDIES == pytest.approx(0.95, abs=2.5 * error)
    assert divided > held
    if rho == 0.9:
        assert divided / STUDIES > 0.95 + 2.5 * error
