"""Correction for attenuation: the quotient, and intervals that count how the reliabilities came about."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats import attenuation
from pytest_llmpref.stats.association import spearman, spearman_estimate
from pytest_llmpref.stats.attenuation import (
    DisattenuatedRho,
    Scale,
    attenuation_corrected,
    disattenuated,
    noise_ceiling,
)
from pytest_llmpref.stats.crossed import Crossed
from pytest_llmpref.stats.ranks import RhoInterval
from pytest_llmpref.stats.reliability import (
    SpearmanBrown,
    cut,
    means,
    of_halves,
    spearman_brown,
    split_half,
)


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
    truth = rng.normal(size=2_000)
    x, y = truth + rng.normal(size=(2, 2_000))
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


STUDIES, N = 400, 48


@pytest.mark.parametrize(("true", "a", "b"), [(0.6, 1.5, 2.0), (-0.3, 1.0, 3.0), (0.95, 1.2, 1.1)])
def test_the_interval_is_that_of_the_delta_method(true, a, b):
    """Of log(c / sqrt(a * b)) for normal values of variances a and b, 1 of each being true, with this covariance."""
    n, of_x, of_y = 50, 0.7, 0.2
    # Covariances, times n, of the measured covariance, the measured variances, and what is known of the noises.
    sigma = np.array([
        [a * b + true**2, 2 * a * true, 2 * b * true, 0, 0],
        [2 * a * true, 2 * a**2, 2 * true**2, 0, 0],
        [2 * b * true, 2 * true**2, 2 * b**2, 0, 0],
        [0, 0, 0, of_x, 0],
        [0, 0, 0, 0, of_y],
    ])  # fmt: skip
    gradient = np.array([1 / true, -1 / 2, -1 / 2, 1 / 2, 1 / 2])
    of_quotient = true**2 * gradient @ sigma @ gradient
    of_known = (a * b - true**2) ** 2 / (a * b)
    rho = true / math.sqrt(a * b)
    found = DisattenuatedRho(RhoInterval(rho, n, 0.01), Scale(a, of_x), Scale(b, of_y))
    assert found.ceiling == pytest.approx(1 / math.sqrt(a * b))
    variance = (1 + rho**2 / 2) / (n - 3) * of_quotient / of_known + 0.01
    assert found._variance(rho) == pytest.approx(variance)
    # An end is where its own error leaves the estimate within reach.
    low, high = found.limits(0.95)
    for end in (low, high):
        if abs(end) < 1:
            z = math.atanh(end * found.ceiling)
            assert abs(math.atanh(rho) - z) == pytest.approx(
                1.959964 * math.sqrt(found._variance(math.tanh(z))), rel=1e-5
            )


def test_a_scale_that_is_known_no_better_than_it_can_be():
    half = 0.5
    whole = of_halves([half], 30, halved="pairs", noise_df=15, otherwise="")
    # Reliability 2/3, so a spread of 1.5, of whose half 2 * 0.5 ** 2 / 15 is unknown, times n.
    assert Scale.of(whole) == Scale(pytest.approx(1.5), pytest.approx(2 * 0.25 * 30 / 15))
    assert Scale.of(Estimate(1.2, 30, "entities", "", Unknown())) == Scale(1.0, 0.0)
    perfect = DisattenuatedRho(RhoInterval(1.0, 30), Scale(1.0, 0.5), Scale(1.0, 0.5))
    assert perfect._proportion(1.0) == 1.0
    assert perfect.limits(0.95)[1] == 1.0


def test_spearman_brown_by_hand():
    assert [spearman_brown(rho) for rho in (1.0, 0.5, 0.0, -0.5)] == [1.0, pytest.approx(2 / 3), 0.0, -0.5]
    low, high = SpearmanBrown(Normal(0.5, 0.1), 7).limits(0.95)
    assert (low, high) == pytest.approx((2 * 0.304 / 1.304, 2 * 0.696 / 1.696), abs=1e-4)


def test_a_reliability_says_how_it_came_about():
    found = of_halves([0.4, 0.6], 30, halved="pairs", noise_df=0.2, otherwise="nothing")
    assert (found.n, found.unit, found.label, found.invalid) == (30, "entities", "split-half reliability", ())
    assert found.method == "split half over pairs, Spearman-Brown, mean of 2 splits; interval of a single split"
    assert found.value == pytest.approx(2 / 3)
    assert found.interval_method == SpearmanBrown(RhoInterval(0.5, 30), 1.0)
    nothing = of_halves([], 3, halved="pairs", noise_df=9, otherwise="nothing")
    assert (nothing.n, nothing.invalid, nothing.label) == (3, ("nothing",), "split-half reliability")
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.interval().low)


@pytest.mark.parametrize(
    ("x", "y", "ceiling"),
    [
        (0.81, 0.64, 0.72),
        (0.5, -0.1, 0),
        (-0.1, 0.5, 0),
        (0.0, 1.0, 0),
        (math.nan, 0.5, math.nan),
        (0.5, math.nan, math.nan),
    ],
)
def test_the_noise_ceiling_by_hand(x, y, ceiling):
    assert noise_ceiling(reliable(x), reliable(y)) == pytest.approx(ceiling, nan_ok=True)
    assert math.isnan(noise_ceiling(None, reliable(0.5)))
    assert math.isnan(noise_ceiling(reliable(0.5), None))


def test_correlations_are_cut():
    assert [cut(value) for value in (-1.5, -1.0, 0.3, 1.0, 1.5)] == [-1, -1, 0.3, 1, 1]
    assert math.isnan(cut(math.nan))


def test_a_corrected_correlation_is_described():
    rho = replace(spearman_estimate([1, 2, 3, 5, 4], [2, 1, 3, 4, 5]), invalid=("few",), method="rho", label="r")
    found = disattenuated(rho, reliable(0.9), reliable(0.9))
    assert (found.n, found.unit, found.invalid, found.label) == (5, "entities", ("few",), "r corrected for attenuation")
    assert found.method.startswith("rho; divided by the noise ceiling 0.900 (Spearman 1904), whose error is counted")
    missing = disattenuated(rho, None, reliable(0.9))
    assert (missing.n, missing.unit, missing.method, missing.label) == (5, "entities", "rho", found.label)
    assert missing.invalid[0] == "few"
    assert math.isnan(missing.interval().low)
    plain = disattenuated(replace(rho, interval_method=Normal(0.8, 0.1)), reliable(0.9), reliable(0.9))
    assert math.isnan(plain.interval().low)


def test_mean_scores_have_students_interval():
    scores = np.array([[1.0, 5.0, math.nan], [2.0, math.nan, math.nan], [4.0, math.nan, math.nan]])
    a, b, c = means(scores, ["a", "b", "c"], unit="samples", method="mean", label="score").values()
    assert (a.value, a.n, a.unit, a.method, a.label) == (pytest.approx(7 / 3), 3, "samples", "mean", "score of a")
    assert a.interval_method.se == pytest.approx(stats.sem([1, 2, 4]))
    assert a.interval_method.df == 2
    assert (b.value, b.n, b.interval_method.df) == (5.0, 1, 1)
    assert math.isnan(b.interval().low)
    assert (c.n, math.isnan(c.value), math.isnan(c.interval().low)) == (0, True, True)


def test_halves_of_scores_are_correlated_over_entities_that_both_know():
    rng = np.random.default_rng(3)
    scores = np.array([1.0, 2, 3, 4, 5]) + 0.01 * rng.normal(size=(6, 5))
    found = split_half(scores, seed=1, unit="samples", splits=7)
    assert (found.value, found.n) == (pytest.approx(1.0), 5)
    assert "over samples, Spearman-Brown, mean of 7 splits" in found.method
    assert found.interval_method.noise_df == 5 * 4
    assert split_half(scores[:3], seed=1, unit="samples") is None
    assert split_half(scores[:4], seed=1, unit="samples") is not None
    assert split_half(scores[:, :3], seed=1, unit="samples") is None
    assert split_half(scores[:, :4], seed=1, unit="samples").n == 4
    alike = split_half(np.ones((6, 5)), seed=1, unit="samples")
    assert alike.invalid == ("the scores of a half do not tell entities apart",)
    sparse = scores.copy()
    sparse[1:, 0] = math.nan
    assert split_half(sparse, seed=1, unit="samples").value == pytest.approx(1.0)
    sparse[1:, 1] = math.nan
    assert split_half(sparse, seed=1, unit="samples") is None


def over_halves(monkeypatch, found, *, reasons=()):
    """Correct a correlation of two measures whose halves correlate so; return it, corrected and plain."""
    monkeypatch.setattr(attenuation, "crossed", lambda *pair: found if pair == (x, y) else None)
    x_values, y_values = bivariate(np.random.default_rng(13), 0.5, 40)
    x = replace(measure("preference", x_values, reliable(0.81)), reasons=reasons)
    y = measure("donation_advice", y_values, reliable(0.64))
    return attenuation_corrected(x, y), spearman(x, y)


@pytest.mark.parametrize(("between", "value", "rho"), [(0.3, 0.5, 0.36), (-0.3, -0.5, -0.36), (0.9, 1.0, 1.0)])
def test_halves_decide_the_value_and_the_interval_is_about_it(monkeypatch, between, value, rho):
    """0.3 / sqrt(0.9 * 0.4) is 0.5; whole measures, whose ceiling is 0.9 * 0.8, would correlate 0.72 times that."""
    corrected, plain = over_halves(monkeypatch, Crossed(between, 0.7, 0.9, 0.4, 40, 6))
    assert corrected.value == pytest.approx(value)
    inner = corrected.interval_method
    assert (inner.x, inner.y) == (Scale.of(reliable(0.81)), Scale.of(reliable(0.64)))
    assert inner.rho == replace(plain.interval_method, r=pytest.approx(rho))
    assert corrected.method == (
        f"Spearman over different halves of the pairs, {between:.3f}, divided by the reliability of halves (0.900 and "
        "0.400; Spearman 1904; mean of 6 splits), whose error is counted (delta method, Hakstian, Schroeder and Rogers "
        f"1988), in addition to the error of rho: {plain.method}"
    )
    assert corrected.label == "rho(preference, donation_advice) corrected for attenuation"
    assert (corrected.n, corrected.unit, corrected.invalid) == (plain.n, plain.unit, plain.invalid)


def test_halves_that_do_not_agree_make_it_invalid_beside_what_else_does(monkeypatch):
    corrected, _ = over_halves(monkeypatch, Crossed(0.3, 0.4, -0.1, 0.5, 40, 6), reasons=("few answers",))
    assert math.isnan(corrected.value)
    assert corrected.interval_method == Unknown()
    assert corrected.invalid[-1] == "no correction for attenuation: halves of the pairs do not agree"
    assert any("few answers" in reason for reason in corrected.invalid[:-1])
    assert (corrected > 0).verdict is Verdict.INVALID


def test_without_halves_whole_measures_are_corrected(monkeypatch):
    corrected, plain = over_halves(monkeypatch, None)
    assert corrected == disattenuated(plain, reliable(0.81), reliable(0.64))
