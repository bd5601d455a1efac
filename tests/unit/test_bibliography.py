"""One bibliography: what the code cites is in it, and nothing else."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_llmpref"
ENTRIES = re.findall(r"^- \*\*(.+?)\*\*: ", (ROOT / "docs/bibliography.md").read_text(encoding="utf-8"), re.MULTILINE)
SURNAME = r"[A-Z][\w'-]*[a-z](?: Smith)?"
CITATION = re.compile(
    rf"((?:{SURNAME}, )*(?:{SURNAME},? and )?{SURNAME}?(?: et al\.)?)(?:'s?)?,? \(?((?:18|19|20)\d\d)\b(?!-\d)"
)
"""Authors and year, as in ``Lan, Simon and Halperin (1982)`` or ``Wilson 1927``."""
CITING = ("stats", "claims", "calibration", "comparison")
"""Folders whose prose is read for citations; elsewhere, years are those of models and dates."""


@cache
def docstrings(path):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    documented = [node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    return list(filter(None, map(ast.get_docstring, documented)))


def listed(text):
    """The lines of a docstring's section References."""
    found = re.search(r"^References\n-+\n(.*?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in found[1].splitlines()] if found else []


@cache
def prose(path):
    """The strings of a module, without their sections References, as one line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return " ".join(" ".join(strings).split())


def cited(text):
    for authors, year in CITATION.findall(text):
        yield f"{authors.removesuffix(chr(39) + 's').strip()} {year}"


def test_entries_are_in_order_and_none_is_there_twice():
    assert sorted(set(ENTRIES), key=str.lower) == ENTRIES


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_reference_is_in_the_bibliography(path):
    references = [line for text in docstrings(path) for line in listed(text)]
    assert [line for line in references if line not in ENTRIES] == []


@pytest.mark.parametrize("folder", CITING)
def test_each_source_that_prose_names_is_in_the_bibliography(folder):
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        assert [one for one in cited(prose(path)) if one not in ENTRIES] == [], path.name


@pytest.mark.parametrize("path", sorted((PACKAGE / "stats").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_of_statistics_lists_all_that_it_cites(path):
    references = {line for text in docstrings(path) for line in listed(text)}
    assert set(cited(prose(path))) - references == set()


def test_each_entry_is_cited():
    everything = " ".join(prose(path) for path in PACKAGE.rglob("*.py"))
    named = {
        *cited(everything),
        *(line for path in PACKAGE.rglob("*.py") for t in docstrings(path) for line in listed(t)),
    }
    assert [entry for entry in ENTRIES if entry not in named] == []
