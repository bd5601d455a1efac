"""Which pairs are asked, in which order, with which wording and labels: a pure function of ids and seed."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

Pair = frozenset[str]
"""Two entity ids, whichever is shown first."""


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """One question about an ordered pair.

    Attributes
    ----------
    first, second
        Entity ids in the order in which they are shown.
    first_is_a
        Whether the option shown first carries the label A (else B): labels are crossed with position.
    wording
        Index of the wording, below the number of wordings of the experiment's prompts.
    repetition
        Index of the sample, from 0.
    """

    first: str
    second: str
    first_is_a: bool
    wording: int
    repetition: int

    @property
    def pair(self) -> Pair:
        """The two entities, in no order."""
        return frozenset({self.first, self.second})


def _digest(seed: int, *words: str) -> bytes:
    return hashlib.sha256("\x00".join((str(seed), *words)).encode()).digest()


def shuffled(items: Sequence[str], seed: int, *context: str) -> list[str]:
    """Return the items in an order that depends on the seed, the context and nothing else."""
    return sorted(items, key=lambda item: _digest(seed, *context, item))


def select_entities(groups: dict[str, str], count: int | None, seed: int) -> list[str]:
    """Choose ``count`` entity ids (``None``: all), as evenly over the groups as can be.

    ``groups`` maps an entity id to its group. A smaller count chooses a subset of a larger one's.
    """
    ranks: dict[str, int] = {}
    place: dict[str, tuple[int, bytes]] = {}
    for entity in shuffled(list(groups), seed, "entities"):
        rank = ranks[groups[entity]] = ranks.get(groups[entity], -1) + 1
        place[entity] = (rank, _digest(seed, "group", groups[entity]))
    return sorted(groups, key=place.__getitem__)[:count]


def alternating(answers: Mapping[str, bool], count: int | None, seed: int) -> list[str]:
    """Choose ``count`` question ids (``None``: all), by turns of those whose answer is yes and of those where it is no.

    ``answers`` maps an id to whether yes is right. A smaller count chooses the first of a larger one's; what is left of
    the more frequent kind comes last.
    """
    drawn = shuffled(list(answers), seed, "questions")
    turns = ([id_ for id_ in drawn if answers[id_]], [id_ for id_ in drawn if not answers[id_]])
    return [id_ for turn in zip_longest(*turns) for id_ in turn if id_ is not None][:count]


def interleaved(kinds: Mapping[str, str], seed: int) -> list[str]:
    """Order ids so that every stretch of them holds about as much of each kind as there is of it in all.

    ``kinds`` maps an id to its kind. Within a kind the order is drawn.
    """
    of_kind: dict[str, list[str]] = {}
    for id_ in shuffled(list(kinds), seed, "tasks"):
        of_kind.setdefault(kinds[id_], []).append(id_)
    places = {id_: (at + 0.5) / len(ids) for ids in of_kind.values() for at, id_ in enumerate(ids)}
    return sorted(places, key=lambda id_: (places[id_], _digest(seed, "task", id_)))


def pair_questions(
    ids: Sequence[str], *, partners: int | None, orders: int, repetitions: int, wordings: int, seed: int
) -> Iterator[PairQuestion]:
    """Plan the questions of a pairwise experiment.

    The shuffled entities stand on a circle, and step t pairs each with the one ``offset[t]`` places on; so every
    entity gets two partners a step, and a plan with fewer partners is a prefix of one with more. The first offset
    is 1: the pairs of even the smallest plan connect all entities. Wordings and label letters rotate along the
    circle and with the step, so that each is met about as often with every entity and in every step; both orders of
    a pair share wording and labels, which leaves position as their only difference.

    Parameters
    ----------
    ids
        Entity ids, n of them.
    partners
        With how many others each is compared (an odd number is rounded up to the next step); ``None`` for all,
        n(n-1)/2 pairs.
    orders
        2 asks each pair in both orders, 1 in one that is drawn for the pair.
    repetitions, wordings
        Samples of each question; number of wordings to rotate over.
    seed
        The design depends on nothing but the ids and this seed.
    """
    circle = shuffled(ids, seed, "circle")
    n = len(circle)
    cells = 2 * wordings
    for step, offset in enumerate(_offsets(n, partners, seed)):
        for place in range(_pairs_apart(n, offset)):
            pair = (circle[place], circle[(place + offset) % n])
            if _digest(seed, "order", *sorted(pair))[0] % 2:
                pair = pair[::-1]
            wording, label = divmod((place + 3 * step) % cells, 2)
            for first, second in (pair, pair[::-1])[:orders]:
                for repetition in range(repetitions):
                    yield PairQuestion(first, second, label == 0, wording, repetition)


def pairs_by_step(n: int, *, partners: int | None, seed: int) -> list[int]:
    """Return how many pairs each step of `pair_questions` asks about, of n entities."""
    return [_pairs_apart(n, offset) for offset in _offsets(n, partners, seed)]


def _offsets(n: int, partners: int | None, seed: int) -> list[int]:
    """Return how many places apart the two entities of a pair stand, in each step."""
    offsets = [1, *sorted(range(2, n // 2 + 1), key=lambda offset: _digest(seed, "offset", str(offset)))]
    return offsets if partners is None else offsets[: (partners + 1) // 2]


def _pairs_apart(n: int, offset: int) -> int:
    """Return how many pairs stand so many places apart on a circle of n."""
    return n // 2 if 2 * offset == n else n
