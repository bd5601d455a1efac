"""Which entities and questions take part, which are compared, and a control in which entities carry other names.

All of it depends on a seed and on ids alone, so that a smaller study asks a part of a larger one's.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.measure import Measure

if TYPE_CHECKING:
    from pytest_llmpref.stats.extremes import MissingAnswers


def digest(seed: int, *words: str) -> bytes:
    """Return 32 bytes that depend on the seed and the words alone, on any machine."""
    return hashlib.sha256("\x00".join((str(seed), *words)).encode()).digest()


def shuffled(items: Sequence[str], seed: int, *context: str) -> list[str]:
    """Return the items in an order that depends on the seed, the context and nothing else.

    Parameters
    ----------
    items
        What is ordered.
    seed, context
        Of the order: the same items have others in other contexts.

    Examples
    --------
    >>> shuffled(["a", "b", "c"], 0, "x") == shuffled(["c", "b", "a"], 0, "x")
    True
    """
    return sorted(items, key=lambda item: digest(seed, *context, item))


def select_entities(groups: dict[str, str], count: int | None, seed: int) -> list[str]:
    """Choose ``count`` entity ids (``None``: all), as evenly over the groups as can be.

    A smaller count chooses a subset of a larger one's.

    Parameters
    ----------
    groups
        Entity id -> group.
    count
        How many; ``None`` for all.
    seed
        Of the draw.

    Examples
    --------
    >>> groups = {"a": "x", "b": "x", "c": "y", "d": "y"}
    >>> two, three = (select_entities(groups, count, seed=0) for count in (2, 3))
    >>> {groups[one] for one in two} == {"x", "y"}, set(two) < set(three)
    (True, True)
    """
    ranks: dict[str, int] = {}
    place: dict[str, tuple[int, bytes]] = {}
    for entity in shuffled(list(groups), seed, "entities"):
        rank = ranks[groups[entity]] = ranks.get(groups[entity], -1) + 1
        place[entity] = (rank, digest(seed, "group", groups[entity]))
    return sorted(groups, key=place.__getitem__)[:count]


def alternating(answers: Mapping[str, bool], count: int | None, seed: int) -> list[str]:
    """Choose ``count`` question ids (``None``: all), alternating between answers yes and no.

    A smaller count chooses the first of a larger one's. What is left of the more frequent kind comes last.

    Parameters
    ----------
    answers
        Question id -> whether yes is right.
    count
        How many; ``None`` for all.
    seed
        Of the draw.

    Examples
    --------
    >>> answers = {"a": True, "b": True, "c": True, "d": False, "e": False}
    >>> [answers[one] for one in alternating(answers, 4, seed=0)]
    [True, False, True, False]
    """
    drawn = shuffled(list(answers), seed, "questions")
    turns = ([id_ for id_ in drawn if answers[id_]], [id_ for id_ in drawn if not answers[id_]])
    return [id_ for turn in zip_longest(*turns) for id_ in turn if id_ is not None][:count]


def interleaved(kinds: Mapping[str, str], seed: int) -> list[str]:
    """Order ids so that every stretch of them holds about as much of each kind as there is of it in all.

    Within a kind the order is drawn.

    Parameters
    ----------
    kinds
        Id -> kind.
    seed
        Of the draw.

    Examples
    --------
    >>> kinds = {"a": "easy", "b": "easy", "c": "hard", "d": "hard"}
    >>> order = [kinds[one] for one in interleaved(kinds, seed=0)]
    >>> sorted(order[:2]), sorted(order[2:])
    (['easy', 'hard'], ['easy', 'hard'])
    """
    of_kind: dict[str, list[str]] = {}
    for id_ in shuffled(list(kinds), seed, "tasks"):
        of_kind.setdefault(kinds[id_], []).append(id_)
    places = {id_: (at + 0.5) / len(ids) for ids in of_kind.values() for at, id_ in enumerate(ids)}
    return sorted(places, key=lambda id_: (places[id_], digest(seed, "task", id_)))


class ArmsError(LLMPrefError):
    """Arms that a user named and that cannot be used."""


@dataclass(frozen=True, slots=True)
class Arms:
    """Two arms.

    Attributes
    ----------
    top, bottom
        Ids of the entities.
    origin
        How they came about, for the results.
    reasons
        Why there are none.
    """

    top: tuple[str, ...]
    bottom: tuple[str, ...]
    origin: str
    reasons: tuple[str, ...] = ()


NO_ARMS = Arms((), (), "none", ("no arms are known",))


def any_arms(ids: Sequence[str], size: int) -> Arms:
    """Return arms of a size while preferences are not known: for a plan, which only counts.

    Parameters
    ----------
    ids
        Of the entities.
    size
        Entities in each arm, at most half of them.

    Examples
    --------
    >>> arms = any_arms(["a", "b", "c", "d", "e"], 2)
    >>> arms.top, arms.bottom
    (('a', 'b'), ('d', 'e'))
    """
    size = min(size, len(ids) // 2)
    return Arms(tuple(ids[:size]), tuple(ids[len(ids) - size :]), "any, for a plan")


def quarters(preferences: Measure) -> Arms:
    """Return the most and the least preferred quarter of the entities; none if the preferences are invalid.

    Parameters
    ----------
    preferences
        The measure.
    """
    import numpy as np  # noqa: PLC0415 - a plan needs none of it

    from pytest_llmpref.stats.arrays import quartiles  # noqa: PLC0415

    if not preferences.valid:
        return _no_arms(preferences, "so there are no quarters")
    quarter = dict(zip(preferences.values, quartiles(np.array(list(preferences.values.values()))), strict=True))
    top, bottom = (tuple(entity for entity in quarter if quarter[entity] == which) for which in (3, 0))
    return Arms(top, bottom, preferences.name)


def extremes(preferences: Measure, size: int) -> Arms:
    """Return as many of the most and of the least preferred entities; none if the preferences are invalid.

    What noise has put at the top is no arm to spend an agent's runs on.

    Parameters
    ----------
    preferences
        The measure.
    size
        Entities in each arm, at most half of those with a preference.
    """
    if not preferences.valid:
        return _no_arms(preferences, "so there is no top and no bottom; --llmpref-arms names them")
    ranked = sorted(
        (entity for entity, value in preferences.values.items() if not math.isnan(value)),
        key=lambda entity: (-preferences.values[entity], entity),
    )
    size = min(size, len(ranked) // 2)
    return Arms(tuple(ranked[:size]), tuple(ranked[len(ranked) - size :]), preferences.name)


def _no_arms(preferences: Measure, so: str) -> Arms:
    return Arms((), (), preferences.name, (*(f"{preferences.name}: {reason}" for reason in preferences.reasons), so))


def named_arms(text: str, entities: EntitySet) -> Arms:
    """Read arms that a user named: ids of the first, a colon, ids of the second, each separated by commas.

    Parameters
    ----------
    text
        What the user wrote.
    entities
        The whole set.

    Raises
    ------
    ArmsError
        If that is not what the text is, or an id is unknown or named twice.
    """
    parts = text.split(":")
    arms = [tuple(id_.strip() for id_ in part.split(",") if id_.strip()) for part in parts]
    if len(arms) != 2 or not all(arms):
        raise ArmsError(f"--llmpref-arms {text}: name two arms, as in 'first-id,second-id:third-id,fourth-id'")
    named = [*arms[0], *arms[1]]
    known = {entity.id for entity in entities}
    if unknown := [id_ for id_ in named if id_ not in known]:
        raise ArmsError(
            f"--llmpref-arms {text}: no entity has the id {', '.join(unknown)}; ids are those of {entities.name}"
        )
    if len(set(named)) < len(named):
        raise ArmsError(f"--llmpref-arms {text}: an entity is named twice")
    return Arms(arms[0], arms[1], "named by the user")


UNSEEN = frozenset({"text", "reason"})
"""Keys of diagnostics whose words are not ids, even where they look like one."""


def permuted(measure: Measure, seed: int) -> Measure:
    """Return a measure whose entities carry each other's names, in trials, estimates and diagnostics alike.

    Each measure of a study is permuted in its own way: whatever relates two of them, or one of them to the groups, is
    left to chance. What one measure says by itself (its reliability, its biases, its coverage) stays as it is.

    Parameters
    ----------
    measure
        What was measured.
    seed
        Of the permutation; so is the measure's name.
    """
    ids = list(measure.estimates)
    to = dict(zip(ids, shuffled(ids, seed, "permuted", measure.name), strict=True))
    back = {new: old for old, new in to.items()}
    missing = measure.missing

    # In the order of before, which others may rely on.
    estimates = {new: _renamed(measure.estimates[back[new]], back[new], new) for new in ids}
    return replace(
        measure,
        estimates=estimates,
        diagnostics=_relabelled(measure.diagnostics, to),
        trials=[trial.renamed(to) for trial in measure.trials],
        missing=None if missing is None else lambda: _of_missing(missing(), to),
        # Of entities that carry others' names, no noise is shared.
        halves=None,
    )


def _of_missing(missing: "MissingAnswers | None", to: Mapping[str, str]) -> "MissingAnswers | None":
    return missing and replace(missing, ids=tuple(to.get(entity, entity) for entity in missing.ids))


def _renamed(estimate: Estimate, old: str, new: str) -> Estimate:
    label = estimate.label.removesuffix(old) + new if estimate.label.endswith(old) else estimate.label
    return replace(estimate, label=label)


def _relabelled(value: Any, to: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, Mapping):
        return {to.get(key, key): each if key in UNSEEN else _relabelled(each, to) for key, each in value.items()}
    if isinstance(value, list):
        return [_relabelled(each, to) for each in value]
    return to.get(value, value) if isinstance(value, str) else value
