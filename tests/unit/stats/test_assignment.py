"""Balanced assignments: what every draw keeps, and that all ways of drawing are gone through."""

from collections import Counter
from random import Random

import pytest

from pytest_llmpref.stats.assignment import Design


@pytest.mark.parametrize("arms", [2, 3, 5])
def test_every_unit_gets_each_arm_once_in_a_square(arms):
    found = Design(("x",) * 11 + ("y",) * 4, arms, squares=2).draw(Random(1))
    assert len(found) == 2 * arms
    for unit in range(15):
        for square in (found[:arms], found[arms:]):
            assert sorted(drawing[unit] for drawing in square) == list(range(arms))


@pytest.mark.parametrize("seed", range(5))
def test_arms_are_even_in_every_drawing_and_within_each_group(seed):
    groups = ("x",) * 7 + ("y",) * 5 + ("z",) * 2
    for drawing in Design(groups, 3).draw(Random(seed)):
        for chosen in ("xyz", "x", "y", "z"):
            counts = Counter(arm for arm, group in zip(drawing, groups, strict=True) if group in chosen)
            assert max(counts.values()) - min(counts[arm] for arm in range(3)) <= 1


def test_an_assignment_is_a_function_of_the_seed():
    design = Design(("x",) * 12, 3)
    assert design.draw(Random(3)) == design.draw(Random(3)) != design.draw(Random(4))


def test_squares_are_drawn_independently():
    first, second = (Design(("x",) * 12, 2, squares=2).draw(Random(0))[n] for n in (0, 2))
    assert first != second


def test_all_ways_of_drawing_are_gone_through_and_draws_are_among_them():
    design = Design(("x", "x", "y"), 2)
    every = list(design.all())
    assert len(every) == design.courses == 2 * 2 * 2
    drawn = Counter(design.draw(Random(seed)) for seed in range(4000))
    shares = Counter(every)
    assert drawn.keys() == shares.keys()
    for assigned, count in drawn.items():
        assert count / 4000 == pytest.approx(shares[assigned] / len(every), abs=0.03)


@pytest.mark.parametrize("design", [Design(("x",) * 3, 3), Design(("x", "x"), 2, squares=2)])
def test_whatever_can_be_drawn_is_drawn_in_any_number_of_squares(design):
    every = list(design.all())
    assert len(every) == design.courses
    assert {len(assigned) for assigned in every} == {design.drawings}
    assert {design.draw(Random(seed)) for seed in range(300)} == set(every)


def test_arms_are_dealt_from_a_first_one_on():
    """What is drawn by hand: the units in their order, then the second arm of three as the first."""

    class Drawn:
        numbers = iter([0.5, 0.1, 0.2, 0.3, 0.34])

        def random(self):
            return next(self.numbers)

    assert Design(("x",) * 3, 3).draw(Drawn()) == ((1, 2, 0), (2, 0, 1), (0, 1, 2))
