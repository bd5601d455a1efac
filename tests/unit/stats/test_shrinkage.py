"""Variances that borrow from one another: on planted priors."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Wilson
from pytest_llmpref.stats.noise import Noisy, expected_quartiles, residuals, shrunk_variances, true_values


def variances(rng, n, df, prior_df, prior):
    """Draw true variances from their prior, and an estimate of each."""
    true = prior * prior_df / rng.chisquare(prior_df, n) if np.isfinite(prior_df) else np.full(n, prior)
    return true, true * rng.chisquare(df, n) / df


def test_the_planted_prior_is_found():
    _, found = variances(np.random.default_rng(1), 20_000, 10, 6.0, 3.0)
    moved, df = shrunk_variances(found, np.full(20_000, 10.0))
    assert df[0] - 10 == pytest.approx(6.0, rel=0.1)
    # The posterior mean of Smyth (2004), with the planted prior.
    np.testing.assert_allclose(moved, (6 * 3.0 + 10 * found) / 16, rtol=0.1)


def test_variances_that_differ_by_chance_alone_become_one():
    _, found = variances(np.random.default_rng(2), 36, 24, np.inf, 2.0)
    moved, df = shrunk_variances(found, np.full(36, 24.0))
    assert np.ptp(moved) == 0
    assert moved[0] == pytest.approx(2.0, rel=0.1)
    assert np.isinf(df).all()


@pytest.mark.parametrize("prior_df", [4.0, 20.0, np.inf])
def test_intervals_with_shrunk_variances_hold_the_truth_95_percent_of_the_time(prior_df):
    rng, held, of_few = np.random.default_rng(3), [], []
    for _ in range(300):
        true, found = variances(rng, 30, 5, prior_df, 1.0)
        value = rng.normal(0, np.sqrt(true))
        moved, df = shrunk_variances(found, np.full(30, 5.0))
        held.append(np.abs(value) < stats.t.ppf(0.975, df) * np.sqrt(moved))
        of_few.append(np.abs(value) < 1.96 * np.sqrt(found))
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)
    assert np.mean(of_few) < 0.91, "which is what they were without"


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 5.0]])
def test_too_few_variances_or_mostly_zeros_stay_as_they_are(values):
    moved, df = shrunk_variances(np.array(values), np.full(len(values), 3.0))
    assert moved.tolist() == values
    assert (df == 3).all()


@pytest.mark.parametrize(("count", "enough"), [(3, False), (4, True)])
def test_four_variances_say_how_far_they_differ(count, enough):
    values = np.array([1.0, 1.1, 0.9, 1.05])[:count]
    moved, _ = shrunk_variances(values, np.full(count, 3.0))
    assert bool(np.ptp(moved) == 0) is enough


def test_the_prior_is_that_of_the_moments_of_log_variances():
    values, df = np.array([0.2, 3.0, 0.9, 7.0, 0.05, 1.5]), np.array([3.0, 4, 5, 6, 7, 8])
    # Smyth (2004), section 6.2, solved for the prior in another way.
    e = np.log(values) - special.digamma(df / 2) + np.log(df / 2)
    wanted = e.var(ddof=1) - special.polygamma(1, df / 2).mean()
    d0 = 2 * optimize.minimize_scalar(lambda x: (special.polygamma(1, x) - wanted) ** 2, (0.1, 1, 10), tol=1e-14).x
    s0 = math.exp(e.mean() + special.digamma(d0 / 2) - math.log(d0 / 2))
    moved, found = shrunk_variances(values, df)
    assert found == pytest.approx(d0 + df, rel=1e-5)
    assert moved == pytest.approx((d0 * s0 + df * values) / (d0 + df), rel=1e-5)


def test_variances_of_unequal_degrees_that_are_alike_become_their_bias_corrected_geometric_mean():
    df = np.array([2.0, 4, 8, 16])
    moved, found = shrunk_variances(np.full(4, 2.0), df)
    expected = 2 * math.exp(np.mean(np.log(df / 2) - special.digamma(df / 2)))
    assert moved == pytest.approx(np.full(4, expected))
    assert np.isinf(found).all()


def test_a_variance_of_0_counts_as_a_small_part_of_the_median():
    values, df = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.full(5, 4.0)
    least = np.where(values == 0, 2e-5, values)
    e = np.log(least) - special.digamma(2) + math.log(2)
    d0 = shrunk_variances(values, df)[1][0] - 4
    assert special.polygamma(1, d0 / 2) == pytest.approx(e.var(ddof=1) - special.polygamma(1, 2), rel=1e-6)


def test_true_values_shrink_by_the_share_of_their_variance_that_is_true():
    values, noise = np.array([0.0, 4.0, math.nan, 8.0]), np.array([1.0, 2.0, math.nan, 3.0])
    found = true_values(Noisy(values, noise, np.full(4, math.inf)))
    # Variance 32 / 3, of which the mean noise 2, less a third for the mean, is not true.
    true = 32 / 3 - 2 * 2 / 3
    share = true / (true + np.array([1, 2, 3]))
    assert found.centre == 4
    assert found.spread == pytest.approx(math.sqrt(true))
    assert found.means == pytest.approx([4 - 4 * share[0], 4, math.nan, 4 + 4 * share[2]], nan_ok=True)
    deviations = np.sqrt(share * np.array([1, 2, 3]))
    assert found.deviations == pytest.approx([deviations[0], deviations[1], math.nan, deviations[2]], nan_ok=True)
    assert found.reliability == pytest.approx(true / (32 / 3))
    r2 = found.reliability
    assert found.reliability_error == pytest.approx(2 * math.sqrt(r2) * (1 - r2) / math.sqrt(3))


def test_values_without_spread_or_none_at_all_have_no_reliability():
    same = true_values(Noisy.exact(np.full(3, 2.0)))
    assert (same.centre, same.spread, same.reliability) == (2, 0, 0)
    assert same.means.tolist() == [2, 2, 2]
    nothing = true_values(Noisy.exact(np.full(2, math.nan)))
    assert np.isnan([*nothing.means, *nothing.deviations, nothing.centre, nothing.reliability_error]).all()
    assert (nothing.spread, nothing.reliability) == (0, 0)


def test_expected_quartiles_by_integration():
    truth = true_values(Noisy(np.array([0.0, 1.0, 3.0, math.nan, 9.0]), np.full(5, 2.0), np.full(5, math.inf)))
    known = ~np.isnan(truth.means)
    means, deviations = truth.means[known], truth.deviations[known]

    def below(at):
        return np.mean(stats.norm.cdf(at, means, deviations))

    limits = [
        optimize.bisect(lambda at, share=share: below(at) - share, -50, 50, xtol=1e-12) for share in (0.25, 0.5, 0.75)
    ]

    def expected(mean, deviation):
        edges = [-math.inf, *limits, math.inf]
        parts = [integrate.quad(stats.norm(mean, deviation).pdf, a, b)[0] for a, b in pairwise(edges)]
        return sum(number * part for number, part in enumerate(parts))

    by_hand = [expected(*one) for one in zip(means, deviations, strict=True)]
    found = expected_quartiles(truth)
    assert found[known] == pytest.approx(by_hand, abs=1e-7)
    assert math.isnan(found[3])


@dataclass(eq=False)
class Measure:
    name: str
    estimates: dict
    reasons: tuple = ()


def measure(name, values, ses, dfs=None, reasons=()):
    dfs = dfs or [math.inf] * len(values)
    made = [
        Estimate(value, 10 + n, "trials", "", Normal(value, se, df))
        for n, (value, se, df) in enumerate(zip(values, ses, dfs, strict=True))
    ]
    return Measure(name, dict(zip("abcdefg", made, strict=False)), reasons)


def test_noise_is_read_off_the_interval_and_unknown_entities_have_none():
    of = measure("it", [1.0, 2.0], [0.5, 0.1], [7, math.inf])
    of.estimates["w"] = Estimate(0.25, 40, "trials", "", Wilson(10, 40))
    found = Noisy.of(of, ["b", "w", "x", "a"])
    assert found.values == pytest.approx([2, 0.25, math.nan, 1], nan_ok=True)
    low, high = Wilson(10, 40).limits(2 * stats.norm.cdf(1) - 1)
    assert found.variances == pytest.approx([0.01, ((high - low) / 2) ** 2, math.nan, 0.25], nan_ok=True)
    assert found.df.tolist() == [math.inf, math.inf, math.inf, 7]
    exact = Noisy.exact(np.array([1.0, math.nan]))
    assert exact.variances == pytest.approx([0, math.nan], nan_ok=True)
    assert np.isinf(exact.df).all()


def test_a_deleted_residual_and_its_error_by_propagating_the_noise():
    y = measure("y", [1.0, 3.0, 2.0, 5.0, 4.5], [0.1, 0.2, 0.3, 0.1, 0.2], [4, 5, 6, 7, 8], ("cut",))
    x = measure("x", [0.0, 1.0, 2.0, 3.0, 5.0], [0.3, 0.1, 0.2, 0.1, 0.3], reasons=("few",))
    found = residuals(y, x)
    assert list(found) == list("abcde")
    ys, xs = (np.array([e.value for e in of.estimates.values()]) for of in (y, x))
    y_var, x_var = (np.array([e.interval_method.se**2 for e in of.estimates.values()]) for of in (y, x))
    for place, estimate in enumerate(found.values()):
        others = np.delete(np.arange(5), place)

        def beyond(y_at, slope=None, others=others, place=place):
            line = np.polyfit(xs[others], y_at[others], 1)
            return y_at[place] - np.polyval(line, xs[place]), line[0]

        value, slope = beyond(ys)
        # How the residual moves with each outcome; with a predictor, as much as the line is steep.
        weights = np.array([(beyond(ys + row)[0] - value) for row in np.eye(5)])
        parts = np.r_[weights**2 * y_var, weights**2 * slope**2 * x_var]
        assert estimate.value == pytest.approx(value)
        assert estimate.interval_method.se == pytest.approx(math.sqrt(parts.sum()))
        assert estimate.interval_method.df == pytest.approx(parts.sum() ** 2 / sum(parts[:5] ** 2 / [4, 5, 6, 7, 8]))
        assert (estimate.n, estimate.unit) == (10 + place, "trials")
        assert estimate.invalid == ("y: cut", "x: few")
        assert estimate.label == f"y of {'abcde'[place]} beyond what x predicts"
        assert estimate.method.startswith("deleted residual")


def test_a_residual_needs_three_others_that_differ_and_noise_that_is_known_is_exact():
    three = measure("y", [1.0, 2, 3], [0.1] * 3)
    with pytest.raises(ValueError, match="at least 4 entities in both measures, and there are 3"):
        residuals(three, three)
    y = measure("y", [1.0, 2.0, 3.0, 4.5], [0.1] * 4)
    level = residuals(y, measure("x", [1.0, 1.0, 1.0, 7.0], [0.1] * 4))
    assert math.isnan(level["d"].value)
    assert math.isnan(level["d"].interval_method.se)
    assert math.isinf(level["d"].interval_method.df)
    exact = residuals(y, measure("x", [1.0, 2.0, 3.0, 4.0], [0.0] * 4))
    assert exact["d"].value == pytest.approx(0.5)
    assert math.isinf(exact["d"].interval_method.df)
