"""Design effects of entities: what trials of a pair have in common, of each entity by itself."""

import numpy as np
import pytest

from pytest_llmpref.stats.clustering import own_design_effects


def test_an_entity_whose_pairs_are_alike_has_an_effect_of_its_own():
    rng = np.random.default_rng(1)
    entity, pair = np.repeat([0, 1], 2000), np.tile(np.repeat(np.arange(1000), 2), 2)
    by_pair = np.repeat(rng.random(1000) < 0.3, 2)
    by_trial = rng.random(2000) < 0.3
    found = own_design_effects(entity, pair, np.r_[by_pair, by_trial], 2, otherwise=1.3)
    assert found == pytest.approx([2, 1], abs=0.1)


def test_it_is_the_variance_of_the_share_over_that_of_single_trials():
    rng = np.random.default_rng(2)
    share, pairs = [], 12
    effects = []
    for _ in range(3000):
        chance = rng.beta(0.5, 0.5, pairs)
        ended = rng.random((pairs, 2)) < chance[:, None]
        share.append(ended.mean())
        effects.append(
            own_design_effects(
                np.zeros(2 * pairs, np.intp), np.repeat(np.arange(pairs), 2), ended.ravel(), 1, otherwise=1.0
            )[0]
        )
    # A pair's chances have an intraclass correlation of a half: 1 + (2 - 1) / 2.
    assert np.var(share) * 2 * pairs / 0.25 == pytest.approx(1.5, abs=0.1)
    assert np.mean(effects) == pytest.approx(1.5, abs=0.06)


def test_trials_that_ended_alike_tell_nothing_and_no_trials_neither():
    pair = np.array([0, 0, 1, 1])
    found = own_design_effects(np.zeros(4, np.intp), pair, np.zeros(4, np.bool_), 2, otherwise=1.3)
    assert found.tolist() == [1.3, 1.3]
    assert own_design_effects(np.zeros(4, np.intp), pair, pair > 0, 1, otherwise=0.8)[0] == pytest.approx(2)
    # One pair alone does not scatter.
    assert (
        own_design_effects(np.zeros(2, np.intp), np.zeros(2, np.intp), np.array([True, False]), 1, otherwise=1.2) == 1.2
    )


def test_entities_are_told_apart_by_their_pairs_whatever_the_numbers_of_either():
    """Of three entities with two pairs each, by hand; of a fourth and a fifth there is no trial, and of a sixth one."""
    entity, pair = np.repeat([0, 1, 2, 5], [4, 4, 4, 1]), np.r_[np.tile([0, 0, 1, 1], 3), 0]
    ended = np.array([1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1]) > 0
    with np.errstate(all="raise"):
        found = own_design_effects(entity, pair, ended, 6, otherwise=1)
    # The squared sums of the pairs are 1 + 1, 0, and (1/2)^2 twice; those of single trials 1, 1 and 3/4. With 2 pairs,
    # ratios 4, 0 and 4/3, each divided by 1 plus a quarter of itself.
    assert found == pytest.approx([2, 1, 1, 1, 1, 1])
    found = own_design_effects(entity, pair, ended, 6, otherwise=np.array([9, 9, 9, 1.5, 1.25, 1.125]))
    assert found == pytest.approx([2, 1, 1, 1.5, 1.25, 1.125])


def test_of_no_trials_there_is_nothing_to_tell():
    nothing = np.zeros(0, np.intp)
    assert own_design_effects(nothing, nothing, nothing > 0, 2, otherwise=1.5).tolist() == [1.5, 1.5]
    assert own_design_effects(np.zeros(3, np.intp), np.arange(3), np.zeros(3, bool), 1, otherwise=0).dtype == np.float64


def test_what_is_taken_otherwise_may_be_a_whole_number():
    """Pairs that end 2, 0 and 1: squared sums of 2 beside 3/2, so 2 after 3/2 for few pairs, and 2 / (1 + 2 / 6)."""
    ended = np.array([1, 1, 0, 0, 1, 0]) > 0
    found = own_design_effects(np.zeros(6, np.intp), np.repeat(np.arange(3), 2), ended, 1, otherwise=1)
    assert found == pytest.approx([1.5])
