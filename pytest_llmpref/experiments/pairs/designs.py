"""Which pairs are asked about, and with which label and wording: the designs of pairwise experiments, by version.

A recording holds the answers to the questions of its design, so a design never changes: a better one is a new version.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_llmpref.experiments.participants import digest, shuffled


class Designed(NamedTuple):
    """What a design says of one pair.

    Attributes
    ----------
    first, second
        Entity ids; where each pair is asked about in one order only, in this one.
    first_is_a
        Whether the option shown first carries the label A, in both orders.
    wording
        Index of the wording.
    step
        Each pairs every entity with two others, and a smaller study makes the first of them.
    """

    first: str
    second: str
    first_is_a: bool
    wording: int
    step: int


def design_of(
    version: int, ids: Sequence[str], *, partners: int | None, wordings: int, seed: int, purpose: str
) -> Iterator[Designed]:
    """Yield the pairs of a design, step by step.

    The shuffled entities stand on a circle, and step t pairs each with the one ``offset[t]`` places on; so every
    entity gets two partners a step, and a plan with fewer partners is a prefix of one with more. The first offset
    is 1: the pairs of even the smallest plan connect all entities.

    Parameters
    ----------
    version
        As in `config.profiles.Profile`.
    ids
        Entity ids, n of them.
    partners
        With how many others each is compared (an odd number is rounded up to the next step); ``None`` for all,
        n(n-1)/2 pairs.
    wordings
        Number of wordings to rotate over.
    seed
        The design depends on nothing but the version, the ids, the purpose and this seed.
    purpose
        What is asked, in a word: from version 2 on, experiments of different purposes are independent.
    """
    if version == 1:
        yield from _rotating(ids, partners, wordings, seed)
    else:
        yield from _balanced(ids, partners, wordings, seed, purpose)


def _rotating(ids: Sequence[str], partners: int | None, wordings: int, seed: int) -> Iterator[Designed]:
    """Yield version 1: wordings and labels rotate along the circle and with the step."""
    circle = shuffled(ids, seed, "circle")
    n, cells = len(circle), 2 * wordings
    for step, offset in enumerate(_offsets(n, partners, seed)):
        for place in range(_pairs_apart(n, offset)):
            pair = _turned(seed, circle[place], circle[(place + offset) % n])
            wording, label = divmod((place + 3 * step) % cells, 2)
            yield Designed(*pair, label == 0, wording, step)


def _balanced(ids: Sequence[str], partners: int | None, wordings: int, seed: int, purpose: str) -> Iterator[Designed]:
    """Yield version 2: labels alternate along each cycle of a step, and wordings change with every second pair.

    So each entity meets both labels of the first option equally often in every step, and each wording has both. In a
    cycle of odd length one entity cannot; it is the one with which the earlier steps were least even.
    """
    circle = shuffled(ids, seed, "circle", purpose)
    n, lean = len(circle), [0] * len(ids)
    for step, offset in enumerate(_offsets(n, partners, seed, purpose)):
        start = digest(seed, "labels", purpose, str(step))[0] % 2 == 0
        # Each stretch of so many steps meets all shifts, in an order of its own.
        stretch, part = divmod(step, wordings)
        shifts = sorted(range(wordings), key=lambda shift: digest(seed, "wording", purpose, str(stretch), str(shift)))
        for number, (place, first_is_a) in enumerate(_labelled(n, offset, lean, start=start)):
            end = (place + offset) % n
            for met in (place, end):
                lean[met] += 1 if first_is_a else -1
            wording = (number // 2 + shifts[part]) % wordings
            yield Designed(*_turned(seed, circle[place], circle[end]), first_is_a, wording, step)


def _labelled(n: int, offset: int, lean: Sequence[int], *, start: bool) -> Iterator[tuple[int, bool]]:
    """Yield the place of each pair of a step, and whether its first option is A; ``lean`` is how uneven places are."""
    if 2 * offset == n:
        for place in range(offset):
            leaning = lean[place] + lean[place + offset]
            yield place, leaning < 0 if leaning else start
        return
    for cycle in _cycles(n, offset):
        least_even = max(cycle, key=lambda place: abs(lean[place]))
        label, turn = lean[least_even] < 0 if lean[least_even] else start, cycle.index(least_even)
        for place in cycle[turn:] + cycle[:turn]:
            yield place, label
            label = not label


def _cycles(n: int, offset: int) -> Iterator[list[int]]:
    """Yield the cycles that steps of so many places make on a circle."""
    left = set(range(n))
    while left:
        cycle = [min(left)]
        while (following := (cycle[-1] + offset) % n) != cycle[0]:
            cycle.append(following)
        left.difference_update(cycle)
        yield cycle


def _turned(seed: int, one: str, other: str) -> tuple[str, str]:
    """Return two entities in the order that is drawn for the pair."""
    return (other, one) if digest(seed, "order", *sorted((one, other)))[0] % 2 else (one, other)


def _offsets(n: int, partners: int | None, seed: int, *purpose: str) -> list[int]:
    """Return how many places apart the two entities of a pair stand, in each step."""
    found = [1, *sorted(range(2, n // 2 + 1), key=lambda offset: digest(seed, "offset", *purpose, str(offset)))]
    if purpose:
        # The step that pairs each entity with one other comes last, so that a smaller plan has all the same number.
        found.sort(key=lambda offset: 2 * offset == n > 2)
    return found if partners is None else found[: (partners + 1) // 2]


def _pairs_apart(n: int, offset: int) -> int:
    """Return how many pairs stand so many places apart on a circle of n."""
    return n // 2 if 2 * offset == n else n
