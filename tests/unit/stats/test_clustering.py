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
