"""What packages add to a run, ours among them, checked: models, entity sets and behaviours, each by its name."""

import keyword
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.behaviour import Behaviour
from pytest_llmpref.experiments.registry import SHIPPED, register

if TYPE_CHECKING:
    from pytest_llmpref.models.chat import ChatModel


HOOKS = ("models", "entity_sets", "behaviours")
"""Ends of our hooks' names."""
KINDS = ("sim", "local")
"""Prefixes of models that are shipped."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """What packages add.

    Attributes
    ----------
    models
        First word of a model's name, before the slash -> what makes the model, given its whole name.
    entity_sets
        Name -> file.
    behaviours
        Every behaviour, the shipped ones first.
    """

    models: Mapping[str, "Callable[[str], ChatModel]"] = field(default_factory=dict)
    entity_sets: Mapping[str, Path] = field(default_factory=dict)
    behaviours: tuple[Behaviour, ...] = ()


NOTHING = Extensions()
"""Where no other package adds anything."""


def gathered_extensions(hook: Any, *, taken: Collection[str]) -> Extensions:  # noqa: ANN401 - pluggy makes its methods
    """Call every implementation of our hooks, and put together what they return, as `checked_extensions` does."""
    for name, caller in vars(hook).items():
        if name.startswith("pytest_llmpref_") and not caller.has_spec():
            known = ", ".join(f"pytest_llmpref_{one}" for one in HOOKS)
            files = ", ".join(sorted({_file_of(impl.function) for impl in caller.get_hookimpls()}))
            raise ExtensionError(f"{name}: no such hook ({files}); use one of {known}")
    returned = (_called(f"pytest_llmpref_{name}", getattr(hook, f"pytest_llmpref_{name}")) for name in HOOKS)
    return checked_extensions(*returned, taken=taken)


def _called(name: str, caller: Callable[[], list[object]]) -> list[object]:
    try:
        return caller()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise ExtensionError(f"{name}: {type(error).__name__}: {error} ({last.filename}:{last.lineno})") from error


def _file_of(function: object) -> str:
    code = getattr(function, "__code__", None)
    return "?" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def checked_extensions(
    models: Iterable[object], entity_sets: Iterable[object], behaviours: Iterable[object], *, taken: Collection[str]
) -> Extensions:
    """Put together what the implementations of each hook returned.

    ``taken`` holds the names that no fixture of a behaviour can have.

    Raises
    ------
    ExtensionError
        If something is of a wrong kind, or a name is not allowed or given twice.
    """
    prefixes = _merged("pytest_llmpref_models", models, callable, "a callable that takes the model's name")
    sets = _merged("pytest_llmpref_entity_sets", entity_sets, _is_path, "a pathlib.Path")
    for name in prefixes:
        if name in KINDS or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            raise ExtensionError(
                f"pytest_llmpref_models: {name!r} cannot begin a model's name; use letters, digits, '.', '_' and '-', "
                f"and neither {' nor '.join(KINDS)}"
            )
    for name in sets:
        if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
            raise ExtensionError(
                f"pytest_llmpref_entity_sets: {name!r} is no name for a set; use letters, digits, '_' and '-'"
            )
    return Extensions(prefixes, sets, _checked_behaviours(behaviours, taken))


def _checked_behaviours(returned: Iterable[object], taken: Collection[str]) -> tuple[Behaviour, ...]:
    hook, found = "pytest_llmpref_behaviours", list[Behaviour]()
    for several in returned:
        if not isinstance(several, list | tuple):
            raise ExtensionError(f"{hook}: a list of Behaviours is needed, not {type(several).__name__}")
        for one in several:
            if not isinstance(one, Behaviour):
                raise ExtensionError(f"{hook}: {one!r} is no Behaviour; subclass pytest_llmpref.Behaviour, and call it")
            _check_names(hook, one, found, taken)
            found.append(one)
    if found and (count := sum(one.is_reference for one in found)) != 1:
        raise ExtensionError(f"{hook}: {count} behaviours have is_reference; the shipped preference is the one")
    return tuple(found)


def _check_names(hook: str, one: Behaviour, before: Collection[Behaviour], taken: Collection[str]) -> None:
    whose = f"{hook}: {type(one).__name__}"
    for what, name in (("measure", one.measure), *([("fixture", one.fixture)] if one.fixture else [])):
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise ExtensionError(f"{whose}: {name!r} cannot be its {what}; use a name like warmth")
        if name in {getattr(other, what) for other in before}:
            raise ExtensionError(
                f"{whose}: another behaviour has the {what} {name!r}; rename one, or leave out a plugin"
            )
    if one.fixture in taken:
        raise ExtensionError(f"{whose}: {one.fixture!r} is a fixture of ours; choose another")


def _is_path(value: object) -> bool:
    return isinstance(value, Path)


def _merged(hook: str, returned: Iterable[object], fits: Callable[[object], bool], wanted: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in returned:
        if not isinstance(one, Mapping):
            raise ExtensionError(f"{hook}: a mapping from names is needed, not {type(one).__name__}")
        for name, value in one.items():
            if not isinstance(name, str):
                raise ExtensionError(f"{hook}: {name!r} is no name; use a string")
            if name in found:
                raise ExtensionError(f"{hook}: two plugins give {name!r}; rename one, or leave one out with -p no:NAME")
            if not fits(value):
                raise ExtensionError(f"{hook}: {name!r} is {value!r}; {wanted} is needed")
            found[name] = value
    return found


OURS = "pytest-llmpref"


def register_installed() -> None:
    """Register the behaviours of installed packages beside the shipped ones, as each pytest run does.

    Of the packages with plugins for pytest, those that require ours are loaded, and no other. What a conftest.py or
    ``-p`` brings is not known here.

    Raises
    ------
    ExtensionError
        If a package cannot be loaded, or its behaviours cannot be used.
    """
    found = [returned for plugin in _installed(tuple(map(_with_time, sys.path))) for returned in _of(plugin)]
    register(checked_extensions([], [], [SHIPPED, *found], taken=()).behaviours)


@lru_cache(maxsize=4)
def _installed(_path: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """Return the plugins that need ours; looked for again where a folder of packages has changed, and there alone."""
    return tuple(plugin for plugin in entry_points(group="pytest11") if _needs_ours(plugin))


def _with_time(folder: str) -> tuple[str, int]:
    try:
        return folder, Path(folder).stat().st_mtime_ns
    except OSError:
        return folder, 0


def _needs_ours(plugin: EntryPoint) -> bool:
    if plugin.dist is None or plugin.dist.name == OURS:
        return False
    required = (re.match(r"[\w.-]+", needed) for needed in plugin.dist.requires or ())
    return any(name is not None and re.sub(r"[-_.]+", "-", name[0]).lower() == OURS for name in required)


def _of(plugin: EntryPoint) -> list[Any]:
    """Return what the hook of a plugin returns; nothing where it has none."""
    try:
        hook = getattr(plugin.load(), "pytest_llmpref_behaviours", None)
        return [] if hook is None else [hook()]
    except Exception as error:
        raise ExtensionError(
            f"pytest_llmpref_behaviours: {type(error).__name__}: {error} (in {plugin.value}, of an installed package; "
            "mend it, or uninstall it)"
        ) from error
