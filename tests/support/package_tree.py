"""The package's modules, and what the tests of the house ask about each, read off its source once."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest_llmpref

PACKAGE = Path(pytest_llmpref.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """What a module consists of: facts, not its syntax tree, so that those of 300 modules are kept in little memory.

    Attributes
    ----------
    imports
        All modules that it imports, inside functions too, except for type checking.
    unguarded
        Those that it imports outside of ``try``, for type checking too.
    long_functions
        Functions and methods with more lines than a screen shows, docstrings counted.
    methods
        Class -> number of its methods.
    has_logic
        Whether a function or method does more than to stand for one.
    strings
        All strings, docstrings too.
    docstrings
        Of the module, its classes and its functions.
    """

    imports: frozenset[str]
    unguarded: frozenset[str]
    long_functions: frozenset[str]
    methods: dict[str, int]
    has_logic: bool
    strings: tuple[str, ...]
    docstrings: tuple[str, ...]


@functools.cache
def source(path: Path) -> Source:
    """Read a module; each process reads it once."""
    return read(path.read_text(encoding="utf-8"))


def read(text: str, most: int = 60) -> Source:
    """Read the source of a module, of whose functions none should have more than ``most`` lines."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    guarded = {id(inner) for node in nodes if isinstance(node, ast.Try) for inner in ast.walk(node)}
    only_for_types = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    importing = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    documented = [node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | FUNCTIONS)]
    return Source(
        frozenset(name for node in importing if id(node) not in only_for_types for name in _imported(node)),
        frozenset(name for node in importing if id(node) not in guarded for name in _imported(node)),
        frozenset(node.name for node in functions if node.end_lineno - node.lineno + 1 > most),
        {node.name: sum(isinstance(one, FUNCTIONS) for one in node.body) for node in classes},
        any(_decides(statement) for node in functions for statement in node.body),
        tuple(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)),
        tuple(filter(None, map(ast.get_docstring, documented))),
    )


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom):
        yield node.module or ""
    yield from (
        f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name for alias in node.names
    )


def _decides(statement: ast.stmt) -> bool:
    """Whether a statement is none of those by which a function only stands for one."""
    said = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return not (said or isinstance(statement, ast.Pass | ast.Raise))


def imports(path: Path) -> frozenset[str]:
    """All modules that a file imports, inside functions too, except for type checking."""
    return source(path).imports


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module_name(path: Path) -> str:
    return f"pytest_llmpref.{place(path).removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def room(path: Path) -> str:
    return place(path).removesuffix(".py").split("/")[0]
