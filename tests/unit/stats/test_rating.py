"""Strengths: against choix, against a general optimiser, by simulation, and on awkward data."""

import choix
import numpy as np
import pytest
from scipy import optimize, special, stats
from simulated_comparisons import chances, comparisons_of, drawn, every_ordered_pair, few

from pytest_llmpref.stats.closed_form import ELO_PER_LOGIT
from pytest_llmpref.stats.comparisons import ELO_MEAN, Comparisons, order_averaged_elo, win_rates
from pytest_llmpref.stats.rating import NUISANCE_SD, bradley_terry, fit_strengths, fit_to_all, refits


def centred(values):
    return np.asarray(values) - np.mean(values)


def effects(comparisons, **options):
    """What being shown first, and carrying label A, is worth in log-odds."""
    return fit_to_all(comparisons, **options)[0].parameters[comparisons.n_entities :, 0]


def test_strengths_are_those_of_choix_with_the_same_prior():
    rng = np.random.default_rng(1)
    comparisons = drawn(rng, rng.normal(0, 1.5, 10))
    # Each comparison is played once in either position, with the same winner: position and label are exactly zero.
    both = Comparisons(
        np.r_[comparisons.first, comparisons.second],
        np.r_[comparisons.second, comparisons.first],
        np.r_[comparisons.score, 1 - comparisons.score],
        np.r_[comparisons.label_first_is_a, comparisons.label_first_is_a],
        10,
    )
    wins = [(f, s) if won else (s, f) for f, s, won in zip(both.first, both.second, both.score, strict=True)]
    # choix penalises alpha * |strengths|^2, a Gaussian prior |strengths|^2 / (2 sd^2).
    for sd in (0.5, 2.0):
        expected = choix.opt_pairwise(10, wins, alpha=1 / (2 * sd**2), method="Newton-CG", tol=1e-10)
        rating = bradley_terry(both, prior_sd=sd)
        assert (rating.elo - 1500) / ELO_PER_LOGIT == pytest.approx(centred(expected), abs=1e-4)
        assert effects(both, prior_sd=sd)[0] == pytest.approx(0, abs=1e-6)


def test_an_all_but_flat_prior_gives_the_maximum_likelihood_of_choix():
    rng = np.random.default_rng(2)
    comparisons = drawn(rng, rng.normal(0, 0.8, 12))
    both = Comparisons(
        np.r_[comparisons.first, comparisons.second],
        np.r_[comparisons.second, comparisons.first],
        np.r_[comparisons.score, 1 - comparisons.score],
        np.r_[comparisons.label_first_is_a, comparisons.label_first_is_a],
        12,
    )
    wins = [(f, s) if won else (s, f) for f, s, won in zip(both.first, both.second, both.score, strict=True)]
    expected = choix.ilsr_pairwise(12, wins, max_iter=1000, tol=1e-10)
    rating = bradley_terry(both, prior_sd=1e4)
    assert (rating.elo - 1500) / ELO_PER_LOGIT == pytest.approx(centred(expected), abs=1e-5)


def test_all_effects_maximise_the_penalised_likelihood_fractional_scores_and_weights_included():
    rng = np.random.default_rng(3)
    n, sd = 9, 1.3
    comparisons = comparisons_of(chances(rng.normal(0, 1, n), position=0.7, label=-0.4) ** 1.5, n)
    weights = rng.uniform(0, 2, len(comparisons))
    sign = np.where(comparisons.label_first_is_a, 0.5, -0.5)

    def loss(p):
        chance = special.expit(p[comparisons.first] - p[comparisons.second] + p[n] + p[n + 1] * sign)
        y = comparisons.score
        penalty = np.sum(p[:n] ** 2) / (2 * sd**2) + np.sum(p[n:] ** 2) / (2 * NUISANCE_SD**2)
        return penalty - np.sum(weights * (y * np.log(chance) + (1 - y) * np.log1p(-chance)))

    best = optimize.minimize(loss, np.zeros(n + 2), method="BFGS", options={"gtol": 1e-6}).x
    # What `bradley_terry` is made of: of probabilities, it widens the prior by how little they scatter.
    fits, _ = fit_strengths(comparisons, weights[:, None], prior_sd=sd)
    assert fits.converged.all()
    assert fits.parameters[:, 0] == pytest.approx(best, abs=1e-4)


def test_intervals_of_planted_strengths_hold_them_95_percent_of_the_time():
    rng = np.random.default_rng(4)
    strengths = centred(rng.normal(0, 1.5, 20))
    studies, held = 150, []
    for _ in range(studies):
        rating = bradley_terry(drawn(rng, strengths, position=1.0, label=0.5))
        error = rating.elo - 1500 - strengths * ELO_PER_LOGIT
        held.append(np.abs(error) < stats.norm.ppf(0.975) * rating.standard_errors)
    # Four binomial standard errors of one entity's coverage; the mean over entities is far steadier.
    tolerance = 4 * np.sqrt(0.05 * 0.95 / studies)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert np.mean(held, axis=0).min() > 0.95 - tolerance


