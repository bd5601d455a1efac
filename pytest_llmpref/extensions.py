"""What other packages add to a run, checked: models, entity sets and experiments, each by its name."""

import keyword
import re
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmpref.errors import LLMPrefError

if TYPE_CHECKING:
    from pytest_llmpref.experiments.experiment import Experiment
    from pytest_llmpref.models.chat import ChatModel

HOOKS = ("models", "entity_sets", "experiments")
"""Ends of our hooks' names."""
OURS = ("sim", "local")
"""Prefixes of models that are shipped."""


class ExtensionError(LLMPrefError):
    """What another package adds cannot be used; the message names the hook, the name and the fix."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """What other packages add.

    Attributes
    ----------
    models
        First word of a model's name, before the slash -> what makes the model, given its whole name.
    entity_sets
        Name -> file.
    experiments
        Measure -> what makes the experiment that yields it.
    """

    models: Mapping[str, "Callable[[str], ChatModel]"] = field(default_factory=dict)
    entity_sets: Mapping[str, Path] = field(default_factory=dict)
    experiments: Mapping[str, "Callable[[], Experiment]"] = field(default_factory=dict)


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
    models: Iterable[object], entity_sets: Iterable[object], experiments: Iterable[object], *, taken: Collection[str]
) -> Extensions:
    """Put together what the implementations of each hook returned.

    ``taken`` holds the names of fixtures and measures that an experiment cannot have.

    Raises
    ------
    ExtensionError
        If something is no mapping, a name is not allowed or given twice, or a value is of a wrong kind.
    """
    prefixes = _merged("pytest_llmpref_models", models, callable, "a callable that takes the model's name")
    sets = _merged("pytest_llmpref_entity_sets", entity_sets, _is_path, "a pathlib.Path")
    measures = _merged("pytest_llmpref_experiments", experiments, callable, "a callable without arguments")
    for name in prefixes:
        if name in OURS or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            raise ExtensionError(
                f"pytest_llmpref_models: {name!r} cannot begin a model's name; use letters, digits, '.', '_' and '-', "
                f"and neither {' nor '.join(OURS)}"
            )
    for name in sets:
        if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
            raise ExtensionError(
                f"pytest_llmpref_entity_sets: {name!r} is no name for a set; use letters, digits, '_' and '-'"
            )
    for name in measures:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise ExtensionError(f"pytest_llmpref_experiments: {name!r} cannot be a fixture; use a name like warmth")
        if name in taken:
            raise ExtensionError(f"pytest_llmpref_experiments: {name!r} is a name of ours; choose another")
    return Extensions(prefixes, sets, measures)


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
