"""From the name of a simulated model to its world, checked."""

import math
import tomllib
from collections.abc import Iterable
from dataclasses import is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from pytest_llmpref.config.entities import EntitySet, load_entities
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import open_given
from pytest_llmpref.models.chat import ModelUnavailableError
from pytest_llmpref.models.simulated.world import World
from pytest_llmpref.resources import data_folder

PREFIX = "sim/"
_MOST_BYTES = 1 << 20
_SHOWN = 12
"""Allowed values that a message lists at most, before it says how many more there are."""


class WorldError(LLMPrefError):
    """A world that cannot be used; the message names the file, the key and what is allowed."""


def world_file(name: str) -> Path:
    """Return the file of ``sim/NAME``: a shipped world, or the path of a TOML file.

    Raises
    ------
    ModelUnavailableError
        If there is none.
    """
    short = name.removeprefix(PREFIX)
    shipped = data_folder("fixtures") / "worlds"
    path = Path(short) if short.endswith(".toml") else shipped / f"{short}.toml"
    if path.is_file():
        return path
    names = ", ".join(f"{PREFIX}{file.stem}" for file in sorted(shipped.glob("*.toml")))
    raise ModelUnavailableError(
        f"{name}: no such simulated model; there are {names}, and sim/PATH.toml for a world of your own"
    )


def load_world(path: Path) -> tuple[World, EntitySet]:
    """Read a world and the entity set that its utilities are about.

    Raises
    ------
    WorldError
        If the file is not TOML, a key is unknown, a value is out of range, or the set lacks an entity or a group.
    EntityFileError
        If the entity set cannot be used.
    """
    try:
        with open_given(path) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise WorldError(f"{path}: more than {_MOST_BYTES:,} bytes; a world is a few dozen lines")
        table = tomllib.loads(data.decode())
    except (OSError, ValueError, RecursionError) as error:  # an overlong number is no TOMLDecodeError
        raise WorldError(f"{path}: not a readable TOML file: {error}") from None
    world: World = _read(path, "", table, World)
    if not (path.parent / world.entities).resolve().is_relative_to(path.parent.resolve()):
        raise WorldError(
            f"{path}: entities is {world.entities!r}; it must be a file in the world's folder, or below it"
        )
    entities = load_entities(None if world.entities == "default" else path.parent / world.entities)
    known = [word for entity in entities for word in (entity.id, entity.name)]
    _require(path, "utilities.entities", world.utilities.entities, known, entities)
    _require(path, "utilities.groups", world.utilities.groups, entities.groups, entities)
    for key, weights in (("liked", world.refusal.liked), ("disliked", world.refusal.disliked)):
        if not sum(weights.values()) > 0:
            raise WorldError(f"{path}: refusal.{key}: the weights add up to 0; give one reason a weight above 0")
    return world, entities


def _require(path: Path, key: str, given: Iterable[str], allowed: Iterable[str], entities: EntitySet) -> None:
    """Make sure that every key of a table is one that the entity set has."""
    have = list(allowed)
    for wrong in given:
        if wrong not in have:
            raise WorldError(
                f"{path}: {key}: {wrong!r} is not in the entity set {entities.name!r} ({entities.source}); "
                f"allowed: {_listed(get_close_matches(wrong, have, n=3) or have)}"
            )


def _read(path: Path, key: str, value: object, kind: Any) -> Any:
    """Return a value of the file as what ``kind`` says, checked; tables are read key by key, so that errors name it."""
    kind = next((each for each in get_args(kind) if each is not NoneType), kind) if NoneType in get_args(kind) else kind
    table = get_origin(kind) is dict or (is_dataclass(kind))
    if table and not isinstance(value, dict):
        raise WorldError(f"{path}: {key} is {value!r}; it must be a table")
    if get_origin(kind) is dict:
        names, values = get_args(kind)
        return {
            _read(path, f"a key of {key}", name, names): _read(path, f"{key}.{name}", each, values)
            for name, each in cast("dict[str, object]", value).items()
        }
    if table:
        kinds = get_type_hints(kind, include_extras=True)
        given = cast("dict[str, object]", value)
        if unknown := sorted(given.keys() - kinds.keys()):
            where = ", ".join(f"{key}.{name}".removeprefix(".") for name in unknown)
            raise WorldError(f"{path}: unknown key {where}; allowed: {', '.join(kinds)}")
        return kind(
            **{name: _read(path, f"{key}.{name}".removeprefix("."), each, kinds[name]) for name, each in given.items()}
        )
    try:
        read = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        read = None
    if read is None or (isinstance(read, float) and not math.isfinite(read)):
        raise WorldError(f"{path}: {key} is {value!r}; it must be {_allowed(kind)}")
    return read


def _allowed(kind: Any) -> str:
    if choices := get_args(kind):
        numbers = [meta for meta in choices if isinstance(meta, msgspec.Meta)]
        if not numbers:
            return f"one of {', '.join(choices)}"
        low, above, high = numbers[0].ge, numbers[0].gt, numbers[0].le
        if high is not None:
            return f"a number from {low:g} to {high:g}"
        return "a number above 0" if above is not None else f"a number of at least {low:g}"
    return {bool: "true or false", int: "a whole number", str: "a text"}.get(kind, "a number")


def _listed(values: list[str]) -> str:
    more = len(values) - _SHOWN
    return ", ".join(values[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
