"""Draws that depend on a seed and on ids alone: orders and subsets; a smaller study asks a part of a larger one's."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import zip_longest


def digest(seed: int, *words: str) -> bytes:
    """Return 32 bytes that depend on the seed and the words alone, on any machine."""
    return hashlib.sha256("\x00".join((str(seed), *words)).encode()).digest()


def shuffled(items: Sequence[str], seed: int, *context: str) -> list[str]:
    """Return the items in an order that depends on the seed, the context and nothing else."""
    return sorted(items, key=lambda item: digest(seed, *context, item))


def select_entities(groups: dict[str, str], count: int | None, seed: int) -> list[str]:
    """Choose ``count`` entity ids (``None``: all), as evenly over the groups as can be.

    ``groups`` maps an entity id to its group. A smaller count chooses a subset of a larger one's.
    """
    ranks: dict[str, int] = {}
    place: dict[str, tuple[int, bytes]] = {}
    for entity in shuffled(list(groups), seed, "entities"):
        rank = ranks[groups[entity]] = ranks.get(groups[entity], -1) + 1
        place[entity] = (rank, digest(seed, "group", groups[entity]))
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
    return sorted(places, key=lambda id_: (places[id_], digest(seed, "task", id_)))