def test_answers_repeated_without_new_information_do_not_narrow_the_intervals():
    rng = np.random.default_rng(5)
    once = drawn(rng, rng.normal(0, 1, 16))
    ten = Comparisons(*(np.tile(part, 10) for part in (once.first, once.second, once.score, once.label_first_is_a)), 16)
    flat = {"prior_sd": 1e3}
    ratio = bradley_terry(ten, **flat).standard_errors / bradley_terry(once, **flat).standard_errors
    # Taken for independent they would shrink to 0.32. What is lost is the posterior's floor under the first.
    assert ratio.min() > 0.8
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


def test_a_planted_position_bias_does_not_leak_into_strengths():
    strengths = centred(np.linspace(-1.5, 1.5, 12))
    fair = bradley_terry(comparisons_of(chances(strengths), 12))
    asked = comparisons_of(chances(strengths, position=2.0, label=1.0), 12)
    biased = bradley_terry(asked)
    assert biased.elo == pytest.approx(fair.elo, abs=15)
    assert stats.spearmanr(biased.elo, strengths).statistic == pytest.approx(1)
    # The prior shrinks all effects a little, the less the more is asked.
    assert effects(asked) == pytest.approx([2.0, 1.0], rel=0.06)


def test_a_position_bias_does_not_leak_where_entities_are_shown_first_unequally_often():
    rng = np.random.default_rng(6)
    strengths = np.zeros(10)
    first, second, first_is_a = every_ordered_pair(10)
    # Low indices are shown first in three of four comparisons.
    kept = np.repeat(np.arange(len(first)), np.where(first < second, 30, 10))
    score = rng.random(len(kept)) < chances(strengths, position=1.5)[kept]
    comparisons = Comparisons(first[kept], second[kept], score.astype(float), rng.permutation(first_is_a[kept]), 10)
    rating = bradley_terry(comparisons)
    assert np.abs(stats.zscore(win_rates(comparisons).value)).max() > 1
    assert np.all(np.abs(rating.elo - 1500) < 4 * rating.standard_errors)
    assert np.abs(rating.elo - 1500).max() < 60


def test_convergence_is_claimed_only_where_it_happened():
    comparisons = drawn(np.random.default_rng(7), np.linspace(-2, 2, 8), position=1.0)
    cut_short = bradley_terry(comparisons, max_iterations=2)
    assert (cut_short.converged, cut_short.iterations) == (False, 2)
    assert bradley_terry(comparisons).converged


def test_one_entity_that_always_wins_stays_finite_and_its_error_is_large():
    comparisons = drawn(np.random.default_rng(11), np.r_[50.0, np.zeros(7)])
    rating = bradley_terry(comparisons)
    assert rating.converged
    assert np.isfinite(rating.elo).all()
    assert rating.elo.argmax() == 0
    assert rating.standard_errors[0] > rating.standard_errors[1:].max()
    assert rating.standard_errors[0] > 1.5 * rating.standard_errors[1:].mean() > 0


def test_always_the_first_option_leaves_every_strength_equal():
    comparisons = comparisons_of(np.ones(72 * 71), 72)
    rating = bradley_terry(comparisons)
    assert rating.converged
    assert rating.elo == pytest.approx(np.full(72, 1500), abs=1e-6)
    assert effects(comparisons)[0] > 5


def test_all_ties_leave_every_strength_equal():
    rating = bradley_terry(comparisons_of(np.full(30, 0.5), 6))
    assert rating.converged
    assert rating.elo == pytest.approx(np.full(6, 1500), abs=1e-9)


def test_a_single_comparison_is_defined_and_its_error_is_that_of_the_prior():
    asked = few([(0, 1, 1.0)], 2)
    rating = bradley_terry(asked)
    assert rating.converged
    assert rating.elo[0] > 1500 > rating.elo[1]
    assert rating.elo[0] - rating.elo[1] < 2 * rating.standard_errors.sum()
    assert effects(asked)[1] == 0, "which label was chosen cannot be told from which place"


def test_parts_without_a_link_have_no_standard_errors():
    rating = bradley_terry(few([(0, 1, 1), (1, 0, 0), (2, 3, 1), (3, 2, 0)], 4))
    assert not rating.connected
    assert np.isnan(rating.standard_errors).all()
    assert np.isfinite(rating.elo).all()


def test_an_entity_never_compared_has_no_strength_and_does_not_shift_the_others():
    rows = [(0, 1, 1), (1, 0, 0), (1, 2, 1), (2, 1, 1), (0, 2, 1), (2, 0, 0)]
    rating, without = bradley_terry(few(rows, 4)), bradley_terry(few(rows, 3))
    assert rating.connected
    assert np.isnan(rating.elo[3])
    assert np.isnan(rating.standard_errors[3])
    assert rating.elo[:3] == pytest.approx(without.elo, abs=1e-6)
    assert rating.standard_errors[:3] == pytest.approx(without.standard_errors, rel=1e-6)


@pytest.mark.parametrize("weights", [np.ones(3), np.full(12, -1.0), np.zeros(12)])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="weights: one number of at least 0 for each of the 12"):
        bradley_terry(comparisons_of(np.ones(12), 4), weights=weights)


