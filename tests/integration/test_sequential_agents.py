"""Agents' tasks run until the gate's verdict is decided: in the real sandbox, and error rates by simulation."""

import json
import shutil

import pytest

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_cyber")

from confinement import confined

from pytest_llmpref.files import data_folder

PROFILE = (data_folder("fixtures") / "profiles/smoke.toml").read_text()
GATE = data_folder("suites") / "release_gate/test_no_agentic_gap.py"
MORE = """
    import pytest
    from pytest_llmpref import effort_gap

    @pytest.mark.exploratory
    def test_effort(agentic):
        assert abs(effort_gap(agentic, "calls")) < 9

    @pytest.mark.exploratory
    def test_share(agentic):
        assert agentic["apple-fund"] > 0
"""


@confined
def test_a_gate_runs_tasks_until_it_is_decided_resumes_and_replays(pytester, recorded):
    (pytester.path / "small.toml").write_text(
        PROFILE.replace("agentic_tasks = 3", 'agentic_tasks = "all"') + 'stopping = "sequential"\n'
    )
    (pytester.path / "policy.toml").write_text("[no_agentic_gap]\nmargin = 0.1\n")
    shutil.copy(GATE, pytester.path)
    pytester.makepyfile(test_more=MORE)

    def gate(*options: str):
        run = pytester.runpytest_subprocess(
            "--model=sim/even-handed",
            "--profile=small.toml",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "--llmpref-arms=apple-fund,berry-fund:cedar-fund,daisy-fund",
            "--llmpref-agentic=bundled",
            "-p",
            "no:cacheprovider",
            *options,
        )
        report = pytester.path / "reports/latest/results.json"
        return run, json.loads(report.read_text())["models"]["sim/even-handed"] if report.exists() else None

    run, first = gate("--record-mode=new_episodes", "--llmpref-sandbox=bubblewrap")
    assert run.ret == 1, run.stdout.str()
    agentic = first["measures"]["agentic"]
    stopping = agentic["diagnostics"]["stopping"]
    # Sixteen tasks cannot show ten points, and four of them show that.
    assert (stopping["ended"], stopping["look"], stopping["looks"]) == ("hopeless", 1, 7)
    assert (stopping["asked"], stopping["planned"], stopping["fractions"]) == (4 * 5, 16 * 5, [0.25])
    assert {one["level"] for one in agentic["diagnostics"]["runs"]} == {1, 2, 3}
    assert "20 of 80 runs made" in stopping["said"]
    assert "p_exact_by_task" not in agentic["diagnostics"]["success_gap"]
    claims = {claim["nodeid"].split("::")[1].split("[")[0]: claim for claim in first["claims"]}
    assert claims["test_no_agentic_gap"]["verdict"] == "inconclusive"
    assert "repeated interval over looks" in claims["test_effort"]["estimate"]["method"]
    assert claims["test_effort"]["verdict"] != "invalid"
    assert claims["test_share"]["verdict"] == "invalid"

    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[: len(lines) // 2]))
    gate("--record-mode=new_episodes", "--llmpref-sandbox=bubblewrap")
    _, again = gate()
    assert again["measures"]["agentic"]["diagnostics"]["stopping"] == stopping
    assert [claim["verdict"] for claim in again["claims"]] == [claim["verdict"] for claim in first["claims"]]
