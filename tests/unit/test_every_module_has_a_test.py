"""Every module in which something is decided is reached by a unit test, or is listed with the reason why by none.

Reached means: imported by a file of ``tests/unit``, by a module of ``tests/support`` that such a file imports, or by a
reached module of the same folder, or a command: so a part is tested through the whole. How much of each module the unit
tests run is measured every night, by ``tests/integration/test_unit_coverage.py``.
"""

from collections.abc import Callable, Iterable
from functools import cache

from package_tree import MODULES, PACKAGE, imports, module_name, place, read, source
from repository import ROOT
from without_unit_tests import ONLY_IN_INTEGRATION, only_in_integration

from pytest_llmpref import _HOMES

NAMES = {module_name(path): path for path in MODULES}
SUPPORT = {path.stem: path for path in (ROOT / "tests/support").glob("*.py")}
BY_NAME = {
    "pytest_llmpref.cli": "cli/*.py",  # loads the module of a subcommand
    "pytest_llmpref.experiments.registry": "experiments/*/__init__.py",  # all are asked for what they declare
}
"""Module -> those that are reached through it, although they lie elsewhere, or no import says so."""


def closure(start: Iterable[str], leads_to: Callable[[str], Iterable[str]]) -> set[str]:
    found, todo = set(start), list(start)
    while todo:
        new = set(leads_to(todo.pop())) - found
        found |= new
        todo += new
    return found


def needed_by_tests(name: str) -> set[str]:
    """What a module of tests/support imports, and where a public name comes from."""
    home = _HOMES.get(name.removeprefix("pytest_llmpref."), "") if name.startswith("pytest_llmpref.") else ""
    imported = imports(SUPPORT[name]) if name in SUPPORT else set()
    return {*imported, *([f"pytest_llmpref.{home}"] if home else [])}


def parts(name: str) -> set[str]:
    """What a module is tested with: modules of its folder that it imports, and those that it loads by name."""
    ours, folder = imports(NAMES[name]) & NAMES.keys(), NAMES[name].parent
    siblings = {one for one in ours if NAMES[one].parent == folder or folder.name == "cli"}
    return siblings | {module_name(path) for path in PACKAGE.glob(BY_NAME[name])} if name in BY_NAME else siblings


@cache
def reached() -> set[str]:
    files = set().union(*(imports(path) for path in (ROOT / "tests/unit").rglob("test_*.py")))
    return closure(closure(files, needed_by_tests) & NAMES.keys(), parts)


def test_a_module_with_logic_is_reached_by_a_unit_test():
    """Write one in tests/unit, or list the module in tests/support/without_unit_tests.py."""
    tested = reached()
    decide = [path for path in MODULES if source(path).has_logic and not only_in_integration(place(path))]
    assert len(decide) > len(MODULES) / 2
    assert [place(path) for path in decide if module_name(path) not in tested] == []


def test_what_is_listed_is_there():
    places = {place(path) for path in MODULES}
    for listed in ONLY_IN_INTEGRATION:
        assert any(one.startswith(listed) for one in places), listed


def test_a_module_that_nobody_imports_is_missed():
    assert read("def decide(a):\n    return a > 1\n").has_logic
    assert "pytest_llmpref.alone" not in reached()
    assert not read(
        'def named():\n    """Stand for something."""\n\n\ndef later():\n    raise NotImplementedError\n'
    ).has_logic