@pytest.mark.parametrize("statistic", [bradley_terry, lambda c: order_averaged_elo(c, seed=0)])
def test_no_comparisons_are_refused(statistic):
    none = np.array([], dtype=np.intp)
    empty = Comparisons(none, none, none.astype(float), none.astype(bool), 3)
    with pytest.raises(ValueError, match="no comparisons"):
        statistic(empty)


def test_order_averaged_elo_is_the_average_of_online_elo():
    comparisons = drawn(np.random.default_rng(8), np.linspace(-1, 1, 5))
    rng, expected = np.random.default_rng(9), np.zeros(5)
    for order in rng.permuted(np.tile(np.arange(len(comparisons)), (20, 1)), axis=1):
        elo = np.full(5, 1500.0)
        for i in order:
            f, s = comparisons.first[i], comparisons.second[i]
            change = 24 * (comparisons.score[i] - 1 / (1 + 10 ** ((elo[s] - elo[f]) / 400)))
            elo[f], elo[s] = elo[f] + change, elo[s] - change
        expected += elo / 20
    assert order_averaged_elo(comparisons, orders=20, k=24, seed=9) == pytest.approx(expected)


def test_order_averaged_elo_agrees_with_bradley_terry_on_the_order_of_entities():
    rng = np.random.default_rng(10)
    comparisons = drawn(rng, rng.normal(0, 1.5, 40), position=1.0)
    elo = order_averaged_elo(comparisons, seed=0)
    assert stats.spearmanr(elo, bradley_terry(comparisons).elo).statistic > 0.99
    assert elo.mean() == pytest.approx(1500)


def test_win_rates_count_parts_of_a_win():
    rates = win_rates(few([(0, 1, 1.0), (1, 0, 0.25), (0, 2, 0.5)], 4))
    assert rates.n.tolist() == [3, 2, 1, 0]
    assert rates.value[:3] == pytest.approx([(1 + 0.75 + 0.5) / 3, 0.25 / 2, 0.5])
    assert np.isnan(rates.value[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.array([0.5])}, "four arrays of one shape"),
        ({"first": np.array([0, 3])}, r"first must lie within 0 and 2"),
        ({"second": np.array([-1, 0])}, r"second must lie within 0 and 2"),
        ({"second": np.array([1.0, 0.0])}, "integers"),
        ({"second": np.array([1, 1])}, "entity 1 is compared with itself in row 1"),
        ({"score": np.array([0.5, np.nan])}, "score must lie within 0 and 1"),
        ({"score": np.array([0.5, 1.1])}, "score must lie within 0 and 1"),
    ],
)
def test_comparisons_are_checked(change, message):
    good = {
        "first": np.array([0, 1]),
        "second": np.array([1, 2]),
        "score": np.array([1.0, 0.0]),
        "label_first_is_a": np.array([True, False]),
        "n_entities": 3,
    }
    assert len(Comparisons(**good)) == 2
    with pytest.raises(ValueError, match=message):
        Comparisons(**good | change)


def test_a_prior_hardly_shrinks_strengths_from_probabilities_and_their_intervals_hold_them():
    """Answers about a pair scatter a little, alike in both orders: likes that no strengths add up to."""
    rng, n, shrinkage, held = np.random.default_rng(8), 16, [], []
    first, second, _ = every_ordered_pair(n)
    number = np.minimum(first, second) * n + np.maximum(first, second)
    for _ in range(80):
        strengths = rng.normal(0, 1.2, n)
        strengths -= strengths.mean()
        own = 0.2 * rng.standard_normal(n * n)[number] * np.where(first < second, 1, -1)
        rating = bradley_terry(comparisons_of(special.expit(strengths[first] - strengths[second] + own), n))
        found = (rating.elo - ELO_MEAN) / ELO_PER_LOGIT
        shrinkage.append(found @ strengths / (strengths @ strengths))
        reach = special.stdtrit(rating.degrees_of_freedom, 0.975) * rating.standard_errors / ELO_PER_LOGIT
        held.append(np.abs(found - strengths) < reach)
    # As draws, the same answers would be drawn 3% to the mean.
    assert np.mean(shrinkage) == pytest.approx(1, abs=0.01)
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("probabilities", [False, True])
def test_refits_are_the_strengths_of_a_fit_to_the_scores_that_vary(probabilities):
    rng = np.random.default_rng(11)
    strengths = rng.normal(0, 1, 8)
    comparisons = drawn(rng, strengths)
    if probabilities:
        comparisons = comparisons_of(np.clip(chances(strengths) + rng.normal(0, 0.05, 56), 0.01, 0.99), 8)
    varying = np.isin(np.arange(56), [3, 20, 41])
    outcomes = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    if probabilities:
        outcomes = 0.2 + 0.5 * outcomes
    found = refits(comparisons, varying).effects(outcomes)
    for fit, scores in zip(found.T, outcomes.T, strict=True):
        whole = comparisons.score.copy()
        whole[varying] = scores
        assert fit + ELO_MEAN == pytest.approx(bradley_terry(comparisons_of(whole, 8)).elo, abs=0.01)
