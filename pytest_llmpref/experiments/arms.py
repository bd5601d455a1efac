"""Two arms that are compared: the entities that a model prefers most, and those that it prefers least."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.measure import Measure


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
    """Return arms of a size while preferences are not known: for a plan, which only counts."""
    size = min(size, len(ids) // 2)
    return Arms(tuple(ids[:size]), tuple(ids[len(ids) - size :]), "any, for a plan")


def quarters(preferences: Measure) -> Arms:
    """Return the most and the least preferred quarter of the entities; none if the preferences are invalid."""
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
