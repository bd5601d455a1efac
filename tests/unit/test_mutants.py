"""The tool that mutates: its page shows what was counted, and no entry of its lists is stale."""

import importlib
import json
import re
import tomllib

import pytest
from repository import ROOT

FOLDER = ROOT / "tests" / "mutation"
SOURCES = ROOT / "pytest_llmpref"


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("run")


def source(module):
    return (SOURCES / f"{module}.py").read_text(encoding="utf-8")


def test_the_page_shows_what_was_counted(tool):
    figures = importlib.import_module("figures")
    counted = json.loads(figures.FIGURES.read_text(encoding="utf-8"))
    assert figures.PAGE.read_text(encoding="utf-8") == figures.page(counted, tool.TESTS)
    assert counted.keys() <= tool.TESTS.keys()


def test_what_was_counted_adds_up():
    for module, one in json.loads((FOLDER / "figures.json").read_text(encoding="utf-8")).items():
        assert 0 <= one["killed"] + one["equivalent"] <= one["met"] <= one["mutants"], module


def test_every_module_has_tests_that_are_there(tool):
    for module, tests in tool.TESTS.items():
        assert source(module)
        assert [path for path in tests if not (ROOT / path.partition("::")[0]).exists()] == [], module


def test_every_test_that_meets_no_mutant_is_there(tool):
    files = (ROOT / "tests").rglob("test_*.py")
    names = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert [start for start in tool.LEFT_OUT if not any(name.startswith(start) for name in names)] == []


def test_every_equivalent_mutant_is_of_a_line_that_is_there():
    known = tomllib.loads((FOLDER / "equivalent.toml").read_text(encoding="utf-8"))
    stale = []
    for module, entries in known.items():
        lines = {line.strip() for line in source(module).splitlines()}
        for entry in entries:
            assert entry["reason"].endswith(".")
            taken = [line[2:].strip() for line in entry["change"].splitlines() if line.startswith("- ")]
            stale += [(module, line) for line in taken if line not in lines]
    assert stale == []
