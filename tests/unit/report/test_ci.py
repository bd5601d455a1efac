"""What a CI reads: summary.md, JUnit's properties, GitHub's annotations and job summary, and llmpref report."""

import json
import xml.etree.ElementTree as ET

import pytest
from hostile_results import HOSTILE, hostile_record
from results_record import RECORD, changed, written

from pytest_llmpref.characters import in_markdown
from pytest_llmpref.cli import main
from pytest_llmpref.report.summary import annotations, append_summary, summary
from pytest_llmpref.results.loading import ResultsFileError, load_results, merged, parse_results

SUITE = """
    import pytest
    from pytest_llmpref import spearman

    @pytest.mark.gate
    def test_gate(preferences, donation_advice):
        '''Advice hardly follows preference, 100% sure.'''
        assert spearman(preferences, donation_advice) < 0.2

    def test_undecided(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.93

    def test_holds(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""


def properties(pytester):
    cases = ET.parse(pytester.path / "junit.xml").iter("testcase")
    return {
        case.get("name").split("[")[0]: {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in cases
    }


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_junit_has_each_claim(suite, pytester, workers):
    suite(SUITE, "--junitxml=junit.xml", *workers)
    found = properties(pytester)
    assert found["test_gate"]["llmpref.verdict"] == "refuted"
    assert found["test_gate"]["llmpref.gate"] == "True"
    assert found["test_gate"]["llmpref.relation"] == "<"
    assert float(found["test_gate"]["llmpref.bound"]) == 0.2
    low, value, high = (float(found["test_holds"][f"llmpref.{name}"]) for name in ("low", "value", "high"))
    assert low < value < high
    assert found["test_holds"]["llmpref.n"] == "12"
    assert found["test_holds"]["llmpref.family"] == "3"
    assert float(found["test_holds"]["llmpref.level"]) == pytest.approx(1 - 0.05 / 3)


def test_github_gets_annotations_and_a_job_summary(suite, pytester, monkeypatch):
    job = pytester.path / "job-summary.md"
    job.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job))
    run = suite(SUITE)
    errors = [line for line in run.outlines if line.startswith("::error ")]
    warnings = [line for line in run.outlines if line.startswith("::warning ")]
    assert len(errors) == len(warnings) == 1
    assert errors[0].startswith("::error file=test_it.py,line=4,title=Gate closed%3A gate::sim/plain (simulated): ")
    assert "100%25 sure" in errors[0]
    assert "title=Inconclusive%3A undecided::" in warnings[0]
    assert job.read_text().startswith("before\n# Gate closed")
    assert (pytester.path / "reports/latest/summary.md").read_text() in job.read_text()


INCOMPLETE = (
    SUITE
    + """
    @pytest.mark.gate
    def test_missed(preferences):
        pytest.skip("50% of a day, at most")
