"""The lowest and highest rho that missing answers allow, against every assignment and scipy's rho."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.extremes import MissingAnswers, Side, extremes, rhos


def missing(rng, n, places, base, count=None):
    """Answers of 0 or 1, each of which adds a quarter to the value of its entity."""
    rows = np.zeros((places, n))
    rows[np.arange(places), rng.integers(0, n, places)] = 0.25
    return MissingAnswers(
        ids=tuple(map(str, range(n))),
        count=places if count is None else count,
        levels=[np.array([0.0, 1.0])] * places,
        expected=np.full(places, 0.4),
        values=lambda held: base[:, None] + rows.T @ held,
        spread=lambda _: np.eye(n),
        rows=rows,
        scale="0 or 1",
    )


def by_hand(x, y):
    """Rho under each assignment of both sides' answers."""
    sides = [
        [side.values(np.array(held, dtype=float)[:, None])[:, 0] for held in itertools.product((0, 1), repeat=places)]
        for side, places in ((x, 0 if x.missing is None else len(x.missing.levels)), (y, len(y.missing.levels)))
    ]
    return [stats.spearmanr(one, other).statistic for one in sides[0] for other in sides[1]]


def test_rhos_of_columns_are_scipys():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 4, (9, 3)).astype(float), rng.standard_normal((9, 2))
    x[:, 2] = 1.0
    expected = [[stats.spearmanr(one, other).statistic for other in y.T] for one in x[:, :2].T]
    # Without spread there is no rho, and no warning of a division by 0 either.
    with np.errstate(all="raise"):
        found = rhos(x, y)
    assert found[:2] == pytest.approx(np.array(expected))
    assert np.isnan(found[2]).all()


def test_few_answers_are_gone_through_one_by_one():
    rng = np.random.default_rng(2)
    base, given, at = rng.standard_normal(7), rng.standard_normal(7), np.arange(7)
    x, y = Side(at, given), Side(at, np.zeros(7), missing(rng, 7, 5, base))
    found, every = extremes(x, y), by_hand(x, y)
    assert (found.low.rho, found.high.rho) == pytest.approx((min(every), max(every)))
    assert found.low.rho < found.high.rho
    for end in (found.low, found.high):
        assert stats.spearmanr(end.x, end.y).statistic == pytest.approx(end.rho)
        assert end.x == pytest.approx(given, abs=1e-6)
    assert found.search == "all 32 assignments of 5 missing answers"
    assert (x.assignments, y.assignments) == (1, 32)


def test_answers_may_be_missing_on_both_sides_and_one_is_said_so():
    rng = np.random.default_rng(3)
    at = np.array([5, 0, 1, 3, 2])
    x, y = (Side(at, np.zeros(6), missing(rng, 6, places, rng.standard_normal(6))) for places in (3, 4))
    found, every = extremes(x, y), by_hand(x, y)
    assert (found.low.rho, found.high.rho) == pytest.approx((min(every), max(every)))
    assert found.search == "all 128 assignments of 7 missing answers"
    one = extremes(Side(at, rng.standard_normal(6)), Side(at, np.zeros(6), missing(rng, 6, 1, rng.standard_normal(6))))
    assert one.search == "all 2 assignments of 1 missing answer"


@pytest.mark.parametrize("seed", range(4))
def test_a_search_finds_what_all_assignments_show(seed):
    """11 answers are 2,048 assignments, and no more than 1,024 are all tried."""
    rng = np.random.default_rng(seed)
    base, given, at = rng.standard_normal(8), rng.standard_normal(8), np.arange(8)
    x = Side(at, given)
    few = missing(rng, 8, 11, base)
    held = np.array(list(itertools.product((0.0, 1.0), repeat=11))).T
    every = rhos(given[:, None], np.round(few.values(held), 6))[0]
    found = extremes(x, Side(at, np.zeros(8), few))
    assert found.search == "greedy search over 11 missing answers"
    assert found.low.rho == pytest.approx(min(every), abs=0.03)
    assert found.high.rho == pytest.approx(max(every), abs=0.03)
    assert found.low.rho >= min(every) - 1e-9
    assert found.high.rho <= max(every) + 1e-9
    # And with the sides exchanged.
    other = extremes(Side(at, np.zeros(8), few), x)
    assert (other.low.rho, other.high.rho) == pytest.approx((found.low.rho, found.high.rho), abs=0.03)


def test_without_spread_or_with_three_entities_there_is_no_rho():
    rng = np.random.default_rng(4)
    at = np.arange(6)
    flat = Side(at, np.ones(6))
    assert extremes(flat, Side(at, np.zeros(6), missing(rng, 6, 3, rng.standard_normal(6)))) is None
    assert extremes(flat, Side(at, np.zeros(6), missing(rng, 6, 30, rng.standard_normal(6)))) is None
    few = Side(np.arange(3), rng.standard_normal(6))
    assert extremes(few, Side(np.arange(3), np.zeros(6), missing(rng, 6, 3, rng.standard_normal(6)))) is None


def test_levels_are_chosen_by_what_is_wanted_and_by_the_way():
    held = missing(np.random.default_rng(5), 4, 3, np.zeros(4))
    assert held.nearest(np.array([0.2, 0.9, -3.0])).tolist() == [0.0, 1.0, 0.0]
    assert held.towards(np.array([1.0, -1.0, 0.0]), np.array([0.5, 0.5, 0.5])).tolist() == [1.0, 0.0, 0.5]
    assert held.assignments == 8
    assert held.every.shape == (4, 8)
    assert not math.isnan(held.every.sum())
    with pytest.raises(ValueError, match="zip"):
        held.nearest(np.array([0.2, 0.9]))
