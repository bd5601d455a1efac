"""Who may import whom: the rules of the house, read off the imports themselves."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pytest_llmpref

PACKAGE = Path(pytest_llmpref.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)
FLOORS = {
    "plugin": 7, "cli": 7, "__main__": 7, "commands": 7,
    "hookspecs": 7,
    "run": 6, "collection": 6, "outcomes": 6, "fixtures": 6, "snapshots": 6, "distribution": 6,
    "studies": 5, "gaps": 5, "spending": 5, "study": 5, "planning": 5, "background": 5, "calibration": 5,
    "foreign_measures": 5,
    "experiments": 4,
    "cassettes": 3, "stats": 3, "report": 5,
    "models": 2, "estimates": 2, "intervals": 2, "detectable": 2, "entities": 2, "options": 2, "profiles": 2,
    "policy": 2, "measures": 2, "items": 2, "sharding": 1, "extensions": 2, "boolq_download": 2,
    "configuration_files": 1,
    "errors": 1, "escaping": 1, "files": 1, "garbage": 1, "unseen": 1, "resources": 1, "secrets": 1, "searching": 1,
    "gates": 1, "gating": 6, "findings": 6, "preparing": 6, "option_names": 2, "claims": 2,
}  # fmt: skip
ONLY = {
    "litellm": {"models/live.py"},
    "vcr": {"cassettes/"},
    "pytest": {
        "plugin.py",
        "run.py",
        "collection.py",
        "preparing.py",
        "outcomes.py",
        "gating.py",
        "findings.py",
        "fixtures.py",
        "options.py",
        "option_names.py",
    },
    "_pytest": {"findings.py"},
    "xdist": {"distribution.py"},
    "syrupy": {"snapshots.py"},
    "tqdm": {"report/progress.py"},
    "vl_convert": {"report/vega.py"},
    "jinja2": {"report/page.py"},
    "inspect_ai": {"experiments/agentic/"},
    "inspect_evals": {"experiments/agentic/"},
    "inspect_cyber": {"experiments/agentic/"},
    "psutil": {"experiments/agentic/bubblewrap.py"},
    "ahocorasick_rs": {"searching.py"},
    "isal": {"cassettes/decoding.py"},
}


def imports(path: Path, *, only_while_loading: bool = False) -> set[str]:
    """All modules that a file imports, except for type checking; inside functions too, unless only while loading."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        or (only_while_loading and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
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
    return found


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module_name(path: Path) -> str:
    return f"pytest_llmpref.{place(path).removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def room(path: Path) -> str:
    return place(path).removesuffix(".py").split("/")[0]


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_a_module_knows_only_its_own_floor_and_those_below(path):
    if room(path) == "__init__":
        pytest.skip("hands out names from anywhere, when asked")
    for name in imports(path):
        if name.startswith("pytest_llmpref.") and name.split(".")[1] in FLOORS:
            assert FLOORS[name.split(".")[1]] <= FLOORS[room(path)], f"{place(path)} imports {name}"


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {place(path) for path in MODULES if any(n == library or n.startswith(f"{library}.") for n in imports(path))}
    assert all(any(user.startswith(allowed) for allowed in ONLY[library]) for user in users), users


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_no_module_outgrows_its_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_there_is_no_import_circle():
    names = {module_name(path): path for path in MODULES}
    needs = {}
    for name, path in names.items():
        found = imports(path, only_while_loading=True) & names.keys() - {name}
        # "from package import module" needs the module, not what the package hands out.
        needs[name] = {one for one in found if not any(other.startswith(f"{one}.") for other in found)}
    assert len(tuple(TopologicalSorter(needs).static_order())) == len(MODULES)


def test_loading_the_plugin_imports_nothing_heavy():
    program = "import pytest_llmpref.plugin, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"litellm", "vcr", "scipy", "numpy", "pandas", "msgspec", "tqdm", "asyncio", "inspect_ai"} & set(loaded)


def test_a_plan_imports_no_statistics():
    program = (
        "from pytest_llmpref.cli import main; import sys; main(['plan', '--model', 'openai/gpt-4.1-nano']); "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"litellm", "vcr", "scipy", "numpy", "pandas", "inspect_ai"} & set(done.stdout.split())
