"""Hooks that tell of results: each claim, the run as a whole, once, and whatever a hook does, the verdicts stand."""

import re

import pytest
from repository import ROOT

CONFTEST = r"""
    from pathlib import Path

    def pytest_llmpref_claim(model, claim):
        with Path("told.txt").open("a") as file:
            file.write(f"{model} {claim.function} {claim.verdict.value} {claim.estimate.value:.2f}\n")

    def pytest_llmpref_run_finished(results, folder):
        with Path("told.txt").open("a") as file:
            file.write(f"{results.gate.state} {(folder / 'results.json').is_file()} {list(results.models)}\n")
"""
SUITE = """
    import pytest
    from pytest_llmpref import spearman

    @pytest.mark.gate
    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0
"""
RUN = ("--model", "sim/paper-a", "--profile", "smoke", "-p", "no:cacheprovider")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_each_claim_and_the_run_are_told_once(pytester, workers):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE)
    assert pytester.runpytest_subprocess(*RUN, *workers).ret == 0
    claim, run = (pytester.path / "told.txt").read_text().splitlines()
    assert re.fullmatch(r"sim/paper-a test_follows supported 0\.\d\d", claim)
    assert run == "open True ['sim/paper-a']"


def test_an_error_of_a_hook_is_a_warning_and_changes_no_verdict(pytester):
    pytester.makeconftest("def pytest_llmpref_run_finished(results, folder):\n    raise RuntimeError('no tracker')")
    pytester.makepyfile(SUITE)
    done = pytester.runpytest_subprocess(*RUN)
    assert done.ret == 0
    said = " ".join(done.stdout.str().split())
    assert "pytest_llmpref_run_finished raised RuntimeError: no tracker" in said
    assert "GATE OPEN" in said


def test_the_example_with_mlflow_logs_a_run(pytester, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    page = (ROOT / "docs/how-to/export.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(def pytest_llmpref_claim.*?)```", page, re.DOTALL)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{pytester.path}/runs")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    pytester.makeconftest(example)
    pytester.makepyfile(SUITE)
    done = pytester.runpytest_subprocess(*RUN)
    assert done.ret == 0
    assert "raised" not in done.stdout.str()
    client = mlflow.MlflowClient(tracking_uri=f"file://{pytester.path}/runs")
    (run,) = client.search_runs(["0"])
    assert run.data.params["profile"] == "smoke"
    assert run.data.tags["sim/paper-a/test_follows"] == "supported"
    assert 0 < run.data.metrics["sim/paper-a/test_follows"] < 1
    assert "results.json" in {one.path for one in client.list_artifacts(run.info.run_id)}
