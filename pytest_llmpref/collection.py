"""Which tests measure which models and entities, and which claims form a family."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from pytest_llmpref import fixtures

NO_MODEL = "no-model"
"""Stands for the model where none was named, so that the run can say so instead of skipping its tests."""


def parametrize(
    metafunc: pytest.Metafunc, models: Callable[[], Sequence[str]], entities: Callable[[], Sequence[Any]]
) -> None:
    """Parametrize a test that uses our ``model`` or ``entity``; a fixture or parameter of the user's own is let be."""
    if _is_ours(metafunc, "model"):
        metafunc.parametrize("model", models() or [NO_MODEL], indirect=True, scope="session", ids=str)
    if _is_ours(metafunc, "entity"):
        metafunc.parametrize("entity", entities(), indirect=True, ids=lambda entity: str(entity.id))


def _is_ours(metafunc: pytest.Metafunc, name: str) -> bool:
    if name not in metafunc.fixturenames:
        return False
    for mark in metafunc.definition.iter_markers("parametrize"):
        argnames = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if name in (argnames.replace(" ", "").split(",") if isinstance(argnames, str) else argnames):
            return False
    # pytest tells nowhere in public which definition of a fixture a test gets.
    definitions = metafunc.definition._fixtureinfo.name2fixturedefs.get(name, ())  # noqa: SLF001
    return bool(definitions) and definitions[-1].func.__module__ == fixtures.__name__


def parameters(item: pytest.Item) -> dict[str, Any]:
    """Return the parameters of a test; empty for one that has none."""
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else dict(callspec.params)


def model_of(item: pytest.Item) -> str | None:
    """Return the model that a test measures; ``None`` for a test that measures none."""
    return str(parameters(item)["model"]) if "study" in getattr(item, "fixturenames", ()) else None


def measures_needed(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    """Return the measures that tests ask for, by model."""
    needed: dict[str, dict[str, None]] = {}
    for item in items:
        if (model := model_of(item)) is not None:
            names = getattr(item, "fixturenames", ())
            needed.setdefault(model, {}).update(
                dict.fromkeys(measure for fixture, measure in fixtures.MEASURES.items() if fixture in names)
            )
    return {model: list(measures) for model, measures in needed.items()}


def described(item: pytest.Item) -> dict[str, Any]:
    """Return what results.json says of a test that makes claims."""
    names = getattr(item, "fixturenames", ())
    entity = parameters(item).get("entity")
    docstring = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
    return {
        "model": model_of(item) or "",
        "nodeid": item.nodeid,
        "line": (item.location[1] or 0) + 1,
        "says": " ".join(docstring.split("\n\n")[0].split()),
        "entity": None if entity is None else entity.id,
        "measures": [measure for fixture, measure in fixtures.MEASURES.items() if fixture in names],
        "gate": item.get_closest_marker("gate") is not None,
        "exploratory": item.get_closest_marker("exploratory") is not None,
    }


def family_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the family of a test's claim.

    Claims of one model belong together if one test function makes them for each entity, or if they are about the
    model as a whole and stand in one file.
    """
    file = item.nodeid.split("::")[0]
    function = getattr(item, "originalname", item.name) if "entity" in parameters(item) else ""
    return (model_of(item) or "", file, function)


def family_sizes(items: Iterable[pytest.Item]) -> Counter[tuple[str, ...]]:
    """Count the claims of each family. Exploratory ones belong to none."""
    return Counter(
        family_of(item)
        for item in items
        if model_of(item) is not None and item.get_closest_marker("exploratory") is None
    )
