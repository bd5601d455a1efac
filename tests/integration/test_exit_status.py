"""The exit status agrees with the gate's line: each row of the table in docs/how-to/first-gate.md, tried."""

import re
import xml.etree.ElementTree as ET

import pytest
from repository import ROOT

HEAD = """
    import pytest
    from pytest_llmpref import spearman

    @pytest.mark.gate
    def test_gate(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""
CLOSED = HEAD.replace("> 0.5", "< 0.5")
SKIPPED = f"{HEAD}\n    @pytest.mark.gate\n    def test_skipped(preferences):\n        pytest.skip('not today')\n"
PART = f"{HEAD}\n    @pytest.mark.gate\n    def test_other(preferences):\n        pass\n"
INTERRUPTED = f"{CLOSED}\n    @pytest.mark.gate\n    def test_then(preferences):\n        raise KeyboardInterrupt\n"
OWN = f"{HEAD}\n    def test_own():\n        pass\n"

CASES = {
    "open": (HEAD, (), "sim/plain", 0, "OPEN"),
    "a part that was chosen": (PART, ("-k", "test_gate"), "sim/plain", 0, "INCOMPLETE"),
    "no model, beside another test": (OWN, ("-k", "own"), "", 0, "NOT RUN"),
    "closed": (CLOSED, (), "sim/plain", 1, "CLOSED"),
    "skipped": (SKIPPED, (), "sim/plain", 1, "INCOMPLETE"),
    "no model, strict, beside another test": (OWN, ("-k", "own", "--llmpref-strict"), "", 1, "NOT RUN"),
    "Ctrl-C after a gate failed": (INTERRUPTED, (), "sim/plain", 2, "CLOSED"),
    "Ctrl-C before the second gate": (INTERRUPTED.replace("< 0.5", "> 0.5"), (), "sim/plain", 2, "INCOMPLETE"),
    "open and not written": (HEAD, ("--report-dir", "file"), "sim/plain", 3, "INCOMPLETE"),
    "closed and not written": (CLOSED, ("--report-dir", "file"), "sim/plain", 3, "CLOSED"),
    "not recorded": (HEAD, (), "openai/gpt-x", 4, "INCOMPLETE"),
    "no model": (HEAD, (), "", 4, "NOT RUN"),
}
"""How the run ends -> source, options, model, exit status, and the state in the last line."""
ELSEWHERE = {
    (1, "OPEN"),  # another test failed: here below
    (2, "INCOMPLETE"),  # a limit: test_plan_and_budget.py
    (75, "none"),  # batches under way: test_batched_study.py
}


def last_line(run):
    text = run.stdout.str()
    return " ".join(text[text.rindex("GATE ") :].partition("\n=")[0].split())


@pytest.mark.parametrize(("source", "options", "model", "status", "state"), CASES.values(), ids=CASES)
def test_status_and_last_line_agree(suite, pytester, source, options, model, status, state):
    (pytester.path / "file").write_text("")
    run = suite(source, *options, model=model)
    assert last_line(run).startswith(f"GATE {state}: "), run.stdout.str()
    assert run.ret == status
    # A path may be longer by itself.
    assert not [line for line in ours(run) if len(line) > 80 and not line.startswith(str(pytester.path))]


def ours(run):
    """The lines of the last screen, without what GitHub reads."""
    text = run.stdout.str()
    start = text.rindex("= llmpref: ") if "= llmpref: " in text else text.rindex("GATE ")
    shown = re.split(r"\n[=!]", text[start:])[0]
    return [line for line in shown.split("\n")[1:] if not line.startswith("::")]


def test_another_test_that_fails_is_told_by_the_status_alone(suite):
    run = suite(OWN.replace("pass", "assert False"))
    assert (last_line(run)[:10], run.ret) == ("GATE OPEN:", 1)


def test_the_table_of_the_page_has_these_rows():
    page = (ROOT / "docs/how-to/first-gate.md").read_text().partition("## Which exit status to expect")[2]
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", page.partition("\n## ")[0], re.MULTILINE)
    told = {
        (int(status), state) for status, states in rows for state in re.findall(r"`GATE ([A-Z ]+)`", states) or ["none"]
    }
    assert told == {(status, state) for *_, status, state in CASES.values()} | ELSEWHERE


def test_results_that_cannot_be_written_open_no_gate_and_the_verdicts_are_shown(suite, pytester):
    (pytester.path / "file").write_text("")
    run = suite(HEAD, "--report-dir", "file", "--junitxml=junit.xml")
    lines = run.stdout.lines
    assert last_line(run) == "GATE INCOMPLETE: 1 of 1 supported, but the results could not be written or shown"
    assert any(line.startswith(" + gate [gate") for line in lines)
    assert any(line.startswith("preference ") for line in lines)
    assert "cannot write (Not a directory)" in " ".join(run.stdout.str().split())
    suites = ET.parse(pytester.path / "junit.xml").getroot().iterfind("./testsuite/properties/property")
    assert [one.get("value") for one in suites if one.get("name") == "llmpref.gate"] == ["incomplete"]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "a worker"])
def test_a_replay_that_cannot_start_says_everywhere_why_its_gate_did_not_run(suite, pytester, monkeypatch, workers):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    run = suite(HEAD, "--junitxml=junit.xml", *workers, model="openai/gpt-x")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    why = "openai/gpt-x: 264 trials are not recorded, and --record-mode none asks nothing; recording all of them"
    assert last_line(run).startswith(f"GATE INCOMPLETE: 0 of 1 ran. Not run: test_gate ({why} ")
    shown = run.stdout.str()
    assert f"::openai/gpt-x: it did not run ({why}" in shown
    assert "PART OF THE TESTS (it could not start)" in shown
    assert "record just those with:" in shown + run.stderr.str()
    folder = pytester.path / "reports/latest"
    for text in (pytester.path / "step.md", folder / "summary.md"):
        assert "264 trials are not recorded" in " ".join(text.read_text().split())
    assert (folder / "results.json").is_file()
    suites = ET.parse(pytester.path / "junit.xml").getroot().iterfind("./testsuite/properties/property")
    assert [one.get("value") for one in suites if one.get("name") == "llmpref.gate"] == ["incomplete"]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "a worker"])
def test_damaged_recordings_keep_the_gates_line(suite, pytester, workers):
    folder = pytester.path / "damaged"
    folder.mkdir()
    (folder / "openai--gpt-x.jsonl").write_text('{"no": "interaction"}\n{"nor": "this"}\n')
    run = suite(HEAD, f"--llmpref-cassettes={folder}", *workers, model="openai/gpt-x")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert last_line(run).startswith("GATE INCOMPLETE: 0 of 1 ran. Not run: test_gate (")
    assert "the run ended before it" not in last_line(run)
    assert (pytester.path / "reports/latest/summary.md").is_file()
