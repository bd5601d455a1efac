"""What an import brings with it, in processes of their own: nothing heavy that is not needed."""

import subprocess
import sys

from repository import ROOT

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.models.chat import Message, Reply, Request


def test_loading_the_plugin_imports_nothing_heavy():
    program = "import pytest_llmpref.plugin, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"litellm", "vcr", "scipy", "numpy", "pandas", "msgspec", "tqdm", "asyncio", "inspect_ai"} & set(loaded)
    # Small, but a third of what the start would take: what only runs that measure need.
    assert not {"statistics", "difflib", "xml.etree.ElementTree", "pytest_llmpref.claims.estimates"} & set(loaded)


def test_a_plan_imports_no_statistics():
    program = (
        "from pytest_llmpref.cli import main; import sys; main(['plan', '--model', 'openai/gpt-4.1-nano']); "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"litellm", "vcr", "scipy", "numpy", "pandas", "inspect_ai"} & set(done.stdout.split())


def test_estimates_cost_no_numpy():
    check = (
        "import sys, pytest_llmpref.claims.estimates; print(*sorted({'numpy', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_looking_at_the_package_loads_nothing():
    program = "import sys, pytest_llmpref as p; print(set(p.__all__) <= set(dir(p)), *sys.modules)"
    complete, *loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert complete == "True"
    assert not [name for name in loaded if name.startswith("pytest_llmpref.")]
    assert not {"numpy", "scipy", "pandas", "litellm", "vcr", "msgspec"} & set(loaded)


def test_a_simulated_model_that_is_not_served_needs_no_server_and_no_yaml_reader():
    program = "from pytest_llmpref.models.simulated.model import SimulatedModel as m; m('sim/paper-a'); import sys; "
    program += "print(*sorted({'aiohttp', 'ssl', 'yaml', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_reading_entities_needs_nothing_but_msgspec():
    program = (
        "import sys; before = set(sys.modules);"
        "from pytest_llmpref.config.entities import load_entities; load_entities();"
        "print(*sorted({name.partition('.')[0] for name in sys.modules.keys() - before} - sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    # The last is msgspec's.
    assert {*run.stdout.split()} <= {"msgspec", "pytest_llmpref", "typing_extensions"}


def test_replaying_imports_neither_vcr_nor_litellm_nor_a_yaml_reader(tmp_path):
    asked = Request("m", (Message("user", "Q1"),), 1.0, 8)
    Cassette.open(tmp_path, "m").append(asked, Reply("1", "stop"))
    code = f"""
import asyncio, sys
from pathlib import Path
from pytest_llmpref.cassettes import Cassette, ReplayModel, refuse_sockets
from pytest_llmpref.models.chat import Message, Request
with refuse_sockets():
    model = ReplayModel(Cassette.open(Path({str(tmp_path)!r}), "m"))
    asked = Request("m", (Message("user", "Q1"),), 1.0, 8)
    assert asyncio.run(model.ask(asked)).text == "1"
print(sorted({{"vcr", "litellm", "httpx", "aiohttp", "yaml"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
