"""The package's modules, and what each imports, read off its sources."""

import ast
import functools
from pathlib import Path

import pytest_llmpref

PACKAGE = Path(pytest_llmpref.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """All modules that a file imports, inside functions too, except for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module_name(path: Path) -> str:
    return f"pytest_llmpref.{place(path).removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def room(path: Path) -> str:
    return place(path).removesuffix(".py").split("/")[0]
