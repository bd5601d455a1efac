"""One bibliography: what the code cites is in it, and nothing else."""

import re
from functools import cache

import pytest
from package_tree import MODULES, PACKAGE, place, source
from repository import ROOT

ENTRIES = re.findall(r"^- \*\*(.+?)\*\*: ", (ROOT / "docs/bibliography.md").read_text(encoding="utf-8"), re.MULTILINE)
SURNAME = r"[A-Z][\w'-]*[a-z](?: Smith)?"
CITATION = re.compile(
    rf"((?:{SURNAME}, )*(?:{SURNAME},? and )?{SURNAME}?(?: et al\.)?)(?:'s?)?,? \(?((?:18|19|20)\d\d)\b(?!-\d)"
)
"""Authors and year, as in ``Lan, Simon and Halperin (1982)`` or ``Wilson 1927``."""
CITING = ("stats", "claims", "calibration", "comparison")
"""Folders whose prose is read for citations; elsewhere, years are those of models and dates."""


def listed(text):
    """The lines of a docstring's section References."""
    found = re.search(r"^References\n-+\n(.*?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in found[1].splitlines()] if found else []


@cache
def prose(path):
    """The strings of a module, without their sections References, as one line."""
    return " ".join(" ".join(source(path).strings).split())


def cited(text):
    for authors, year in CITATION.findall(text):
        yield f"{authors.removesuffix(chr(39) + 's').strip()} {year}"


def test_entries_are_in_order_and_none_is_there_twice():
    assert sorted(set(ENTRIES), key=str.lower) == ENTRIES


def references(path):
    return {line for text in source(path).docstrings for line in listed(text)}


def test_each_reference_is_in_the_bibliography():
    missing = {place(path): references(path) - set(ENTRIES) for path in MODULES}
    assert {name: lines for name, lines in missing.items() if lines} == {}


@pytest.mark.parametrize("folder", CITING)
def test_each_source_that_prose_names_is_in_the_bibliography(folder):
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        assert [one for one in cited(prose(path)) if one not in ENTRIES] == [], path.name


def test_a_module_of_statistics_lists_all_that_it_cites():
    missing = {path.stem: set(cited(prose(path))) - references(path) for path in (PACKAGE / "stats").glob("*.py")}
    assert {name: sources for name, sources in missing.items() if sources} == {}
    assert len(missing) > 30


def test_each_entry_is_cited():
    named = set(cited(" ".join(prose(path) for path in MODULES))).union(*map(references, MODULES))
    assert [entry for entry in ENTRIES if entry not in named] == []
