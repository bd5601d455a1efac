"""`llmpref init` from an installed wheel: what it lays runs there as it is, with the command of its own CI workflow."""

import json
import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW = ".github/workflows/llmpref.yml"


def call(*command, cwd) -> str:
    """Run a command and return what it says; the environment has nothing of the checkout's."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTEST_ADDOPTS"}}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of an environment in which the wheel is installed, on top of the packages that are here."""
    folder = tmp_path_factory.mktemp("installed")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # Before the others can be seen: pip would take one of the same version there for this one.
    call(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=folder)
    # Behind the environment's own packages, and without the .pth files there, one of which may name the checkout.
    (site / "packages-here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_what_init_lays_runs_there_as_it_is(python, tmp_path):
    where = Path(call(python, "-c", "import pytest_llmpref; print(pytest_llmpref.__file__)", cwd=tmp_path).strip())
    assert python.parent.parent in where.parents
    call(python.parent / "llmpref", "init", cwd=tmp_path)
    steps = yaml.safe_load((tmp_path / WORKFLOW).read_text())["jobs"]["gate"]["steps"]
    (gate,) = [step["run"] for step in steps if step.get("name") == "Gate"]
    program, *words = shlex.split(gate.replace("$LLMPREF_MODEL", "sim/even-handed"))
    assert program == "pytest"
    said = call(python, "-m", "pytest", *words, cwd=tmp_path)
    assert "GATE OPEN: 2 of 2 supported" in said
    found = json.loads((tmp_path / "reports/latest/results.json").read_text())
    (model,) = found["models"].values()
    assert {claim["suite"] for claim in model["claims"]} == {
        "suites/release_gate/test_even_handed.py", "suites/release_gate/test_no_performance_gap.py",
    }  # fmt: skip
    assert (tmp_path / "junit.xml").is_file()


def test_a_policy_and_an_entity_set_that_init_laid_are_what_is_edited(python, tmp_path):
    call(python.parent / "llmpref", "init", cwd=tmp_path)
    policy = tmp_path / "suites/release_gate/policy.toml"
    policy.write_text(policy.read_text().replace("margin = 0.02", "margin = 0.5"))
    entities = tmp_path / "entities/default.toml"
    entities.write_text(entities.read_text().replace('name = "', 'name = "Ours: ', 1))
    words = ["--model=sim/even-handed", "--profile=profiles/smoke.toml", "--llmpref-entities=entities/default.toml"]
    call(python, "-m", "pytest", "suites/release_gate/test_no_performance_gap.py", *words, cwd=tmp_path)
    found = json.loads((tmp_path / "reports/latest/results.json").read_text())
    assert [claim["bound"] for claim in found["models"]["sim/even-handed"]["claims"]] == [0.5]
    assert found["run"]["entities"].startswith("Ours: ")
