"""The examples in docstrings: each runs, and shows what it says."""

import doctest
import importlib
import importlib.util
import re
from contextlib import ExitStack, nullcontext

import pytest
from package_tree import MODULES, imports, module_name, place

from pytest_llmpref import notebooks

EXTRAS = ("xllamacpp", "inspect_ai", "inspect_evals", "inspect_cyber", "mcp", "psutil", "rich", "pyarrow")
"""What the optional dependencies install: a module that needs one which is missing is skipped."""
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BEGINS = re.compile(r"^ *>>> ", re.MULTILINE)
WITH_EXAMPLES = [path for path in MODULES if BEGINS.search(path.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def open_study_once():
    """Open each study once: forty examples open ten, and what was measured stays usable after closing."""
    open_study, opened = notebooks.open_study, {}
    with ExitStack() as studies:

        def shared(*model, **settings):
            key = (model, *sorted(settings.items()))
            if key not in opened:
                opened[key] = studies.enter_context(open_study(*model, **settings))
            return nullcontext(opened[key])

        yield shared


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=place)
def test_the_examples_of_a_module_show_what_they_say(path, open_study_once, monkeypatch):
    if path.stem != "notebooks":  # where they show all that a study has measured so far
        monkeypatch.setattr(notebooks, "open_study", open_study_once)
    for name in EXTRAS:
        if name in {one.partition(".")[0] for one in imports(path)} and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    module = importlib.import_module(module_name(path))
    failures = []
    tests = doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__)
    assert any(test.examples for test in tests)
    for test in tests:
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_an_example_that_shows_something_else_fails():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=lambda _: None).failed == 1
