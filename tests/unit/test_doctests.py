"""The examples in docstrings: each runs, and shows what it says."""

import ast
import doctest
import importlib
import importlib.util

import pytest
from package_tree import MODULES, imports, module_name, place

EXTRAS = ("xllamacpp", "inspect_ai", "inspect_evals", "inspect_cyber", "mcp", "psutil", "rich", "pyarrow")
"""What the optional dependencies install: a module that needs one which is missing is skipped."""
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def has_example(path):
    text = path.read_text(encoding="utf-8")
    if ">>> " not in text:
        return False
    nodes = ast.walk(ast.parse(text))
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return any(">>> " in (ast.get_docstring(node) or "") for node in nodes if isinstance(node, kinds))


@pytest.mark.parametrize("path", [path for path in MODULES if has_example(path)], ids=place)
def test_the_examples_of_a_module_show_what_they_say(path):
    for name in EXTRAS:
        if name in {one.partition(".")[0] for one in imports(path)} and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    module = importlib.import_module(module_name(path))
    failures = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__):
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_an_example_that_shows_something_else_fails():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=lambda _: None).failed == 1
