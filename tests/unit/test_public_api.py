"""What is imported from `pytest_llmpref` itself: found by people, by type checkers, and loaded only when used."""

import ast
import re
from pathlib import Path

import pytest
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


@pytest.mark.parametrize("name", pytest_llmpref.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name):
    found = getattr(pytest_llmpref, name)
    assert name == "Replies" or found.__doc__


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


@pytest.mark.parametrize("name", ["README.md", "TUTORIAL.md"])
def test_what_documents_and_suites_import_is_public(name):
    texts = [(ROOT / name).read_text(encoding="utf-8")]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / "suites").rglob("*.py")]
    names = {
        word
        for text in texts
        for line in re.findall(r"^from pytest_llmpref import (.+)$", text, re.MULTILINE)
        for word in re.findall(r"\w+", line)
    }
    assert names
    assert names <= set(pytest_llmpref.__all__)
