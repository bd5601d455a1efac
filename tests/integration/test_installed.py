"""What users get: the wheel of the sdist, installed; suites, projects and types outside the checkout."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from repository import ROOT

WORKFLOW = ".github/workflows/llmpref.yml"


def call(*command, cwd, status=0) -> str:
    """Run a command and return what it says; the environment has nothing of the checkout's."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTEST_ADDOPTS"}}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    """The wheel that the checkout gives, and the one that the sdist gives, which is what an index hands on."""
    folder = tmp_path_factory.mktemp("built")
    build = (sys.executable, "-m", "hatchling", "build")
    call(*build, "-t", "wheel", "-d", folder / "checkout", cwd=ROOT)
    call(*build, "-t", "sdist", "-d", folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    call(*build, "-t", "wheel", "-d", folder / "sdist", cwd=folder / sdist.name.removesuffix(".tar.gz"))
    return {source: next((folder / source).glob("*.whl")) for source in ("checkout", "sdist")}


def test_the_wheel_of_the_sdist_holds_all_that_the_wheel_of_the_checkout_does(wheels):
    names = {source: set(zipfile.ZipFile(wheel).namelist()) for source, wheel in wheels.items()}
    assert names["sdist"] == names["checkout"]
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pytest_llmpref").rglob("*.py*")}
    assert {name for name in shipped if "__pycache__" not in name} <= names["sdist"]
    assert "pytest_llmpref/py.typed" in names["sdist"]


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheels) -> Path:
    """The interpreter of an environment with the sdist's wheel, on top of the packages that are here."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = wheels["sdist"]
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # Before the others can be seen: pip would take one of the same version there for this one.
    # Without bytecode: what a run imports is compiled then, and kept, and that is half of the package.
    alone = ("--no-deps", "--no-index", "--no-compile")
    call(sys.executable, "-m", "pip", "--python", python, "install", "-q", *alone, wheel, cwd=folder)
    # Behind the environment's own packages, and without the .pth files there, one of which may name the checkout.
    # The packages here may lie in several folders: an environment can stand on another one.
    folders = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    (site / "packages-here.pth").write_text("\n".join([*folders, ""]))
    return python


def test_what_init_lays_runs_there_as_it_is(python, tmp_path):
    where = Path(call(python, "-c", "import pytest_llmpref; print(pytest_llmpref.__file__)", cwd=tmp_path).strip())
    assert python.parent.parent in where.parents
    call(python.parent / "llmpref", "init", cwd=tmp_path)
    workflow = yaml.safe_load((tmp_path / WORKFLOW).read_text())
    (gate,) = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Gate"]
    for name, value in (workflow["env"] | {"LLMPREF_MODEL": "sim/even-handed"}).items():
        gate = gate.replace(f"${name}", value)
    program, *words = shlex.split(gate)
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
    smoke = tmp_path / "profiles/smoke.toml"
    smoke.write_text(re.sub(r"(?m)^boolq_questions = .*", "boolq_questions = 6", smoke.read_text()))
    # From another folder, and by name: what is read is what lies beside pytest.ini.
    (tmp_path / "elsewhere").mkdir()
    words = ["--model=sim/even-handed", "--profile=smoke", "-W", "error"]
    gate = "../suites/release_gate/test_no_performance_gap.py"
    call(python, "-m", "pytest", gate, *words, cwd=tmp_path / "elsewhere")
    found = json.loads((tmp_path / "reports/latest/results.json").read_text())
    assert [claim["bound"] for claim in found["models"]["sim/even-handed"]["claims"]] == [0.5]
    assert found["run"]["entities"].startswith("Ours: ")
    assert found["models"]["sim/even-handed"]["measures"]["boolq"]["diagnostics"]["questions"] == 6


def test_the_profile_that_the_ini_file_names_is_read_from_beside_it(python, tmp_path):
    call(python.parent / "llmpref", "init", cwd=tmp_path)
    profile = tmp_path / "profiles/standard.toml"
    profile.write_text(re.sub(r"(?m)^entities = .*", "entities = 5", profile.read_text()))
    words = ["--model=sim/even-handed", "--llmpref-plan"]
    said = call(python, "-m", "pytest", "../suites/release_gate", *words, cwd=tmp_path / "entities")
    assert "correlations: |rho| 0.99 over 5 entities in 5 groups" in said


def test_the_first_run_of_the_workflow_says_what_to_do(python, tmp_path):
    call(python.parent / "llmpref", "init", cwd=tmp_path)
    steps = yaml.safe_load((tmp_path / WORKFLOW).read_text())["jobs"]["gate"]["steps"]
    (look,) = [step["run"] for step in steps if step.get("name") == "Look for recordings"]
    summary = tmp_path / "summary.md"
    script = f'export PATH="{python.parent}:$PATH" LLMPREF_MODEL=sim/plain GITHUB_STEP_SUMMARY={summary}\n{look}'
    said = call("bash", "-e", "-c", script, cwd=tmp_path, status=1)
    assert "::error title=Release gate: no recordings::No recording of sim/plain can be read in cassettes/" in said
    assert "run this workflow by hand with 'record' ticked" in summary.read_text()


def test_the_workflow_goes_on_where_the_model_is_recorded(python, tmp_path, recorded):
    call(python.parent / "llmpref", "init", cwd=tmp_path)
    shutil.copytree(recorded / "cassettes", tmp_path / "cassettes")
    steps = yaml.safe_load((tmp_path / WORKFLOW).read_text())["jobs"]["gate"]["steps"]
    (look,) = [step["run"] for step in steps if step.get("name") == "Look for recordings"]
    script = f'export PATH="{python.parent}:$PATH" LLMPREF_MODEL=sim/plain\n{look}'
    assert call("bash", "-e", "-c", script, cwd=tmp_path) == ""


CONFTEST = '''
"""A model, an entity set and two experiments of one's own, one of them written from scratch."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmpref import (
    Attempt,
    Behaviour,
    ChatModel,
    Conditions,
    Estimate,
    Experiment,
    Measure,
    Message,
    ModelUnavailableError,
    Normal,
    Outcome,
    Plan,
    Replies,
    Reply,
    Request,
    Trial,
    asking_diagnostics,
    attempt_key,
    coverage_reasons,
    entity_experiment,
    first_attempt,
    outcome_diagnostics,
)


