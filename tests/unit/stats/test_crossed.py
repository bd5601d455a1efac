"""Measures of the same pairs: what pairs have of their own, and both measures share, is no relation of entities."""

import math
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pytest
from scipy import special, stats

from pytest_llmpref import attenuation_corrected, partial_spearman, spearman, within_groups
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.stats.association import spearman_estimate
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.crossed import Crossed, Halves, crossed, without_shared_noise
from pytest_llmpref.stats.halves import halves_of, split_half
from pytest_llmpref.stats.ranks import RhoInterval
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.stats.reliability import spearman_brown

N = 30
IDS = tuple(f"e{number}" for number in range(N))


@dataclass(frozen=True)
class Measured:
    """As much of a measure as correlations ask for."""

    name: str
    values: dict
    reliability: Estimate
    halves: object
    reasons: tuple = ()
    unranked: tuple = ()


def measured(rng, name, strengths, quirks, *, partners=None):
    first, second = np.array([(i, j) for i in range(N) for j in range(N) if i != j]).T
    apart = np.abs(first - second)
    kept = np.ones(len(first), dtype=bool) if partners is None else np.isin(np.minimum(apart, N - apart), partners)
    first, second = first[kept], second[kept]
    of_pair = np.where(first < second, 1, -1) * quirks[np.minimum(first, second), np.maximum(first, second)]
    chances = special.expit(strengths[first] - strengths[second] + of_pair)
    score = (rng.random(len(chances)) < chances).astype(float)
    comparisons = Comparisons(first, second, score, (first + second) % 2 == 0, N)
    return Measured(
        name,
        dict(zip(IDS, bradley_terry(comparisons).elo, strict=True)),
        split_half(comparisons, seed=1, splits=6),
        lambda: halves_of(comparisons, IDS, splits=6),
    )


def unrelated(rng, spread, quirk):
    """Two measures of unrelated strengths, in which the same pairs have the same likes of their own."""
    quirks = quirk * rng.standard_normal((N, N))
    return [measured(rng, name, spread * rng.standard_normal(N), quirks) for name in ("x", "y")]


def test_noise_that_pairs_share_is_no_correlation():
    rng = np.random.default_rng(1)
    found, plain = [], []
    for _ in range(24):
        x, y = unrelated(rng, 0.15, 1.5)
        found.append(spearman(x, y).value)
        plain.append(spearman(replace(x, halves=None), y).value)
    error = np.std(found, ddof=1) / np.sqrt(24)
    assert np.mean(plain) > 3 * error
    assert abs(np.mean(found)) < 3 * error


def test_the_corrected_correlation_is_that_of_the_strengths():
    """As the ratio of a correlation of halves to the reliabilities of halves."""
    rng = np.random.default_rng(2)
    truth, found, plain = [], [], []
    for _ in range(24):
        x = 0.5 * rng.standard_normal(N)
        y = 0.5 * x + 0.5 * math.sqrt(0.75) * rng.standard_normal(N)
        quirks = 0.8 * rng.standard_normal((N, N))
        measures = [measured(rng, name, values, quirks) for name, values in (("x", x), ("y", y))]
        truth.append(stats.spearmanr(x, y).statistic)
        found.append(attenuation_corrected(*measures).value)
        plain.append(attenuation_corrected(replace(measures[0], halves=None), measures[1]).value)
    error = np.std(np.subtract(found, truth), ddof=1) / np.sqrt(24)
    assert abs(np.mean(found) - np.mean(truth)) < 2.5 * error
    assert np.mean(plain) - np.mean(truth) > 2.5 * error


def test_values_follow_from_the_correlations_of_halves():
    found = Crossed(between=0.3, same=0.4, x=0.6, y=0.5, n=20, splits=4)
    assert found.corrected == pytest.approx(0.3 / math.sqrt(0.6 * 0.5))
    # Halves of either kind, as often as the pairs of a whole are the same, stepped up: what whole measures show.
    ceiling = math.sqrt(spearman_brown(0.6) * spearman_brown(0.5))
    whole = (0.3 + 0.4) / 2 / math.sqrt(0.6 * 0.5) * ceiling
    assert whole - found.shared == pytest.approx(found.corrected * ceiling)
    assert math.isnan(Crossed(0.3, 0.4, -0.1, 0.5, 20, 4).corrected)
    assert Crossed(0.3, 0.4, -0.1, 0.5, 20, 4).shared == pytest.approx(0.1 / math.sqrt(1.5))
    assert Crossed(0.3, 0.3, 0.6, 0.5, 20, 4).shared == 0


def test_methods_say_what_was_done_and_the_interval_is_about_the_new_value():
    x, y = unrelated(np.random.default_rng(3), 1.0, 0.3)
    rho, corrected = spearman(x, y), attenuation_corrected(x, y)
    assert "halves of different pairs" in rho.method
    assert isinstance(rho.interval_method, RhoInterval)
    assert (rho.interval_method.r, rho.interval_method.n) == (rho.value, N)
    assert rho.interval().low < rho.value < rho.interval().high
    assert "divided by the reliability of halves" in corrected.method
    assert corrected.interval().low < corrected.value < corrected.interval().high


