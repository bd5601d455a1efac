"""What is imported from `pytest_llmpref` itself: found by people, by type checkers, and loaded only when used."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from documents import PAGES
from repository import ROOT

import pytest_llmpref

STUB = ast.parse(Path(pytest_llmpref.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
NEEDED = [
    "Attempt",
    "CallFailedError",
    "ChatModel",
    "Conditions",
    "Entity",
    "EntitySet",
    "Experiment",
    "Measure",
    "Message",
    "ModelUnavailableError",
    "Outcome",
    "Plan",
    "Replies",
    "Reply",
    "Request",
    "Trial",
    "read_choice",
]

RUNS = "runs of agents start processes, which no unit test does"
FOREIGN = "takes data of the user's own, about which no simulated model says anything"
WITHOUT_EXAMPLE = {
    **dict.fromkeys(("effort_gap", "success_gap"), RUNS),
    **dict.fromkeys(("success_gap_by_difficulty", "success_gap_harder_minus_easier", "success_gap_per_level"), RUNS),
    **dict.fromkeys(("declined_gap", "declined_minus_others", "hedged_gap"), FOREIGN),
}
"""Public function -> why its docstring has no example."""


@pytest.mark.parametrize("name", pytest_llmpref.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name):
    found = getattr(pytest_llmpref, name)
    assert name == "Replies" or found.__doc__


def test_every_public_function_has_an_example():
    functions = {name for name in pytest_llmpref.__all__ if inspect.isroutine(getattr(pytest_llmpref, name))}
    without = {name for name in functions if ">>> " not in getattr(pytest_llmpref, name).__doc__}
    # An exception that nothing needs any more goes too.
    assert without == WITHOUT_EXAMPLE.keys()


def test_what_hooks_and_experiments_need_is_public():
    assert set(NEEDED) <= set(pytest_llmpref.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Mesure'"):
        _ = pytest_llmpref.Mesure


def test_type_checkers_read_the_names_that_there_are():
    imported = {
        alias.name: node.module for node in STUB.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == {name: f"pytest_llmpref.{home}" for name, home in pytest_llmpref._HOMES.items()}
    (listed,) = [ast.literal_eval(node.value) for node in STUB.body if isinstance(node, ast.Assign)]
    assert listed == pytest_llmpref.__all__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_imports_is_public(page):
    assert imported(page.read_text(encoding="utf-8")) <= set(pytest_llmpref.__all__)


def test_what_the_suites_import_is_public():
    names = set().union(*(imported(path.read_text(encoding="utf-8")) for path in (ROOT / "suites").rglob("*.py")))
    assert names
    assert names <= set(pytest_llmpref.__all__)


def imported(text):
    """Return the names that a text imports from `pytest_llmpref` itself."""
    lines = re.findall(r"^from pytest_llmpref import (.+)$", text, re.MULTILINE)
    return {word for line in lines for word in re.findall(r"\w+", line)}
