"""The behaviours of installed packages, for the command line: there pytest, and its hooks, do not run."""

import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.registry import SHIPPED, register
from pytest_llmpref.study.extensions import checked_extensions

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
    found = [returned for plugin in entry_points(group="pytest11") if _needs_ours(plugin) for returned in _of(plugin)]
    register(checked_extensions([], [], [SHIPPED, *found], taken=()).behaviours)


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
