"""Certificates: unchanged studies are verified, and each kind of change is named."""

import gzip
import json
import random
import shutil

import pytest

SUITE = """
import pytest
from pytest_llmpref import spearman

@pytest.mark.gate
def test_follows(preferences, donation_advice, policy):
    assert spearman(preferences, donation_advice) > policy.margin

def test_again(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0.4
"""
WORDS = ["test_it.py", "--model", "sim/plain", "--llmpref-entities", "twelve.csv"]


@pytest.fixture(scope="module")
def llmpref(run_module):
    return lambda folder, *words: run_module("pytest_llmpref", words, folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory, recorded, llmpref):
    """A project with recordings and both of its certificates."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(SUITE)
    (folder / "policy.toml").write_text("[it]\nmargin = 0.5\n")
    shutil.copy(recorded / "twelve.csv", folder)
    shutil.copytree(recorded / "cassettes", folder / "cassettes")
    for words in (["--plan", "plan.json"], ["results.json"]):
        done = llmpref(folder, "certify", *words, *WORDS)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def copy(project, tmp_path):
    """A copy of the project, elsewhere."""
    return shutil.copytree(project, tmp_path / "copy")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def cassette(folder):
    (path,) = (folder / "cassettes").glob("sim--plain.jsonl*")
    return path


def lines_of(path):
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()


def write_lines(path, lines):
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_what_will_be_asked_and_claimed_stands_in_the_plan(project):
    plan = json.loads((project / "plan.json").read_text())
    assert plan["kind"] == "plan"
    assert plan["settings"] == {"model": ["sim/plain"], "entities": "twelve.csv"}
    assert len(plan["entities"]) == 12
    assert plan["models"]["sim/plain"]["preference"]["count"] == 132
    assert len(set(plan["models"]["sim/plain"]["preference"]["questions"])) == 132
    function = plan["functions"]["test_it.py::test_follows"]
    policy = {"margin": 0.5, "negative_control": "", "positive_control": "", "role": "gate"}
    assert (function["gate"], function["family"], function["policy"]) == (True, 2, policy)
    # The study of this test was recorded before, and the certificate of its plan says so.
    before = plan.pop("recorded")["sim/plain"]
    assert before["answers"] == before["of"] >= 132
    results = json.loads((project / "results.json").read_text())
    assert {name: results[name] for name in plan if name != "kind"} == {n: plan[n] for n in plan if n != "kind"}
    found = results["found"]["sim/plain"]
    assert len(found["recordings"]["preference"]["replies"]) >= 132
    claim = found["claims"]["test_it.py::test_follows[sim/plain]"]
    assert (claim["claim"], claim["verdict"]) == ("> 0.5", "supported")
    assert found["gate"] == "open"


@pytest.mark.parametrize("name", ["plan.json", "results.json"])
def test_an_unchanged_study_is_verified_and_writes_no_report(llmpref, copy, name):
    done = llmpref(copy, "verify", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{name}: verified"
    assert not (copy / "reports").exists()
    # Its report vanishes with a temporary folder, so none is named.
    assert "results.json" not in done.stdout.rpartition("\n" + name)[0]


def test_the_same_study_has_the_same_bytes(llmpref, copy):
    """With workers, in another folder, and with recordings in another order."""
    path = cassette(copy)
    lines = lines_of(path)
    random.Random(0).shuffle(lines)
    write_lines(path, lines)
    edit(copy / "pytest.ini", "[pytest]", "[pytest]\naddopts = -n 2")
    assert llmpref(copy, "certify", "again.json", *WORDS).returncode == 0
    assert (copy / "again.json").read_bytes() == (copy / "results.json").read_bytes()


def change_entity(folder):
    lines = (folder / "twelve.csv").read_text().splitlines()
    lines[-1] = lines[-1].rpartition(",")[0] + ",another"
    (folder / "twelve.csv").write_text("\n".join(lines))


def rename_entity(folder):
    *lines, last = (folder / "twelve.csv").read_text().splitlines()
    name, _, others = last.partition(",")
    (folder / "twelve.csv").write_text("\n".join([*lines, f"{name} of Mars,{others}"]))


def change_margin(folder):
    edit(folder / "policy.toml", "0.5", "0.45")


def change_threshold(folder):
    edit(folder / "test_it.py", "> 0.4", "> 0.3")


def change_level(folder):
    edit(folder / "pytest.ini", "[pytest]", "[pytest]\nllmpref_alpha = 0.01")


def change_helper(folder):
    edit(folder / "test_it.py", "import pytest\n", "import pytest\nHELPER = 1\n")


def change_reply(folder):
    path = cassette(folder)
    lines = lines_of(path)
    entry = json.loads(lines[0])
    assert entry["reply"]["text"].strip() in {"A", "B"}
    entry["reply"]["text"] = entry["reply"]["text"].translate(str.maketrans("AB", "BA"))
    write_lines(path, [json.dumps(entry), *lines[1:]])


FIRST = "changed: functions > test_it.py::test_follows"
CHANGES = {
    change_entity: ("plan.json", "changed: entities: "),
    change_margin: ("plan.json", f"{FIRST} > policy: margin: was 0.5, now 0.45"),
    change_threshold: ("plan.json", "changed: functions > test_it.py::test_again: source: changed"),
    change_level: ("plan.json", f"{FIRST}: alpha: was 0.05, now 0.01"),
    change_helper: ("plan.json", "changed: files: test_it.py: changed\nplan.json: 1 CHANGED"),
    change_reply: ("results.json", "changed: found > sim/plain > recordings > "),
}
"""What changes -> which certificate says so, and how."""


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_named(llmpref, copy, change):
    name, said = CHANGES[change]
    change(copy)
    done = llmpref(copy, "verify", name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout
    assert "CHANGED" in done.stdout.splitlines()[-1]


def test_the_cause_is_named_before_the_verdicts_that_changed_with_it(llmpref, copy):
    change_margin(copy)
    done = llmpref(copy, "verify", "results.json")
    first, *_ = [line for line in done.stdout.splitlines() if line.startswith("changed: ")]
    assert first == f"{FIRST} > policy: margin: was 0.5, now 0.45"


def test_the_cause_is_named_where_the_study_cannot_be_replayed_any_more(llmpref, copy):
    rename_entity(copy)
    done = llmpref(copy, "verify", "results.json")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert next(line for line in lines if line.startswith("changed: ")).startswith("changed: entities: ")
    assert lines[-2] == ("results.json: the verdicts were not compared, since pytest ended with status 4; see above")
    assert lines[-1].endswith(" CHANGED")
    # Recording more is no remedy.
    assert "trials are not recorded" in done.stderr
    assert "record just those" not in done.stderr


def test_recordings_that_are_gone_are_told_from_a_change_of_plan(llmpref, copy):
    write_lines(cassette(copy), lines_of(cassette(copy))[1:])
    done = llmpref(copy, "verify", "results.json")
    assert done.returncode == 1
    assert "what is asked and claimed is as certified" in done.stderr
    assert "so the verdicts were not verified" in done.stderr
    assert "changed: " not in done.stdout
    words = "pytest test_it.py --llmpref-entities=twelve.csv --llmpref-model=sim/plain --record-mode new_episodes"
    assert words in done.stderr


def test_the_command_that_records_has_only_the_words_of_the_user(llmpref, copy):
    words = ["test_it.py", "--model", "hosted_vllm/none", "--llmpref-entities", "twelve.csv"]
    done = llmpref(copy, "certify", "none.json", *words)
    assert done.returncode == 1
    command = done.stderr.partition("record just those with:\n")[2].splitlines()[0]
    assert command == f"  pytest {' '.join(words)} --record-mode new_episodes"
    assert "nothing was certified" in done.stderr


def test_pytest_does_not_warn_that_the_command_imported_the_plugin_before_it(pytester):
    """It asks so of every installed plugin; of one that is installed as editable, it does not know the modules."""
    pytester.makeconftest("import pytest; pytest.register_assert_rewrite('pytest_llmpref')")
    pytester.makepyfile("def test_any(): pass")
    run = pytester.runpytest_subprocess("-W", "error")
    assert run.ret == 0, run.stdout.str() + run.stderr.str()


WARMTH = """
from pytest_llmpref import Behaviour, entity_experiment

