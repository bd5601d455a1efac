"""How often a plan says a gate opens: beside the intervals that judge its claims, and simulated studies."""

import numpy as np
import pytest

from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.stats.opening import chance_of_few_refusals, most_refused
from pytest_llmpref.stats.sequential import SequentialShare


@pytest.mark.parametrize(("trials", "margin"), [(48, 0.10), (142, 0.10), (142, 0.05), (8, 0.10)])
def test_as_many_refusals_are_allowed_as_the_interval_allows(trials, margin):
    for alpha in (0.05, 0.01):
        most = most_refused(trials, margin, alpha, looks=False)
        upper = [Wilson(hits, trials).limits(1 - alpha)[1] for hits in range(trials)]
        assert most == sum(end < margin for end in upper) - 1


def test_with_looks_the_exact_interval_at_the_end_allows_them():
    most = most_refused(142, 0.10, 0.05, looks=True)
    assert SequentialShare(most, 142, complete=True).limits(0.95)[1] < 0.10
    assert SequentialShare(most + 1, 142, complete=True).limits(0.95)[1] > 0.10


def test_with_looks_pairs_of_which_none_is_refused_count_once():
    """48 trials about 24 pairs, which `stopping.Looks.effects` takes for 24 where none is refused."""
    assert most_refused(48, 0.10, 0.05, looks=True) == 0
    assert most_refused(48, 0.10, 0.05, looks=True, per_pair=2) == -1
    assert most_refused(142, 0.10, 0.05, looks=True, per_pair=2) == most_refused(142, 0.10, 0.05, looks=True)
    given = {"margin": 0.10, "alpha": 0.05, "rate": 0.001, "looks": True}
    assert chance_of_few_refusals(72, 1728, **given) > chance_of_few_refusals(72, 1728, **given, per_pair=2) == 0


@pytest.mark.parametrize(("partners", "rate"), [(24, 0.0005), (24, 0.001), (None, 0.005), (None, 0.01), (None, 0.015)])
def test_the_chance_is_that_of_simulated_studies(partners, rate):
    """1,000 studies of the real design of 72 entities, its questions refused at random."""
    ids = [str(number) for number in range(72)]
    questions = list(pair_questions(ids, partners=partners, orders=2, repetitions=1, wordings=1, seed=1))
    ends = np.array([[int(one.first), int(one.second)] for one in questions])
    most = most_refused(2 * len(ends) // 72, 0.10, 0.05, looks=False)
    rng, opens = np.random.default_rng(4), 0
    for _ in range(1000):
        opens += np.bincount(ends[rng.random(len(ends)) < rate].ravel(), minlength=72).max() <= most
    stated = chance_of_few_refusals(72, len(ends), 0.10, 0.05, rate=rate, looks=False)
    assert opens / 1000 == pytest.approx(stated, abs=0.04)
