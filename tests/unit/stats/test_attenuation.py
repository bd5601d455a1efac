"""Correction for attenuation: the quotient, and intervals that count how the reliabilities came about."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.claim import Verdict
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.association import spearman, spearman_estimate
from pytest_llmpref.stats.ranks import RhoInterval
from pytest_llmpref.stats.reliability import Scale, attenuation_corrected, disattenuated, of_halves


@dataclass(frozen=True)
class Values:
    name: str
    values: Mapping[str, float]
    reliability: Estimate | None = None
    reasons: tuple[str, ...] = ()
    unranked: tuple[str, ...] = ()


def measure(name, values, reliability=None):
    return Values(name, {f"e{i}": float(value) for i, value in enumerate(values)}, reliability)


def reliable(value):
    return Estimate(value, 20, "entities", "given", Normal(value, 0.05))


def bivariate(rng, rho, n):
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


def test_the_value_is_divided_by_the_ceiling():
    rho = spearman_estimate(*bivariate(np.random.default_rng(7), 0.5, 72))
    corrected = disattenuated(rho, reliable(0.9), reliable(0.4))
    assert corrected.value == pytest.approx(rho.value / 0.6)
    assert "noise ceiling 0.600" in corrected.method


def test_without_noise_the_interval_is_that_of_rho():
    rho = spearman_estimate(*bivariate(np.random.default_rng(7), 0.5, 72), extra=0.01)
    corrected, raw = (one.interval() for one in (disattenuated(rho, reliable(1.0), reliable(1.0)), rho))
    assert (corrected.low, corrected.high) == pytest.approx((raw.low, raw.high))


def test_noisy_measures_of_one_truth_correlate_one_after_correction():
    rng = np.random.default_rng(8)
    truth = rng.normal(size=20_000)
    x, y = truth + rng.normal(size=(2, 20_000))
    raw = spearman_estimate(x, y)
    assert raw.value == pytest.approx(0.5, abs=0.03)
    assert disattenuated(raw, reliable(0.5), reliable(0.5)).value == pytest.approx(1, abs=0.06)


def test_a_value_above_one_is_cut_and_says_so():
    corrected = disattenuated(spearman_estimate(range(20), range(20)), reliable(0.5), reliable(0.5))
    assert (corrected.value, corrected.interval().high) == (1, 1)
    assert "cut from 2.00" in corrected.method


@pytest.mark.parametrize(
    "reliability", [None, reliable(0.0), reliable(-0.2), Estimate(math.nan, 0, "entities", "none", Unknown())]
)
def test_without_a_reliability_there_is_no_correction(reliability):
    corrected = disattenuated(spearman_estimate(range(20), range(20)), reliable(0.9), reliability)
    assert (corrected > 0).verdict is Verdict.INVALID
    assert "reliability is missing or not above 0" in corrected.invalid[0]


def test_the_reliability_of_both_measures_is_used():
    x_values, y_values = bivariate(np.random.default_rng(10), 0.5, 40)
    x, y = measure("preference", x_values, reliable(0.81)), measure("donation_advice", y_values, reliable(0.64))
    assert attenuation_corrected(x, y).value == pytest.approx(spearman(x, y).value / (0.9 * 0.8))
    claim = attenuation_corrected(x, replace(y, reliability=None)) > 0
    assert claim.verdict is Verdict.INVALID


def test_what_is_known_of_the_noise_counts_and_the_less_the_wider():
    rho = spearman_estimate(*bivariate(np.random.default_rng(11), 0.4, 36))
    widths = []
    for df in (math.inf, 100, 20):
        reliability = of_halves([0.4], 36, halved="pairs", noise_df=df, otherwise="")
        interval = disattenuated(rho, reliability, reliability).interval()
        widths.append(interval.high - interval.low)
    assert widths[0] < widths[1] < widths[2]
    assert Scale.of(reliable(0.5)) == Scale(2.0, 0.0)


@pytest.mark.parametrize(
    ("true", "reliabilities", "noise_df"),
    [(0.8, (0.5, 0.5), 0.25), (0.8, (0.5, 0.5), 2.0), (0.5, (0.7, 0.4), 0.25), (0.9, (0.4, 0.8), 0.5)],
)
def test_the_error_of_the_quotient_is_that_of_simulated_studies(true, reliabilities, noise_df):
    """By how much more the quotient varies than a correlation divided by a ceiling that is known.

    In each study the covariances are those of normal values (Wishart), and the variance of each measure's noise was
    estimated apart, with ``noise_df`` degrees of freedom for each entity. 40,000 studies: the ratio of two variances
    has a standard error of at most 1%.
    """
    n, studies, rng = 4000, 40_000, np.random.default_rng(12)
    spread = 1 / np.array(reliabilities)
    covariances = stats.wishart.rvs(n - 1, [[spread[0], true], [true, spread[1]]], studies, rng) / (n - 1)
    c, whole = covariances[:, 0, 1], np.diagonal(covariances, axis1=1, axis2=2)
    noise = (spread - 1) * rng.chisquare(noise_df * n, (studies, 2)) / (noise_df * n)
    ceiling = math.sqrt(math.prod(reliabilities))
    quotient, divided = c / np.sqrt(np.prod(whole - noise, axis=1)), c / np.sqrt(np.prod(whole, axis=1)) / ceiling
    raw = Estimate(true * ceiling, n, "entities", "given", RhoInterval(true * ceiling, n))
    halves = (value / (2 - value) for value in reliabilities)  # what Spearman and Brown step up to these
    x, y = (of_halves([half], n, halved="pairs", noise_df=noise_df * n, otherwise="") for half in halves)
    corrected, bare = disattenuated(raw, x, y).interval(), raw.interval()
    ratio = (corrected.high - corrected.low) / ((bare.high - bare.low) / ceiling)
    assert ratio**2 == pytest.approx(np.var(quotient) / np.var(divided), rel=0.04)
