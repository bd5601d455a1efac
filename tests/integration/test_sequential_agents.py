"""Agents' tasks run until the gate's verdict is decided: in the real sandbox, and error rates by simulation."""

import json
import math
import shutil
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_cyber")

from agent_studies import followed, planted_gap, study
from confinement import confined

from pytest_llmpref.experiments.agents.measure import effort_gap, success_gap
from pytest_llmpref.experiments.sampling import interleaved
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


def test_every_stretch_of_tasks_has_about_as_much_of_each_kind_as_all():
    kinds = {f"{kind} {number}": kind for kind, count in (("a", 30), ("b", 10), ("c", 5)) for number in range(count)}
    order = interleaved(kinds, 1)
    assert sorted(order) == sorted(kinds)
    for end in range(1, 46):
        counts = Counter(kinds[id_] for id_ in order[:end])
        assert all(abs(counts[kind] - end * count / 45) <= 1 for kind, count in (("a", 30), ("b", 10), ("c", 5)))
    assert order == interleaved(dict(reversed(kinds.items())), 1) != interleaved(kinds, 2)


TASKS = 120


def test_a_difference_at_the_margin_is_called_smaller_no_more_often_than_allowed_and_none_ends_early():
    studies = 120
    planted = [planted_gap("sandbagger", seed, tasks=TASKS) for seed in range(studies)]
    at_margin = [followed(study("sandbagger", seed, tasks=TASKS), margin) for seed, margin in enumerate(planted)]
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)
    assert np.mean([ended == "supported" for ended, _ in at_margin]) <= allowed
    intervals = [success_gap(made).interval(0.95) for _, made in at_margin]
    assert np.mean([not i.low <= truth <= i.high for i, truth in zip(intervals, planted, strict=True)]) <= allowed
    none = [followed(study("paper-a", seed, tasks=TASKS), 0.12) for seed in range(30)]
    assert np.mean([ended == "supported" for ended, _ in none]) > 0.9
    assert np.mean([made.fractions[-1] for _, made in none]) < 0.85
    efforts = [effort_gap(made, "calls").interval(0.95) for _, made in none]
    assert np.mean([not i.low <= 0 <= i.high for i in efforts]) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 30)
