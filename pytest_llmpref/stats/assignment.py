"""Which entity gets which treatment: balanced assignments, drawn at random; without numpy, since plans draw them.

A Latin square gives every entity each arm once, in as many drawings as there are arms (Fisher 1935). So what an entity
is like by itself cancels out of every comparison of arms.

References
----------
Fisher 1935
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from random import Random

Assigned = tuple[tuple[int, ...], ...]
"""For each drawing, the number of the arm of each unit."""


@dataclass(frozen=True)
class Design:
    """The mechanism that assigns arms; an assignment is one draw from it.

    In each square, the groups stand in a random order and the units of each in a random order too. Along them a first
    arm is dealt in turn, from a random one on. In the next drawing of the square each unit has the next arm. So arms
    are as even as can be in every drawing, over all units and within each group.

    Attributes
    ----------
    groups
        Group of each unit.
    arms
        Number of arms.
    squares
        How many squares are drawn, one after the other.

    Examples
    --------
    >>> from random import Random
    >>> from pytest_llmpref.stats.assignment import Design
    >>> found = Design(("a", "a", "b", "b"), arms=2).draw(Random(0))
    >>> len(found), [sorted(drawing) for drawing in found], [sorted(arms) for arms in zip(*found)]
    (2, [[0, 0, 1, 1], [0, 0, 1, 1]], [[0, 1], [0, 1], [0, 1], [0, 1]])
    """

    groups: tuple[str, ...]
    arms: int
    squares: int = 1

    @property
    def drawings(self) -> int:
        """Number of drawings."""
        return self.arms * self.squares

    def draw(self, random: Random) -> Assigned:
        """Return one assignment.

        Parameters
        ----------
        random
            Where chance comes from: the assignment depends on nothing else.
        """
        return tuple(drawing for _ in range(self.squares) for drawing in self._square(*self._chances(random)))

    @property
    def courses(self) -> int:
        """How many ways of drawing there are, all equally likely; several may give one assignment."""
        of_square = self.arms * math.factorial(len(self._members))
        of_square *= math.prod(math.factorial(len(members)) for members in self._members.values())
        return int(of_square**self.squares)

    def all(self) -> Iterator[Assigned]:
        """Yield the assignment of every way of drawing."""
        orders = [
            [unit for members in course for unit in members]
            for groups in permutations(self._members.values())
            for course in product(*(permutations(members) for members in groups))
        ]
        squares = [self._square(order, first) for order in orders for first in range(self.arms)]
        for chosen in product(squares, repeat=self.squares):
            yield tuple(drawing for square in chosen for drawing in square)

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        members: dict[str, list[int]] = {}
        for unit, group in enumerate(self.groups):
            members.setdefault(group, []).append(unit)
        return members

    def _chances(self, random: Random) -> tuple[list[int], int]:
        """Return an order of the units, and the arm that the first of them starts with."""
        groups = sorted(self._members.values(), key=lambda _: random.random())
        order = [unit for members in groups for unit in sorted(members, key=lambda _: random.random())]
        return order, int(random.random() * self.arms)

    def _square(self, order: Sequence[int], first: int) -> list[tuple[int, ...]]:
        start = [0] * len(order)
        for place, unit in enumerate(order):
            start[unit] = (place + first) % self.arms
        return [tuple((arm + drawing) % self.arms for arm in start) for drawing in range(self.arms)]