class Acme:
    """Writes at more length about what comes late in the alphabet."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def ask(self, request: Request) -> Reply:
        if self.name == "acme/unplugged":
            raise ModelUnavailableError(f"{self.name}: it is unplugged")
        found = re.search(r"the (\\w+) Fund", request.messages[-1].content)
        return Reply(text="very " * (ord(found[1][0]) - 60 if found else 0) + "nice", finish="stop", cost=0.0)

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Length:
    """How long a reply is, in words."""

    measure: str = "length"

    def plan(self, conditions: Conditions) -> Plan[str]:
        names = conditions.names
        asked = [
            first_attempt(
                Request(
                    model=conditions.model,
                    messages=(Message("user", f"Describe {names[entity]}."),),
                    temperature=conditions.profile.temperature,
                    max_tokens=100,
                ),
                0,
            )
            for entity in conditions.groups
        ]
        entities = list(conditions.groups)
        return Plan(entities, asked, lambda _entity, reply: bool(reply.text), conditions.profile.attempts)

    def analyse(self, conditions: Conditions, plan: Plan[str], replies: Sequence[Replies]) -> Measure:
        trials = []
        estimates = {}
        for entity, request, attempts in zip(plan.questions, plan.requests, replies, strict=True):
            words = len(attempts[-1].text.split())
            made = [
                Attempt(attempt_key(request, number), Outcome.CHOICE, reply.text)
                for number, reply in enumerate(attempts)
            ]
            trials.append(Trial(tuple(made), (entity,), answered_by="text", score=words))
            estimates[entity] = Estimate(words, 1, "trials", "words", Normal(words, 1.0), label="length")
        checks = outcome_diagnostics(trials) | asking_diagnostics(replies)
        reasons = tuple(coverage_reasons(checks))
        return Measure("length", conditions.model, estimates, conditions.groups, reasons, None, checks, trials)


def warmth() -> Experiment:
    def score(text: str) -> float | None:
        return text.count("very")

    return entity_experiment("warmth", ["Describe {entity} in a line.", "Say a word about {entity}."], score)


def pytest_llmpref_models() -> Mapping[str, Callable[[str], ChatModel]]:
    return {"acme": Acme}


def pytest_llmpref_entity_sets() -> Mapping[str, Path]:
    return {"funds": Path(__file__).with_name("funds.csv")}


class Warmth(Behaviour):
    """How warmly an entity is spoken of."""

    measure = fixture = "warmth"

    def experiment(self) -> Experiment:
        return warmth()


class Words(Behaviour):
    """How many words are said about an entity."""

    measure = fixture = "length"

    def experiment(self) -> Experiment:
        return Length()


def pytest_llmpref_behaviours() -> Sequence[Behaviour]:
    return [Warmth(), Words()]
'''
SUITE = """
from pytest_llmpref import Entity, Measure, spearman