class Warmth(Behaviour):
    measure = fixture = "warmth"

    def experiment(self):
        return entity_experiment("warmth", ["How warm is {entity}?"], lambda text: text.count("!"))

def pytest_llmpref_behaviours():
    return [Warmth()]
"""


def test_a_prompt_that_changed_is_named_before_anything_is_recorded(llmpref, copy):
    (copy / "conftest.py").write_text(WARMTH)
    (copy / "test_warm.py").write_text("def test_warm(warmth):\n    assert warmth > 0\n")
    words = ["test_warm.py", *WORDS[1:]]
    done = llmpref(copy, "certify", "--plan", "warm.json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert llmpref(copy, "verify", "warm.json").returncode == 0
    edit(copy / "conftest.py", "How warm is", "How very warm is")
    done = llmpref(copy, "verify", "warm.json")
    assert done.returncode == 1
    said = "changed: models > sim/plain > warmth > questions: question 1: changed; question 2: changed; "
    assert f"{said}question 3: changed; and " in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-k", "again"], "a certificate is of whole files, and -k chooses a part"),
        (["--deselect", "test_it.py::test_again"], "and --deselect chooses a part"),
        (["--model", "sim/unheard"], "pytest ended with status"),
    ],
)
def test_what_cannot_be_certified_writes_nothing(llmpref, copy, words, said):
    done = llmpref(copy, "certify", "none.json", *WORDS, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (copy / "none.json").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("tests", ["-pevil"], "names the tests '-pevil', which are not in this folder"),
        ("tests", ["../elsewhere"], "which are not in this folder"),
        ("settings", {"header": "A=B"}, "holds the setting 'header', which no certificate has"),
        ("certificate", 2, "certificate 2, and this version reads 1"),
    ],
)
def test_a_certificate_of_somebody_elses_cannot_add_options(llmpref, copy, name, value, said):
    (copy.parent / "elsewhere").mkdir()
    content = json.loads((copy / "plan.json").read_text()) | {name: value}
    (copy / "plan.json").write_text(json.dumps(content))
    done = llmpref(copy, "verify", "plan.json")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
