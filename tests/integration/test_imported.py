"""A pytest run over imported models: measures, gates and reports are those of any model; missing data pass nothing."""

import csv
import json
import math
import random

import jsonschema

from pytest_llmpref.cli import main
from pytest_llmpref.results.json_schema import SCHEMA_FILE

SUITE = """
    import pytest
    from pytest_llmpref import spearman

    @pytest.mark.gate
    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0

    def test_covered(entity, preferences):
        assert preferences.coverage[entity.id] > 0.5

    @pytest.mark.gate
    def test_reads(preferences, boolq):
        assert spearman(preferences, boolq) < 0.5
"""


def votes(path, *, orders=2):
    rng, names = random.Random(0), [f"Fund {letter}" for letter in "ABCDEFGHIJKL"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "condition", "first", "second", "chosen"])
        for model in ("x", "y"):
            for condition in ("preference", "donation_advice"):
                for i in range(12):
                    for j in range(i):
                        liked = names[i] if rng.random() < 1 / (1 + math.exp(2 * (j - i))) else names[j]
                        for first, second in ((i, j), (j, i))[:orders]:
                            writer.writerow([model, condition, names[first], names[second], liked])


def run(pytester, *models, only=""):
    pytester.makepyfile(SUITE)
    words = [word for model in models for word in ("--model", model)]
    return pytester.runpytest_subprocess(*words, *(["-k", only] if only else []), "-p", "no:cacheprovider")


def test_imported_models_have_claims_gates_and_a_report(pytester, monkeypatch):
    monkeypatch.chdir(pytester.path)
    votes(pytester.path / "votes.csv")
    assert main(["import", "choices", "votes.csv", "--model", "all"]) == 0
    done = run(pytester, "imported/x", "imported/y")
    said = done.stdout.str()
    assert "answers: imported from votes.csv: 264 of 264 rows" in said
    assert "label bias not testable: no labels are known" in said
    assert "boolq is not testable from imported data" in " ".join(said.split())
    assert "GATE INCOMPLETE" in said
    assert done.ret != 0
    results = json.loads((pytester.path / "reports/latest/results.json").read_text())
    jsonschema.validate(results, json.loads(SCHEMA_FILE.read_text()), cls=jsonschema.Draft202012Validator)
    model = results["models"]["imported/x"]
    assert model["imported"]["kept"] == 264
    assert model["measures"]["preference"]["valid"]
    verdicts = {claim["nodeid"].split("::")[1].split("[")[0]: claim["verdict"] for claim in model["claims"]}
    assert verdicts == {"test_follows": "supported", "test_covered": "supported"}
    assert results["run"]["entities"] == "imported"
    assert results["entities"]["fund-a"] == {"name": "Fund A", "group": "all"}
    assert "imported from votes.csv" in (pytester.path / "reports/latest/report.html").read_text(encoding="utf-8")


def test_a_gate_is_closed_where_one_order_was_asked(pytester, monkeypatch):
    monkeypatch.chdir(pytester.path)
    votes(pytester.path / "votes.csv", orders=1)
    assert main(["import", "choices", "votes.csv", "--model", "x"]) == 0
    done = run(pytester, "imported/x", only="follows")
    assert "GATE CLOSED" in done.stdout.str()
    assert done.ret == 1
    results = json.loads((pytester.path / "reports/latest/results.json").read_text())
    (claim,) = results["models"]["imported/x"]["claims"]
    assert claim["verdict"] == "invalid"
    assert "position bias not testable" in " ".join(claim["reasons"])


def test_a_model_that_was_not_imported_is_named_before_any_test(pytester):
    done = run(pytester, "imported/nobody")
    done.stderr.fnmatch_lines(["*imported/nobody: nothing was imported under this name*"])
    assert done.ret == 4