def test_long_is_warm(warmth: Measure, length: Measure) -> None:
    assert spearman(warmth, length) > 0.5


def test_entity_is_spoken_of(entity: Entity, length: Measure) -> None:
    assert length[entity] > 0
"""


OURS_ALONE = """
[mypy]
follow_imports = skip
[mypy-pytest_llmpref.*,pytest.*,_pytest.*,msgspec.*]
follow_imports = normal
[mypy-numpy.*,scipy.*,pandas.*]
follow_imports_for_stubs = true
"""
"""For mypy: the types of the package and of what its public names are made of, and none of numpy's and the like.

That takes 3 seconds of computing, and all types take a minute, in which the slow test below finds the same.
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """A small project that extends the plugin by hooks in its conftest.py."""
    names = ("Apple", "Berry", "Cedar", "Daisy", "Elder", "Fern", "Gorse", "Hazel", "Iris", "Juniper", "Kelp", "Lotus")
    (tmp_path / "funds.csv").write_text("name\n" + "".join(f"the {name} Fund\n" for name in names))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_funds.py").write_text(SUITE)
    (tmp_path / "mypy.ini").write_text(OURS_ALONE)
    return tmp_path


@pytest.fixture(scope="module")
def mypy(python, tmp_path_factory):
    """What runs mypy over a project, for the interpreter that has the wheel."""
    cache = tmp_path_factory.mktemp("mypy")
    words = ("-m", "mypy", "--strict", f"--cache-dir={cache}", f"--python-executable={python}", ".")
    return lambda project, status=0: call(sys.executable, *words, cwd=project, status=status)


def test_a_project_that_extends_the_plugin_by_hooks_is_typed_and_runs(python, mypy, project):
    assert "Success: no issues found in 2 source files" in mypy(project)
    words = ["--model=acme/large", "--llmpref-entities=funds", "--profile=smoke", "--record-mode=new_episodes"]
    call(python, "-m", "pytest", *words, cwd=project)
    (model,) = json.loads((project / "reports/latest/results.json").read_text())["models"].values()
    assert set(model["measures"]) == {"warmth", "length"}
    assert {claim["verdict"] for claim in model["claims"]} == {"supported"}


def test_a_mistake_in_such_a_project_is_a_type_error(mypy, project):
    """Were the package's types not found, everything would be Any, and nothing wrong."""
    conftest = project / "conftest.py"
    conftest.write_text(conftest.read_text().replace("Reply(text=", "Reply(txt="))
    assert 'Unexpected keyword argument "txt" for "Reply"' in mypy(project, status=1)


# Daily, test_a_project_that_extends_the_plugin_by_hooks_is_typed_and_runs finds no error by the types of ours alone.
@pytest.mark.slow
def test_such_a_project_is_typed_with_the_types_of_all_that_the_package_imports(mypy, project):
    (project / "mypy.ini").unlink()
    assert "Success: no issues found in 2 source files" in mypy(project)
