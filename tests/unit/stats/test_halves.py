"""Strengths from halves of the pairs: which pair is in which half, and fits to each half alone."""

import numpy as np
import pytest

from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.halves import SPLITS_SHARED, halves_of
from pytest_llmpref.stats.rating import fit_strengths

N, IDS = 6, tuple("abcdef")


def round_robin(seed, without=()):
    """Every pair in both orders, three times; the first entities are the stronger ones."""
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(N) for j in range(N) if i != j and not {i, j} & set(without)]
    first, second = np.repeat(np.array(pairs), 3, axis=0).T
    score = (rng.random(len(first)) < 1 / (1 + np.exp((first - second) / 2))).astype(float)
    return Comparisons(first, second, score, rng.random(len(first)) < 0.5, N)


def test_either_half_has_the_strengths_of_a_fit_to_its_pairs_alone():
    """The halves are numpy's permutations from seed 0, of the 15 pairs in the order of the upper triangle."""
    made = round_robin(1)
    found = halves_of(made, IDS, splits=3)
    rng, above = np.random.default_rng(0), list(zip(*np.triu_indices(N, 1), strict=True))
    for split in range(3):
        half = dict(zip(above, rng.permutation(np.arange(15) % 2), strict=True))
        own = np.array([half[min(pair), max(pair)] for pair in zip(made.first, made.second, strict=True)])
        for number, strengths in ((0, found.one), (1, found.other)):
            fits, _ = fit_strengths(made, (own == number).astype(float)[:, None])
            met = {entity for pair in above if half[pair] == number for entity in pair}
            for entity in range(N):
                expected = round(fits.parameters[entity, 0] / 1e-6) if entity in met else np.nan
                assert strengths[entity, split] == pytest.approx(expected, abs=2, nan_ok=True)


def test_halves_are_those_of_any_measure_of_the_same_entities():
    one, other = (halves_of(round_robin(seed), IDS) for seed in (1, 2))
    assert one.ids == IDS
    assert one.one.shape == one.other.shape == (N, SPLITS_SHARED)
    assert one.asked.tolist() == other.asked.tolist() == [True] * 15
    assert (one.one == np.round(one.one))[~np.isnan(one.one)].all()
    assert halves_of(round_robin(1), IDS).one == pytest.approx(one.one, nan_ok=True)


def test_who_was_in_no_pair_has_no_strength_in_either_half():
    found = halves_of(round_robin(1, without=[5]), IDS, splits=4)
    assert np.isnan(found.one[5]).all()
    assert np.isnan(found.other[5]).all()
    above = zip(*np.triu_indices(N, 1), strict=True)
    assert found.asked.tolist() == [5 not in pair for pair in above]


def test_a_pair_that_was_asked_about_once_was_asked_about():
    made = Comparisons(np.array([0, 2]), np.array([1, 1]), np.array([1.0, 0.0]), np.array([True, False]), N)
    above = zip(*np.triu_indices(N, 1), strict=True)
    assert halves_of(made, IDS, splits=2).asked.tolist() == [pair in {(0, 1), (1, 2)} for pair in above]