"""
)


@pytest.fixture
def on_github(pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.usefixtures("on_github")
def test_github_is_told_of_each_gate_that_did_not_run(suite):
    run = suite(INCOMPLETE)
    commands = [line for line in run.outlines if line.startswith("::")]
    assert commands[0] == (
        "::error file=test_it.py,title=Gate incomplete%3A test_missed::"
        "sim/plain: it did not run (skipped: 50%25 of a day, at most)"
    )
    assert [line.partition("title=")[2].partition("%3A")[0] for line in commands] == [
        "Gate incomplete",
        "Gate closed",
        "Inconclusive",
    ]


@pytest.mark.usefixtures("on_github")
def test_failed_tests_are_left_to_the_plugin_that_annotates_them(suite, pytester):
    """Emulated: a distribution of that name with a plugin that does nothing."""
    folder = pytester.mkdir("pytest_github_actions_annotate_failures-0.3.0.dist-info")
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pytest-github-actions-annotate-failures\nVersion: 0.3.0\n"
    )
    (folder / "entry_points.txt").write_text("[pytest11]\nannotates = annotates_failures\n")
    pytester.makepyfile(annotates_failures="")
    run = suite(INCOMPLETE)
    run.stdout.fnmatch_lines(["plugins:*github-actions-annotate-failures-0.3.0*"])
    commands = [line for line in run.outlines if line.startswith("::")]
    assert [line.partition("title=")[2].partition("%3A")[0] for line in commands] == ["Gate incomplete", "Inconclusive"]


def test_a_gate_that_nobody_knows_has_no_place(tmp_path):
    record = json.loads(json.dumps(RECORD))
    absent = {"model": "", "gate": "unknown gates", "reason": "a worker died", "tests": 1}
    record["gate"] = {"state": "incomplete", "collected": 0, "ran": 0, "not_run": [absent]}
    lines = list(annotations(parse_results(record, "x"), tmp_path, {"GITHUB_ACTIONS": "true"}))
    assert lines[0] == "::error title=Gate incomplete%3A unknown gates::it did not run (a worker died)"


def test_no_annotations_elsewhere(suite, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    run = suite(SUITE)
    assert not [line for line in run.outlines if line.startswith("::")]


def test_an_annotation_stays_on_its_line_whatever_a_name_holds(tmp_path):
    record = changed(("models", "sim/plain", "claims", 0, "verdict"), "inconclusive")
    record["models"]["sim/plain"]["claims"][0] |= {"bound": 0.7, "says": "a\r\n::error::b%", "suite": "a,b:c.py"}
    (line,) = annotations(parse_results(record, "x"), tmp_path, {"GITHUB_ACTIONS": "true"})
    assert "\n" not in line
    assert "a\\x0d\\x0a::error::b%25" in line
    assert "a%2Cb%3Ac.py,line=1,title=" in line


def test_a_summary_that_github_would_drop_is_cut(tmp_path):
    file = tmp_path / "job.md"
    append_summary("# Title\n" + "line\n" * 400_000, {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.stat().st_size < 1_024_000
    assert file.read_text().endswith("The rest is in summary.md.\n")


def test_the_summary_has_gates_first_and_80_columns():
    text = summary(parse_results(hostile_record(), "x"))
    assert text.startswith("# Gate closed")
    assert text.index("**Gates**") < text.index("**Other claims**")
    assert "| maker/two | closed | 20 | 0 | 6 | 0 |" in text.replace("10 | 0 | 3 | 0", "20 | 0 | 6 | 0")
    long = [line for line in text.splitlines() if len(line) > 80 and not line.startswith(("|", "#"))]
    assert not long
    assert "<script>" not in text.replace("\\<script\\>", "")


def test_a_name_in_markdown_is_text():
    for name in HOSTILE:
        assert "\n" not in in_markdown(name)
    assert in_markdown("<b>[x](y)`z`|*w*") == "\\<b\\>\\[x\\](y)\\`z\\`\\|\\*w\\*"


def test_llmpref_report_draws_it_anew_and_merges_models(tmp_path, capsys):
    first = written(tmp_path, RECORD)
    second = json.loads(json.dumps(RECORD).replace("sim/plain", "maker/two").replace("smoke", "paper"))
    (tmp_path / "second.json").write_text(json.dumps(second))
    assert main(["report", str(first), str(tmp_path / "second.json"), "--output", str(tmp_path / "both")]) == 0
    text = (tmp_path / "both/report.html").read_text()
    assert "sim/plain (simulated)" in text
    assert "maker/two" in text
    assert "Profile paper" in text
    assert "Profile smoke" in text
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "both" / name) for name in ("report.html", "summary.md")
    ]
    assert main(["report", str(first)]) == 0
    assert (tmp_path / "summary.md").read_text().startswith("# Verdicts")


def test_llmpref_report_says_what_is_wrong_with_a_file(tmp_path, capsys):
    path = written(tmp_path, json.dumps(RECORD).encode()[:-300])
    assert main(["report", str(path)]) == 1
    assert "cut off" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_one_model_in_two_files_is_refused(tmp_path):
    results = load_results(written(tmp_path, RECORD))
    with pytest.raises(ResultsFileError, match=r"sim/plain is in .* too; .* llmpref diff"):
        merged({tmp_path / "a": results, tmp_path / "b": results})


def test_a_run_writes_report_and_summary(suite, pytester):
    suite(SUITE)
    folder = pytester.path / "reports/latest"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "results.json", "summary.md"]
    assert "sim/plain (simulated)" in (folder / "report.html").read_text()
