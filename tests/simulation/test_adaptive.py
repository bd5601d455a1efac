"""Adaptive pairs beside random ones: coverage, balance, and the ranking."""

from functools import cache

import numpy as np
import pytest
from scipy import special, stats

from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.stats.selection import Pool, next_pairs


@cache
def all_questions(n: int, seed: int, wordings: int) -> Pool:
    """Return every pair of some entities in both orders, as a study asks them."""
    ids = [str(number) for number in range(n)]
    design = list(pair_questions(ids, partners=None, orders=2, repetitions=1, wordings=wordings, seed=seed))
    place = {pair: number for number, pair in enumerate(dict.fromkeys(question.pair for question in design))}
    return Pool(
        first=np.array([int(question.first) for question in design]),
        second=np.array([int(question.second) for question in design]),
        label_first_is_a=np.array([question.first_is_a for question in design]),
        wording=np.array([question.wording for question in design]),
        pair_of=np.array([place[question.pair] for question in design]),
        n_entities=n,
    )


def adaptively(pool: Pool, answers, seed: int, pairs: int):
    """Return which pairs are asked, in rounds of one for each entity."""
    closed = np.zeros(pool.pair_of.max() + 1, dtype=bool)
    while closed.sum() < pairs:
        known = np.where(closed[pool.pair_of], answers, np.nan)
        closed[next_pairs(pool, known, closed, min(pool.n_entities, pairs - closed.sum()), seed=seed)] = True
    return closed


def at_random(pool: Pool, rng, pairs: int):
    chosen = np.zeros(pool.pair_of.max() + 1, dtype=bool)
    chosen[rng.permutation(len(chosen))[:pairs]] = True
    return chosen


def simulated(strengths, seed: int, pairs: int, *, adaptive: bool) -> Comparisons:
    """Ask some of all pairs of 0/1 answers with these log-odds."""
    n, rng = len(strengths), np.random.default_rng(seed)
    pool = all_questions(n, seed, wordings=1)
    logits = strengths[pool.first] - strengths[pool.second] + 0.4
    answers = (rng.random(len(logits)) < special.expit(logits)).astype(float)
    chosen = adaptively(pool, answers, seed, pairs) if adaptive else at_random(pool, rng, pairs)
    asked = chosen[pool.pair_of]
    return Comparisons(pool.first[asked], pool.second[asked], answers[asked], pool.label_first_is_a[asked], n)


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_every_entity_is_asked_about_as_often_with_either_label_and_with_each_wording(spread):
    """Where strengths differ by these, as those of Gemma do by labels, an entity met with one more is ranked wrong."""
    n, pairs = 60, 60 * 59 // 10
    uneven = {True: [], False: []}
    for seed in range(4):
        pool, rng = all_questions(n, seed, wordings=4), np.random.default_rng(seed)
        strengths = rng.normal(0, spread, n)
        answers = special.expit(strengths[pool.first] - strengths[pool.second])
        for adaptive in (True, False):
            chosen = adaptively(pool, answers, seed, pairs) if adaptive else at_random(pool, rng, pairs)
            met = np.zeros((n, 4, 2))
            asked = chosen[pool.pair_of]
            for end in (pool.first, pool.second):
                np.add.at(met, (end[asked], pool.wording[asked], pool.label_first_is_a[asked].astype(int)), 1)
            shares = met / met.sum(axis=(1, 2), keepdims=True)
            uneven[adaptive].append([np.mean(shares.sum(axis=axis).std(axis=1)) for axis in (1, 2)])
    by_label, by_wording = np.mean(uneven[True], axis=0) / np.mean(uneven[False], axis=0)
    # Without the interaction in the design, 0.77 to 0.85 and 0.99.
    assert by_label < 0.6
    assert by_wording < 0.6


@pytest.mark.parametrize(("spread", "studies"), [(0.3, 12), (1.0, 24), pytest.param(2.5, 80, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth_about_as_often_as_with_random_pairs_and_the_ranking_is_no_worse(spread, studies):
    """Studies of 60 entities and a fifth of the pairs; of 12, the share of intervals has a standard error of 0.01.

    So more studies are needed to tell where it comes near what is asserted: at a spread of 1 it is 0.935 (random pairs
    0.964), five standard errors of 24 studies above 0.90, and at the widest even random pairs hold no more than 0.900.
    """
    held, rho = {True: [], False: []}, {True: [], False: []}
    for seed in range(studies):
        strengths = np.random.default_rng(100 + seed).normal(0, spread, 60)
        strengths -= strengths.mean()
        for adaptive in (True, False):
            rated = bradley_terry(simulated(strengths, seed, 60 * 59 // 10, adaptive=adaptive))
            rho[adaptive].append(stats.spearmanr(strengths, rated.elo).statistic)
            truth = 1500 + strengths * 400 / np.log(10)
            held[adaptive].append(np.mean(np.abs(rated.elo - truth) < 1.96 * rated.standard_errors))
    # Where strengths spread wider than the fit's prior, those of random pairs hold the truth less often as well.
    assert np.mean(held[True]) > max(0.90, np.mean(held[False]) - 0.04)
    assert np.mean(rho[True]) > np.mean(rho[False]) - 0.02


def test_sharp_preferences_are_ranked_alike_by_fewer_questions():
    strengths = np.random.default_rng(5).permutation(np.linspace(-6, 6, 60))
    found = {adaptive: simulated(strengths, 3, 240, adaptive=adaptive) for adaptive in (True, False)}
    rho = {way: stats.spearmanr(strengths, bradley_terry(one).elo).statistic for way, one in found.items()}
    assert 1 - rho[True] < 0.7 * (1 - rho[False])
