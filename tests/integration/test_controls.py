"""Negative controls as options of a run."""

import json

from repository import ROOT

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
