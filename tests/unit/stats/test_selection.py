"""Which pairs are asked next."""

import itertools

import numpy as np

from pytest_llmpref.stats.selection import Pool, next_pairs


def pool_of(n):
    """Each pair in both orders, with one wording and one order of the labels."""
    pairs = list(itertools.combinations(range(n), 2))
    first, second = np.array([order for pair in pairs for order in (pair, pair[::-1])]).T
    some = np.zeros(2 * len(pairs), dtype=int)
    return pairs, Pool(first, second, some == 0, some, np.repeat(np.arange(len(pairs)), 2), n)


def answered(pairs, pool, chances):
    """Scores of a pool in which these pairs are answered so; whether each pair is."""
    scores, closed = np.full(len(pool.first), np.nan), np.zeros(len(pairs), dtype=bool)
    for pair, chance in chances.items():
        place = pairs.index(pair)
        closed[place] = True
        scores[2 * place], scores[2 * place + 1] = chance, 1 - chance
    return scores, closed


def test_without_answers_pairs_come_as_a_fixed_design_asks_them():
    _, pool = pool_of(4)
    closed = np.array([True, False, True, False, False, False])
    assert next_pairs(pool, np.full(12, np.nan), closed, 3, seed=0) == [1, 3, 4]


def test_no_pair_is_chosen_twice_or_though_it_is_closed_and_no_more_than_are_open():
    pairs, pool = pool_of(4)
    scores, closed = answered(pairs, pool, {(0, 1): 0.5})
    assert sorted(next_pairs(pool, scores, closed, 99, seed=0)) == [1, 2, 3, 4, 5]


def test_answers_that_tell_nothing_apart_lead_to_those_who_were_met_least():
    pairs, pool = pool_of(4)
    scores, closed = answered(pairs, pool, {(0, 1): 0.5})
    assert pairs[next_pairs(pool, scores, closed, 1, seed=0)[0]] == (2, 3)


def test_neighbours_are_compared_and_not_those_whose_order_is_clear():
    """Six strong and six weak ones: each was compared with all of the others, and with none of its own kind."""
    pairs, pool = pool_of(12)
    across = [pair for pair in pairs if pair[0] < 6 <= pair[1]]
    scores, closed = answered(pairs, pool, dict.fromkeys(across, 0.97))
    closed[[pairs.index(pair) for pair in across[::2]]] = False
    chosen = [pairs[number] for number in next_pairs(pool, scores, closed, 10, seed=0)]
    assert not set(chosen) & set(across)


def test_the_same_answers_choose_the_same_and_another_seed_may_not():
    pairs, pool = pool_of(8)
    rng = np.random.default_rng(0)
    scores, closed = answered(pairs, pool, {pair: float(rng.random()) for pair in pairs[::2]})
    one, again, other = (next_pairs(pool, scores, closed, 5, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert set(one) | set(other) <= set(np.flatnonzero(~closed))
