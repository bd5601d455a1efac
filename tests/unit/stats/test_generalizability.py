"""Variance components of strengths by format: planted values come back."""

import numpy as np
import pytest
from planted_formats import World, answers
from scipy import special, stats
from simulated_comparisons import every_ordered_pair

from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.generalizability import FEWEST, LEAST_TOLD, _Facet, _Fit, _jackknifed, _varied, g_study


def components(found):
    return {"entity": found.entity, **found.facets}


def test_planted_variances_come_back_from_choices():
    rng = np.random.default_rng(4)
    planted = {"entity": 0.36, "label": 0.16, "position": 0.09, "label_by_position": 0.04, "wording": 0.09}
    world = World(0.6, label=0.4, position=0.3, label_by_position=0.2, wording=0.3)
    found = [components(g_study(*answers(rng, 36, world))) for _ in range(12)]
    for name, variance in planted.items():
        values = np.array([one[name] for one in found])
        # Averaging over what others gain takes a little of each (Zeger, Liang and Albert 1988): a tenth here.
        assert values.mean() == pytest.approx(0.9 * variance, abs=3 * values.std(ddof=1) / np.sqrt(12) + 0.02)


def test_formats_that_do_nothing_leave_no_variance_but_noise():
    rng = np.random.default_rng(5)
    found = [g_study(*answers(rng, 24, World(1.0, pairs=0.5))) for _ in range(20)]
    for facet in ("label", "position", "label_by_position", "wording"):
        values = np.array([one.facets[facet] for one in found])
        assert abs(values.mean()) < 3 * values.std(ddof=1) / np.sqrt(20)


def test_strengths_that_turn_round_with_the_label_correlate_below_zero():
    found = g_study(*answers(np.random.default_rng(7), 36, World(0.2, label=0.8)))
    assert found.swaps["label"].interval().high < 0
    assert found.one_format < 0.2


def test_correlations_across_a_swap_are_those_of_the_planted_variances_and_intervals_hold_them():
    rng = np.random.default_rng(8)
    truth = (0.6**2 - 0.3**2) / (0.6**2 + 0.3**2)
    found = [g_study(*answers(rng, 36, World(0.6, label=0.3))).swaps["label"] for _ in range(40)]
    values, intervals = np.array([one.value for one in found]), [one.interval() for one in found]
    assert values.mean() == pytest.approx(truth, abs=0.05)
    assert sum(one.low <= truth <= one.high for one in intervals) >= 34


def test_answer_forms_are_a_facet_where_there_are_several():
    rng = np.random.default_rng(9)
    comparisons, levels = answers(rng, 24, World(0.3, wording=1.0), wordings=3)
    found = g_study(comparisons, {"answer_form": levels["wording"]})
    assert set(found.facets) == {"label", "position", "label_by_position", "answer_form"}
    assert found.swaps["answer_form"].value < 0.4


def test_what_the_design_does_not_vary_is_left_out():
    comparisons, _ = answers(np.random.default_rng(10), 12, World(1.0), wordings=1)
    one_label = Comparisons(
        comparisons.first, comparisons.second, comparisons.score, np.ones(len(comparisons), dtype=bool), 12
    )
    assert set(g_study(one_label, {"wording": np.zeros(len(comparisons), dtype=np.intp)}).facets) == {"position"}


def test_a_facet_that_the_design_confounds_with_strengths_is_left_out():
    comparisons, levels = answers(np.random.default_rng(12), 16, World(1.0))
    # The first option carries A in all pairs of half of the entities, and in no other.
    by_entity = (comparisons.first < 8) & (comparisons.second < 8)
    within = (comparisons.first < 8) == (comparisons.second < 8)
    rows = np.flatnonzero(within | (comparisons.first == 0))
    confounded = Comparisons(
        comparisons.first[rows], comparisons.second[rows], comparisons.score[rows], by_entity[rows], 16
    )
    assert "label_by_position" not in g_study(confounded, {"wording": levels["wording"][rows]}).facets


def test_too_few_entities_and_answers_that_are_all_alike_give_nothing():
    comparisons, levels = answers(np.random.default_rng(11), 7, World(1.0))
    assert g_study(comparisons, levels) is None
    always_first, levels = answers(np.random.default_rng(11), 12, World(1.0))
    found = g_study(
        Comparisons(
            always_first.first,
            always_first.second,
            np.ones(len(always_first)),
            always_first.label_first_is_a,
            12,
        ),
        levels,
    )
    assert found is None or not found.swaps["label"].value > 0.5


@pytest.mark.parametrize("n", [FEWEST - 1, FEWEST])
def test_variances_are_estimated_from_eight_entities_on(n):
    comparisons, levels = answers(np.random.default_rng(11), n, World(1.0))
    assert (g_study(comparisons, levels) is None) is (n < FEWEST)


@pytest.mark.parametrize(("beyond", "told"), [(1e-9, True), (-1e-9, False)])
def test_a_facet_counts_from_a_quarter_of_what_it_does_to_answers_on(beyond, told):
    comparisons, levels = answers(np.random.default_rng(13), 12, World(1.0))
    fit = _Fit(comparisons, levels)
    facet = _Facet(fit, *_varied(comparisons, levels)["label"])
    # What gains of unit variance do to answers, had strengths and biases not been fitted.
    weighted, by_pair = facet.weighted.toarray(), facet.by_pair.toarray()
    alone = np.sum((facet.design.toarray().T @ weighted) ** 2) - np.sum((by_pair @ weighted) ** 2)
    facet.__dict__["own"] = (LEAST_TOLD + beyond) * alone
    assert facet.told_apart is told


def test_the_error_of_a_mean_by_the_jackknife_is_scipys_and_of_a_ratio_by_hand():
    rng = np.random.default_rng(8)
    one, other = rng.normal(0.3, 0.2, 15), rng.normal(1.0, 0.2, 15)
    mean = _jackknifed(lambda a, _: a, one, other, label="mean")
    assert mean.value == pytest.approx(one.mean())
    low, high = stats.t.interval(0.95, 14, one.mean(), stats.sem(one))
    assert (mean.interval().low, mean.interval().high) == pytest.approx((low, high))
    assert (mean.n, mean.unit, mean.label, mean.invalid) == (15, "entities", "mean", ())
    ratio = _jackknifed(lambda a, b: a / b, one, other, label="ratio")
    left = [np.delete(one, entity).mean() / np.delete(other, entity).mean() for entity in range(15)]
    assert ratio.value == pytest.approx(one.mean() / other.mean())
    assert ratio.interval_method.inner.se == pytest.approx(np.sqrt(14 * np.var(left)))
    beyond = _jackknifed(lambda a, _: 5 * a, one, other, label="cut")
    assert (beyond.value, beyond.interval().high) == (1, 1)
    unknown = _jackknifed(lambda *_: np.nan, one, other, label="none")
    assert unknown.invalid == ("entities do not differ beyond noise",)


def test_probabilities_without_noise_are_not_shrunk_by_the_prior():
    rng = np.random.default_rng(9)
    first, second, is_a = every_ordered_pair(12)
    strength, gain = rng.normal(0, 1.5, 12), rng.normal(0, 0.05, 12)
    logits = strength[first] - strength[second] + np.where(is_a, 1, -1) * (gain[first] + gain[second])
    found = g_study(Comparisons(first, second, special.expit(logits), is_a, 12), {})
    assert found.entity == pytest.approx(strength.var(ddof=1), rel=0.01)
    assert found.swaps["label"].value > 0.99
