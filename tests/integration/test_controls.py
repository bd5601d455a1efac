"""Negative controls as options of a run."""

import json

from repository import ROOT

from pytest_llmpref.cli import main
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.files import data_folder

SEED = "--llmpref-control-seed=1"
"""Of 40 permutations (seeds 0 to 39) one is refuted, one supported and 38 are inconclusive, as 5% errors promise."""


def test_the_control_is_an_option_and_is_said_in_the_results(pytester):
    pytester.makepyfile("""
        from pytest_llmpref import spearman
        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0
    """)
    for control, verdict in (("none", "supported"), ("permuted-entities", "inconclusive"),
                             ("fictitious-entities", "invalid")):  # fmt: skip
        run = pytester.runpytest_subprocess(
            "--model=sim/paper-a", "--profile=smoke", f"--llmpref-control={control}", SEED
        )
        found = json.loads((pytester.path / "reports/latest/results.json").read_text())
        assert found["run"]["control"] == control
        (claim,) = found["models"]["sim/paper-a"]["claims"]
        assert claim["verdict"] == verdict, run.stdout.str()
        if control != "none":
            run.stdout.fnmatch_lines([f"CONTROL ({control})*"])
    assert found["run"]["entities"] == "fictitious"


def test_the_invented_names_have_a_set_of_their_own(pytester):
    assert len(load_entities(data_folder("fixtures") / "entities" / "fictitious.toml")) == 72
    pytester.makepyfile("def test_it(preferences):\n    assert preferences.valid")
    run = pytester.runpytest_subprocess(
        "--model=sim/null", "--llmpref-control=fictitious-entities", "--llmpref-entities=mine.csv"
    )
    assert run.ret == 4
    run.stderr.fnmatch_lines(["*mine.csv: --llmpref-control fictitious-entities has a set of its own; drop one*"])


def test_over_the_real_recording_invented_names_give_nothing(pytester):
    run = pytester.runpytest_subprocess(
        ROOT / "suites/replication/test_donation_advice.py",
        "--model=local/gemma-3-270m",
        f"--llmpref-cassettes={ROOT / 'cassettes'}",
        f"--report-dir={pytester.path / 'reports'}",
        "--llmpref-control=fictitious-entities",
    )
    assert run.ret == 0
    record = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["local/gemma-3-270m"]
    assert not record["measures"]["preference"]["valid"]
    relations = [claim for claim in record["claims"] if claim["entity"] is None]
    assert {claim["verdict"] for claim in relations} == {"invalid"}
    assert len(relations) == 4


def test_a_control_opens_no_gate_and_is_said_wherever_its_figures_are(pytester):
    pytester.makepyfile("""
        import pytest
        from pytest_llmpref import spearman
        @pytest.mark.gate
        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.98
    """)
    words = ("--model=sim/paper-a", "--profile=smoke")
    assert pytester.runpytest_subprocess(*words).ret == 0
    reports = pytester.path / "reports"
    (reports / "latest").rename(pytester.path / "real")
    run = pytester.runpytest_subprocess(*words, "--llmpref-control=permuted-entities")
    assert run.ret == 1
    run.stdout.fnmatch_lines(["GATE INCOMPLETE: 0 of 1 ran.*"])
    found = json.loads((reports / "latest/results.json").read_text())
    assert found["models"]["sim/paper-a"]["claims"][0]["verdict"] == "supported"
    assert {found["gate"]["state"], found["models"]["sim/paper-a"]["gate"]["state"]} == {"incomplete"}
    for name in ("summary.md", "report.html"):
        assert "CONTROL (permuted-entities)" in (reports / "latest" / name).read_text()
        assert "CONTROL" not in (pytester.path / "real" / name).read_text()


def test_what_differs_from_a_control_is_no_change_of_a_model(pytester, capsys):
    pytester.makepyfile("""
        from pytest_llmpref import spearman
        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > -0.9
    """)
    words = ("--model=sim/paper-a", "--profile=smoke")
    permuted = "--llmpref-control=permuted-entities"
    for folder, more in (("real", ()), ("one", (permuted,)), ("other", (permuted, SEED))):
        assert pytester.runpytest_subprocess(*words, *more, f"--report-dir={folder}").ret == 0
    real, one, other = (f"{folder}/latest/results.json" for folder in ("real", "one", "other"))
    for old, new in ((real, one), (one, real), (one, other)):
        assert main(["diff", old, new]) == 2
        assert f"llmpref: {old}: the earlier run has the negative control" in capsys.readouterr().err
    assert main(["diff", one, one]) == 0
    assert capsys.readouterr().out.count("CONTROL (permuted-entities)") == 2
    run = pytester.runpytest_subprocess(*words, permuted, f"--baseline={real}")
    assert run.ret == 4
    run.stderr.fnmatch_lines([f"*--baseline *{real}: the earlier run has the negative control none*"])
