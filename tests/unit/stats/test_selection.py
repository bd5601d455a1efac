"""Which pairs are asked next."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special, stats

from pytest_llmpref.stats import selection
from pytest_llmpref.stats.rating import NUISANCE_SD
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


def in_cells(n, rng):
    """Each pair in both orders, in one of four combinations of wording and labels."""
    pairs, plain = pool_of(n)
    cell = np.repeat(rng.integers(4, size=len(pairs)), 2)
    return replace(plain, wording=cell // 2, label_first_is_a=cell % 2 == 1)


def rows(pool):
    """One row a question: 1 at its first entity in its cell, -1 at its second."""
    kinds = list(dict.fromkeys(sorted(zip(pool.wording.tolist(), pool.label_first_is_a.tolist(), strict=True))))
    found = np.zeros((len(pool.first), pool.n_entities, len(kinds)))
    for number, kind in enumerate(zip(pool.wording.tolist(), pool.label_first_is_a.tolist(), strict=True)):
        found[number, pool.first[number], kinds.index(kind)] = 1
        found[number, pool.second[number], kinds.index(kind)] = -1
    return found.reshape(len(found), -1)


@pytest.mark.parametrize("even", [True, False])
def test_the_pair_that_takes_most_off_the_variances_of_ranks_is_chosen_each_time(monkeypatch, even):
    """Beside a search that inverts the information of every choice anew."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pool = in_cells(6, rng)
        n, cells = pool.n_entities, rows(pool).shape[1] // pool.n_entities
        root = rng.normal(size=(n * cells, n * cells))
        covariance = root @ root.T / (n * cells) + 0.1 * np.eye(n * cells)
        belief = selection._Belief(rng.normal(size=n), covariance, 0.7, 2.5, even)
        monkeypatch.setattr(selection, "_believed", lambda *_, held=belief: held)
        closed = np.arange(len(pool.first) // 2) % 4 == 1
        scores = np.where(closed[pool.pair_of], 0.5, np.nan)
        mean = np.kron(np.eye(n), np.full((1, cells), 1 / cells))
        of_entities = mean @ covariance @ mean.T
        strengths = belief.strengths.copy()
        width = np.sqrt(2 * np.add.outer(np.diag(of_entities), np.diag(of_entities)))
        density = stats.norm.pdf(np.subtract.outer(strengths, strengths), scale=width) * (1 - np.eye(n))
        ranks = (np.diag(density.sum(axis=1)) - density) @ mean
        if not even:
            drawn = np.random.default_rng([9, int(closed.sum())]).standard_normal(n)
            strengths += np.linalg.cholesky(of_entities) @ drawn
        chances = [
            special.expit(strengths[pool.first] - strengths[pool.second] + 0.7 + label) for label in (-1.25, 1.25)
        ]
        told = np.bincount(pool.pair_of, sum(p * (1 - p) for p in chances) / 2)
        known, still, expected = np.linalg.inv(covariance), ~closed, []
        for _ in range(8):
            left = {}
            for pair in np.flatnonzero(still):
                row = rows(pool)[2 * pair]
                after = np.linalg.inv(known + told[pair] * np.outer(row, row))
                left[pair] = np.trace(ranks @ after @ ranks.T)
            best = min(left, key=left.get)
            expected.append(best)
            still[best] = False
            known += told[best] * np.outer(rows(pool)[2 * best], rows(pool)[2 * best])
        assert next_pairs(pool, scores, closed, 8, seed=9) == expected


@pytest.mark.parametrize(("planted", "seed"), [(0.0, 0), (0.9, 1), (3.0, 2)])
def test_what_is_believed_is_what_the_likeliest_spread_says(monkeypatch, planted, seed):
    """Laplace's approximation beside scipy's search, with the whole design written out."""
    rng = np.random.default_rng(seed)
    pool = in_cells(7, rng)
    n, answered = pool.n_entities, rng.random(len(pool.first)) < 0.8
    truth = planted * rng.normal(size=n)
    label = np.where(pool.label_first_is_a, 0.5, -0.5)
    logits = truth[pool.first] - truth[pool.second] + 0.4 + 0.8 * label
    scores = np.where(answered, (rng.random(len(logits)) < special.expit(logits)) * 1.0, np.nan)
    design = np.zeros((len(logits), n + 2))
    design[np.arange(len(logits)), pool.first], design[np.arange(len(logits)), pool.second] = 1, -1
    design[:, n], design[:, n + 1] = 1, label
    used, score = design[answered], scores[answered]

    def fitted(spread):
        prior = np.r_[np.full(n, spread**-2.0), np.full(2, NUISANCE_SD**-2.0)]

        def likelihood(at):
            return float(np.sum(score * special.log_expit(used @ at) + (1 - score) * special.log_expit(-used @ at)))

        best = optimize.minimize(lambda at: at @ (prior * at) / 2 - likelihood(at), np.zeros(n + 2), tol=1e-9).x
        chances = special.expit(used @ best)
        varies = chances * (1 - chances)
        spent = np.sum(best[:n] ** 2) / (2 * spread**2) + n * math.log(spread)
        spent += np.linalg.slogdet((used.T * varies) @ used + np.diag(prior))[1] / 2
        return likelihood(best) - spent, spread, best, varies

    found = [fitted(spread) for spread in selection.SPREADS]
    evidence, spread, best, varies = max(found, key=lambda each: each[0])
    gain = evidence - found[0][0]
    for even, needed in ((True, gain + 0.01), (False, gain - 0.01)):
        monkeypatch.setattr(selection, "EVIDENCE_NEEDED", needed)
        belief = selection._believed(pool, scores, answered)
        assert belief.even is even
        expected = np.zeros(n + 2) if even else best
        assert np.r_[belief.strengths, belief.position, belief.label] == pytest.approx(expected, abs=1e-3)
        cells = rows(pool).shape[1] // n
        alike = (1.0 if even else spread**2) * np.ones((cells, cells)) + selection.CELL_SD**2 * np.eye(cells)
        told = (rows(pool)[answered].T * (0.25 if even else varies)) @ rows(pool)[answered]
        assert np.linalg.inv(belief.covariance) == pytest.approx(
            told + np.kron(np.eye(n), np.linalg.inv(alike)), abs=1e-3
        )


def test_gains_are_compared_in_six_digits():
    values = np.array([123456.7, 1.2345649, 1.2345651e-9, 0.0])
    assert selection._rounded(values) == pytest.approx([123457, 1.23456, 1.23457e-9, 0.0], rel=1e-12, abs=0)
