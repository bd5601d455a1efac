"""Who may import whom: the rules of the house, read off the imports themselves."""

from graphlib import TopologicalSorter

import pytest
from package_tree import MODULES, PACKAGE, imports, module_name, place, read, room, source

from pytest_llmpref.experiments.registry import SHIPPED

FLOORS = {
    "plugin": 8, "cli": 8, "__main__": 8, "notebooks": 8,
    "calibration": 7,
    "report": 6,
    "comparison": 5, "export": 5, "study": 5,
    "experiments": 4,
    "imports": 3, "cassettes": 3, "charts": 3, "parsing": 3, "stats": 3,
    "models": 2, "config": 2, "claims": 2, "results": 2,
    "characters": 1, "errors": 1, "files": 1, "garbage": 1, "searching": 1, "secrets": 1,
}  # fmt: skip
ONLY = {
    "litellm": {"models/litellm_client.py"},
    "vcr": {"cassettes/"},
    "pytest": {"plugin/"},
    "_pytest": {"plugin/findings.py"},
    "xdist": {"plugin/distribution.py"},
    "syrupy": {"plugin/snapshots.py"},
    "tqdm": {"report/progress.py"},
    "jinja2": {"report/page.py"},
    "inspect_ai": {"experiments/agents/", "export/inspect_log.py", "imports/inspect_log.py"},
    "inspect_evals": {"experiments/agents/"},
    "inspect_cyber": {"experiments/agents/"},
    "psutil": {"experiments/agents/bubblewrap.py"},
    "ahocorasick_rs": {"searching.py"},
    "isal": {"cassettes/decoding.py"},
    "pyarrow": {"export/tables.py", "imports/tables.py"},
}

NAMES = frozenset(one.measure for one in SHIPPED) | frozenset(one.fixture for one in SHIPPED if one.fixture)
"""What the shipped measures and their fixtures are called."""
SLICES = tuple(
    f"experiments/{name}/"
    for name in ("agents", "contexts", "effort", "paired", "pairs", "ranking", "reading", "refusal", "replies")
)
OUTCOME, PROVIDER = "an outcome of a trial", "a field of a provider's reply"
DATA_SET, OPTION = "a data set", "an option of the command line"
SAME_WORDS = {
    ("cli/__init__.py", "boolq"): "a command, which fetches a data set",
    ("cli/init.py", "boolq"): "the same",
    ("config/items.py", "boolq"): DATA_SET,
    ("config/labels.py", "refusal"): OUTCOME,
    ("config/options.py", "agentic"): OPTION,
    ("experiments/imported.py", "refusal"): OUTCOME,
    ("imports/batches.py", "refusal"): PROVIDER,
    ("imports/choices.py", "refusal"): OUTCOME,
    ("imports/rows.py", "refusal"): OUTCOME,
    ("models/litellm_client.py", "refusal"): PROVIDER,
    ("models/responses.py", "refusal"): PROVIDER,
    ("models/simulated/deciding.py", "refusal"): "what a draw is for, which is a part of its seed",
    ("models/simulated/knowing.py", "boolq"): DATA_SET,
    ("models/simulated/server.py", "refusal"): PROVIDER,
    ("models/simulated/knowing.py", "agentic"): "the folder of the bundled tasks",
    ("parsing/outcome.py", "refusal"): OUTCOME,
    ("parsing/language.py", "refusal"): OUTCOME,
    ("plugin/settings.py", "agentic"): OPTION,
    ("plugin/settings.py", "boolq"): OPTION,
    ("results/measure_record.py", "refusal"): OUTCOME,
}
"""Module and word -> what the word means there, which is not the measure."""


def test_a_module_knows_only_its_own_floor_and_those_below():
    upwards = {
        f"{place(path)} imports {name}"
        for path in MODULES
        if room(path) != "__init__"  # hands out names from anywhere, when asked
        for name in imports(path)
        if name.startswith("pytest_llmpref.")
        and name.split(".")[1] in FLOORS
        and FLOORS[name.split(".")[1]] > FLOORS[room(path)]
    }
    assert upwards == set()


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {place(path) for path in MODULES if any(n == library or n.startswith(f"{library}.") for n in imports(path))}
    assert all(any(user.startswith(allowed) for allowed in ONLY[library]) for user in users), users


def test_no_module_outgrows_its_idea():
    lines = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: number for name, number in lines.items() if number > 400} == {}


def test_a_function_fits_a_screen():
    assert {place(path): source(path).long_functions for path in MODULES if source(path).long_functions} == {}


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_function_that_outgrows_a_screen_is_found(kind):
    text = "class Inside:\n" + "".join(
        f"    {kind} of_{lines}():\n" + "        pass\n" * (lines - 1) for lines in (60, 61)
    )
    assert read(text).long_functions == {"of_61"}


def test_no_class_has_more_than_24_methods():
    sizes = {f"{place(path)}: {name}": methods for path in MODULES for name, methods in source(path).methods.items()}
    assert sizes
    assert {name: size for name, size in sizes.items() if size > 24} == {}


def test_there_is_no_import_circle_and_none_hides_inside_functions():
    names = {module_name(path): path for path in MODULES}
    needs = {}
    for name, path in names.items():
        found = imports(path) & names.keys() - {name}
        # "from package import module" needs the module, not what the package hands out.
        needs[name] = {one for one in found if not any(other.startswith(f"{one}.") for other in found)}
    assert len(tuple(TopologicalSorter(needs).static_order())) == len(MODULES)


def test_there_is_no_import_circle_among_folders_either():
    needs = {room(path): set() for path in MODULES if room(path) != "__init__"}
    for path in MODULES:
        if room(path) in needs:
            rooms = {name.split(".")[1] for name in imports(path) if name.startswith("pytest_llmpref.")}
            needs[room(path)] |= rooms & needs.keys() - {room(path)}
    order = tuple(TopologicalSorter(needs).static_order())
    assert order.index("config") < order.index("models") < order.index("study") < order.index("plugin")


def test_no_module_outside_a_slice_names_a_measure():
    assert {path.name for path in (PACKAGE / "experiments").iterdir() if (path / "__init__.py").exists()} == {
        name.split("/")[1] for name in SLICES
    }
    found = {
        (place(path), text)
        for path in MODULES
        if not place(path).startswith(SLICES)
        for text in source(path).strings
        if text in NAMES
    }
    # An exception that nothing needs any more goes too.
    assert found == SAME_WORDS.keys()
