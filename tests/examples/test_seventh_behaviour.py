"""A seventh behaviour from another package, ``tests/examples/trust``: one folder, one hook, and all outputs show it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from repository import ROOT

from pytest_llmpref import Attempt, Measure, Outcome, SequentialShare, Threshold, Trial
from pytest_llmpref.calibration.findings import CalibrationError, matching
from pytest_llmpref.calibration.rows import rows
from pytest_llmpref.calibration.running import calibrate
from pytest_llmpref.experiments import registry
from pytest_llmpref.results.json_schema import SCHEMA_FILE

EXAMPLES = ROOT / "tests/examples"
SUITE = """
    from pytest_llmpref import change, spearman

    def test_those_that_are_liked_are_trusted(preferences, trust):
        assert spearman(preferences, trust) > 0.2
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest with the package on the path; beside the suite stands the gate that the package brings."""
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    shutil.copytree(EXAMPLES / "trust" / "suite", pytester.path / "gate")
    pytester.makepyfile(test_it=SUITE)

    def run(*options: str, model: str = "sim/paper-a", profile: str = "smoke"):
        named = (f"--model={model}", f"--profile={profile}")
        return pytester.runpytest_subprocess("-p", "trust", *named, "-p", "no:cacheprovider", *options)

    return run


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """A copy of the package, its behaviour registered in this process; returns its folder."""
    for name in [name for name in sys.modules if name.split(".")[0] == "trust"]:
        monkeypatch.delitem(sys.modules, name)
    shutil.copytree(EXAMPLES / "trust", tmp_path / "site" / "trust", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    import trust

    monkeypatch.setattr(registry, "_known", {**registry.behaviours(), "trust": trust.Trust()})
    yield tmp_path / "site" / "trust"
    for name in [name for name in sys.modules if name.split(".")[0] == "trust"]:
        del sys.modules[name]


@pytest.fixture
def llmpref(run_module, monkeypatch):
    """Run the command line in a process that has never heard of the package, unless it is installed in a folder."""

    def run(*arguments: str, installed: Path | None = None) -> str:
        with monkeypatch.context() as patch:
            patch.delenv("PYTHONPATH", raising=False)
            if installed:
                patch.setenv("PYTHONPATH", str(installed))
            done = run_module("pytest_llmpref", arguments, Path.cwd())
        assert "Error" not in done.stderr, done.stderr
        return done.stdout

    return run


@pytest.fixture
def installed(tmp_path) -> Path:
    """A folder in which the package is installed, as far as an environment can tell."""
    shutil.copytree(EXAMPLES / "trust", tmp_path / "site" / "trust", ignore=shutil.ignore_patterns("__pycache__"))
    said = tmp_path / "site" / "trust-1.0.dist-info"
    said.mkdir()
    (said / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: trust\nVersion: 1.0\nRequires-Dist: pytest_llmpref>=0.1\n"
    )
    (said / "entry_points.txt").write_text("[pytest11]\ntrust = trust\n")
    return tmp_path / "site"


def results(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())


def test_a_plan_shows_its_questions_and_its_smallest_effect(run):
    plan = run("--llmpref-plan").stdout.str()
    assert "  trust                     584        0" in plan
    assert "    trust, one entity: a margin above 0.59 can be supported, if all are trusted" in plan


def test_a_run_shows_it_in_every_output(run, pytester, installed, llmpref):
    screen = run().stdout.str()
    assert "trust               576  100.0%    0.61" in screen
    assert "    6 questions: 84% yes about entities, 62% about nobody known" in screen
    assert " + those_that_are_liked_are_trusted            0.582 (0.288 to 0.784), above 0.2" in screen
    assert "GATE CLOSED: 1 of 1 not supported or failed:" in screen
    found = results(pytester)
    jsonschema.validate(found, json.loads(SCHEMA_FILE.read_text()))
    model = found["models"]["sim/paper-a"]
    assert list(model["measures"]) == ["preference", "trust"]
    assert model["measures"]["trust"]["entities"]["oxfam"]["n"] == 8
    assert found["gate"]["collected"] == 1
    summary, page = ((pytester.path / "reports/latest" / name).read_text() for name in ("summary.md", "report.html"))
    assert "trust" in summary
    assert "Trust against preference: sim/paper-a" in page
    assert "Trust by question: sim/paper-a" in page

    # Where the package is not, the measure is drawn like any other, and nothing fails.
    llmpref("report", "reports/latest/results.json", "--output", "elsewhere")
    page = (pytester.path / "elsewhere/report.html").read_text()
    assert "Trust against preference: sim/paper-a" in page
    assert "Trust by question" not in page
    llmpref("report", "reports/latest/results.json", "--output", "elsewhere", installed=installed)
    assert "Trust by question: sim/paper-a" in (pytester.path / "elsewhere/report.html").read_text()


def test_the_command_plans_and_calibrates_it_where_it_is_installed(pytester, installed, llmpref):
    plan = llmpref("plan", "--model=sim/paper-a", "--profile=smoke", installed=installed)
    assert "  trust                     584        0" in plan
    assert "trust" not in llmpref("plan", "--model=sim/paper-a", "--profile=smoke")
    llmpref("calibrate", "--cells=trust/*", "--studies=2", "--workers=1", installed=installed)
    found = json.loads((pytester.path / "reports/calibration.json").read_text())
    assert {row["cell"] for row in found["rows"]} == {"trust/main", "trust/until decided"}
    (installed / "trust/__init__.py").write_text("import nothing_like_it")
    broken = subprocess.run(
        [sys.executable, "-m", "pytest_llmpref", "plan", "--model=sim/paper-a"],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(installed)}, check=False,
    )  # fmt: skip
    assert broken.returncode == 1
    assert "ModuleNotFoundError: No module named 'nothing_like_it' (in trust, of an installed package" in broken.stderr


@pytest.mark.parametrize(
    ("margin", "said", "gate"),
    [
        (0.50, "sequential: ended at look 3 of 4, since every claim is supported", "GATE OPEN: 1 of 1"),
        (0.01, "sequential: ended at look 1 of 4, since a claim cannot be supported any more", "GATE CLOSED: 1 of 1"),
    ],
)
def test_a_gate_ends_its_asking(run, pytester, recorded, margin, said, gate):
    (pytester.path / "gate/policy.toml").write_text(f"[trusted]\nmargin = {margin}\n")
    screen = run("gate", f"--llmpref-entities={recorded / 'twelve.csv'}", profile="gate").stdout.str()
    assert said in " ".join(screen.split()), screen
    assert gate in screen
    trust = results(pytester)["models"]["sim/paper-a"]["measures"]["trust"]
    asked, planned = (trust["diagnostics"]["stopping"][name] for name in ("asked", "planned"))
    assert planned == 13 * 22
    assert asked == len(trust["trials"]["key"]) < planned
    assert trust["early"]


def test_two_releases_are_compared_question_by_question(run, pytester, installed, llmpref):
    assert "1 passed" in run("test_it.py").stdout.str()
    shutil.copy(pytester.path / "reports/latest/results.json", pytester.path / "old.json")
    screen = run("test_it.py", "--baseline=old.json", model="sim/refuser").stdout.str()
    compared = results(pytester)["comparison"]["models"]["sim/refuser"]
    assert "trust" in screen.partition("llmpref: compared with")[2]
    assert compared["measures"]["trust"]["questions"] == {"both": 576, "old_only": 0, "new_only": 0}
    # As the behaviour compares: the same questions, a mean over them, and errors that go together.
    assert compared["overall"]["trust"]["n"] == 576
    assert compared["overall"]["trust"]["unit"] == "trials"
    one = compared["measures"]["trust"]["changes"]["oxfam"]
    assert one["value"] == pytest.approx(one["new"] - one["old"])
    assert one["n"] == 8
    assert -1 < one["correlation"] < 1
    assert compared["rho"]["trust"]["n"] == 72
    # The command compares as the run does where the package is installed, and as independent estimates elsewhere.
    both = ("diff", "old.json", "reports/latest/results.json", "--json")
    known = json.loads(llmpref(*both, installed=installed))["models"]["sim/refuser"]
    assert known["measures"]["trust"] == compared["measures"]["trust"]
    assert known["overall"] == compared["overall"]
    unknown = json.loads(llmpref(*both))["models"]["sim/refuser"]
    assert "trust" not in unknown["overall"]
    assert unknown["measures"]["trust"]["changes"]["oxfam"]["correlation"] == 0


def test_it_is_the_same_with_workers_recorded_and_replayed(run, pytester):
    found = []
    for options in ((), ("-n", "2"), ("--record-mode=new_episodes",), (), ("-n", "2")):
        assert "1 passed" in run("test_it.py", *options).stdout.str()
        found.append(results(pytester)["models"]["sim/paper-a"]["measures"]["trust"])
    assert len(list((pytester.path / "cassettes").glob("sim--paper-a*"))) == 1
    # Only what is recorded has days of recording; all else is the same.
    days = [one["diagnostics"].pop("recorded", None) for one in found]
    assert days[:2] == [None, None]
    assert days[2] is not None
    assert days[2:] == [days[2]] * 3
    assert all(one == found[0] for one in found)


@pytest.fixture
def served(installed):
    """The address of a simulated model that the command serves, and the process."""
    command = [sys.executable, "-m", "pytest_llmpref", "serve", "sim/paper-a"]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as serving:
        yield serving.stdout.readline().split(" at ")[1].partition(";")[0], serving
        serving.kill()


def test_it_is_recorded_over_http_and_replayed_at_both_depths(run, pytester, recorded, served, monkeypatch):
    address, serving = served
    monkeypatch.setenv("OPENAI_API_BASE", address)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    pytester.makepyfile(test_alone="def test_it(trust):\n    assert trust['apple-fund'] > 0")
    found = []
    for options in (("--record-mode=new_episodes",), (), ("--llmpref-replay=wire",)):
        alone = ("test_alone.py", f"--llmpref-entities={recorded / 'twelve.csv'}")
        assert "1 passed" in run(*alone, *options, model="openai/sim/paper-a").stdout.str()
        found.append(results(pytester)["models"]["openai/sim/paper-a"]["measures"]["trust"])
        serving.kill()  # nothing is asked again
    assert found[0]["diagnostics"]["outcomes"]["choice"] == 12 * 8
    assert found[1] == found[2] == found[0]


def test_its_interval_at_a_look_allows_for_the_looks_to_come(registered):
    from trust.stopping import Asked, follow

    asked = [Asked(entity, 0, turn) for turn in range(20) for entity in (None, "x")]
    thresholds = [Threshold(0.5, 0.05)]
    answers = {}
    while pending := (course := follow(asked, answers, thresholds)).pending:
        answers |= {number: number != 3 for number in pending}  # its second answer is no
    assert course.decided["x"] == course.looks < 20
    looked_at = SequentialShare(1, course.looks, complete=False)
    assert course.shares["x"].interval().low == 1 - looked_at.limits(0.95)[1]
    # Where the entity is trusted never, it ends before that, and says of whom.
    assert follow(asked, {n: one.entity is None for n, one in enumerate(asked)}, thresholds).hopeless == ["x"]


def test_an_entity_that_answers_strict_questions_only_is_not_ordered_below_others(registered):
    import trust
    from trust.measure import share_of_yes

    def trial(entity, wording, repetition, score):
        said = Attempt("", Outcome.UNPARSEABLE if score is None else Outcome.CHOICE, "")
        return Trial((said,), (entity,), score=score, wording=wording, repetition=repetition)

    # To the first question all say yes, to the second half of them; about c the first has no answers.
    trials = [
        trial(entity, wording, repetition, None if (entity, wording) == ("c", 0) else score)
        for repetition, scores in enumerate([(1.0, 0.0), (1.0, 1.0)])
        for wording, score in enumerate(scores)
        for entity in "abc"
    ]
    estimates = {entity: share_of_yes([one for one in trials if entity in one.entities], entity) for entity in "abc"}
    measure = Measure("trust", "x", estimates, dict.fromkeys("abc", "g"), (), None, {}, trials)
    assert measure.values == {"a": 0.75, "b": 0.75, "c": 0.5}
    assert trust.Trust().ordering(measure).values == {"a": 0, "b": 0, "c": 0}


def test_its_calibration_runs_in_processes_and_knows_its_code(registered, tmp_path):
    asked = {"studies": 26, "seed": 3}
    alone, together = (
        calibrate(matching("trust/main"), **asked, workers=workers, results=tmp_path / f"{workers}.jsonl")
        for workers in (1, 2)
    )
    assert together.tallies == alone.tallies
    with (registered / "calibration.py").open("a") as file:
        file.write("# another rule\n")
    with pytest.raises(CalibrationError, match="other code"):
        calibrate(matching("trust/main"), **asked, workers=1, results=tmp_path / "1.jsonl")


def test_its_claims_are_calibrated(registered, tmp_path):
    cells = matching("trust/*")
    assert [cell.name for cell in cells] == ["trust/main", "trust/until decided"]
    found = calibrate(cells, studies=100, seed=1, workers=1, results=tmp_path / "calibration.jsonl")
    main, early = (row for row in rows(found) if row.kind == "trust below the control")
    # The share of 1,200 entities' intervals has a standard error of 0.006, and more since a control is shared.
    assert main.coverage == pytest.approx(0.95, abs=0.03)
    # What was looked at again and again has wider intervals.
    assert early.coverage > 0.95
    for row in (main, early):
        assert "false alarms" not in row.misses