@dataclass(frozen=True)
class Grouped(Measured):
    groups: dict = field(default_factory=lambda: {entity: str(number // 5) for number, entity in enumerate(IDS)})


def test_the_corrected_correlation_scatters_over_groups_as_the_plain_one_does():
    """It was once taken to scatter as for independent entities: held in 67% where groups make 70% of the variance."""
    rng = np.random.default_rng(7)
    of_group = np.repeat(np.arange(6), 5)
    strengths = [rng.standard_normal(6)[of_group] + 0.5 * rng.standard_normal(N) for _ in "xy"]
    x, y = (
        Grouped(**vars(measured(rng, name, own, np.zeros((N, N))))) for name, own in zip("xy", strengths, strict=True)
    )
    rho, corrected = spearman(x, y), attenuation_corrected(x, y)
    assert "over different halves" in corrected.method
    assert "by the jackknife over 6 groups" in corrected.method
    scatter = corrected.interval_method.rho.scatter
    assert scatter == rho.interval_method.scatter
    assert scatter.df == 5
    independent = replace(corrected.interval_method, rho=RhoInterval(corrected.interval_method.rho.r, N))
    low, high = independent.limits(0.95)
    assert corrected.interval().high - corrected.interval().low > 1.5 * (high - low)


def test_rho_within_groups_says_that_it_keeps_the_noise_of_shared_pairs():
    """ "rho > truth" is supported in 5.6 and 6.8% for 2.5% where pairs have likes of their own that both share."""
    rng = np.random.default_rng(8)
    x, y = (Grouped(**vars(measured(rng, name, rng.standard_normal(N), np.zeros((N, N))))) for name in "xy")
    for grouped in (within_groups, partial_spearman):
        assert grouped(x, y).method.endswith("are not separated from preferences for entities")
        assert "single pairs" not in grouped(replace(x, halves=None), y).method


def test_measures_that_share_no_pairs_or_no_entities_are_correlated_as_they_are():
    rng = np.random.default_rng(4)
    none = np.zeros((N, N))
    x = measured(rng, "x", rng.standard_normal(N), none, partners=[1, 2, 3])
    y = measured(rng, "y", rng.standard_normal(N), none, partners=[4, 5, 6])
    z = measured(rng, "z", rng.standard_normal(N), none, partners=[3, 4, 5])
    assert crossed(x, y) is None
    assert crossed(x, z) is not None
    plain = spearman_estimate(list(x.values.values()), list(y.values.values()))
    assert spearman(x, y).value == plain.value
    halves = x.halves()
    others = replace(x, halves=lambda: Halves(IDS[::-1], halves.one, halves.other, halves.asked))
    assert crossed(others, z) is None
    assert crossed(replace(x, halves=None), z) is None
    assert crossed(object(), z) is None


def test_halves_share_no_pair_and_are_the_same_for_every_measure():
    rng = np.random.default_rng(5)
    strengths = rng.standard_normal(N)
    x, y = (measured(rng, name, strengths, np.zeros((N, N)), partners=[1]) for name in "xy")
    one, other = x.halves(), y.halves()
    # On a circle each entity is in two pairs: where both are in one half, the other knows nothing of it.
    assert np.isnan(one.one).any()
    assert (np.isnan(one.one) == np.isnan(other.one)).all()
    assert not (np.isnan(one.one) & np.isnan(one.other)).any()


def test_a_half_that_tells_nothing_gives_no_corrected_correlation():
    rng = np.random.default_rng(6)
    x, y = unrelated(rng, 1.0, 0.0)
    flat = x.halves()
    noise = rng.standard_normal(flat.one.shape)
    against = replace(x, halves=lambda: Halves(IDS, noise, -noise, flat.asked))
    found = attenuation_corrected(against, y)
    assert math.isnan(found.value)
    assert any("do not agree" in reason for reason in found.invalid)
    same = replace(x, halves=lambda: Halves(IDS, np.zeros_like(noise), noise, flat.asked))
    assert crossed(same, y) is None


@pytest.mark.parametrize(("shared", "taken"), [(2, True), (1, False)])
def test_halves_are_taken_from_a_tenth_of_shared_pairs_on(shared, taken):
    """Each measure is of 20 pairs."""
    rng, pairs = np.random.default_rng(4), np.arange(40)
    strengths = [rng.standard_normal((8, 3)) for _ in range(4)]
    ids = tuple("abcdefgh")
    x = Halves(ids, *strengths[:2], pairs < 20)
    y = Halves(ids, *strengths[2:], (pairs >= 20 - shared) & (pairs < 40 - shared))
    one, other = (Measured(name, {}, None, lambda halves=halves: halves) for name, halves in (("x", x), ("y", y)))
    assert (crossed(one, other) is not None) is taken


@dataclass(frozen=True)
class OfHalves:
    halves: object


def test_what_halves_share_is_taken_from_the_correlation_by_hand():
    """Ranks by scipy: halves of the same pairs correlate more, and the whole is stepped up (Spearman 1910)."""
    rng = np.random.default_rng(8)
    common = rng.standard_normal((2, N, 3))
    x, y = ([common[half] + rng.standard_normal((N, 3)) for half in (0, 1)] for _ in "xy")
    asked = np.ones(N * (N - 1) // 2, dtype=bool)
    of_x, of_y = (OfHalves(partial(Halves, IDS, *both, asked)) for both in (x, y))

    def rho(one, other):
        return np.mean([stats.spearmanr(one[:, split], other[:, split]).statistic for split in range(3)])

    same, between = (rho(x[0], y[0]) + rho(x[1], y[1])) / 2, (rho(x[0], y[1]) + rho(x[1], y[0])) / 2
    shared = (same - between) / math.sqrt((1 + max(rho(*x), 0)) * (1 + max(rho(*y), 0)))
    assert shared > 0.2
    for value, expected in ((0.5, 0.5 - shared), (-0.9, -1.0)):
        estimate = Estimate(value, N, "entities", "rho", RhoInterval(value, N))
        found = without_shared_noise(estimate, of_x, of_y)
        assert found.value == pytest.approx(expected)
        assert found.interval_method.r == found.value
    swapped = OfHalves(lambda: Halves(IDS, y[1], y[0], asked))
    opposite = Estimate(0.9, N, "entities", "rho", RhoInterval(0.9, N))
    assert without_shared_noise(opposite, of_x, swapped).value == 1.0
