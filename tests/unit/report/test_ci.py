"""What a CI reads: summary.md, JUnit's properties, GitHub's annotations and job summary, and llmpref report."""

import json

import pytest
from hostile_results import HOSTILE, hostile_record
from results_record import RECORD, changed, written

from pytest_llmpref.characters import in_markdown
from pytest_llmpref.cli import main
from pytest_llmpref.report.summary import annotations, append_summary, summary
from pytest_llmpref.results.loading import ResultsFileError, load_results, merged, parse_results


def test_a_gate_that_nobody_knows_has_no_place(tmp_path):
    record = json.loads(json.dumps(RECORD))
    absent = {"model": "", "gate": "unknown gates", "reason": "a worker died", "tests": 1}
    record["gate"] = {"state": "incomplete", "collected": 0, "ran": 0, "not_run": [absent]}
    lines = list(annotations(parse_results(record, "x"), tmp_path, {"GITHUB_ACTIONS": "true"}))
    assert lines[0] == "::error title=Gate incomplete%3A unknown gates::it did not run (a worker died)"


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
