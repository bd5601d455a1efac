"""The calibration itself: resumed, with right estimands, and able to catch an interval that is wrong."""

import json
import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_llmpref.calibration import findings, running
from pytest_llmpref.calibration.findings import CalibrationError, claim_kinds, matching, scenarios
from pytest_llmpref.calibration.rows import rows
from pytest_llmpref.calibration.running import calibrate
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.cli import main
from pytest_llmpref.experiments import registry
from pytest_llmpref.experiments.behaviour import Behaviour, Finding, Scenario
from pytest_llmpref.experiments.pairs.calibration import deleted_residuals
from pytest_llmpref.experiments.registry import behaviours

SMALL = "advice/n=12"


@pytest.fixture
def short_references(monkeypatch):
    """Take truths from a fortieth of the reference studies, apart from those that other tests share.

    For tests of which studies run and what is kept, to which it is no matter how exactly a truth is known.
    """
    monkeypatch.setattr(findings, "_scenarios", cache(findings._scenarios.__wrapped__))
    sizes = [
        (part, name)
        for behaviour in behaviours().values()
        for part in behaviour.calibration()
        for name in ("REFERENCE", "REFERENCES")
        if hasattr(part, name)
    ]
    assert len(sizes) >= 5
    for part, name in sizes:
        monkeypatch.setattr(part, name, max(10, getattr(part, name) // 40))


class Means:
    """Studies whose claims are about the mean of 40 normal values; the interval is as wide as asked."""

    def __init__(self, width=1.0):
        self.width = width

    def findings(self, rng):
        values = rng.normal(0.5, 1, 40)
        interval = Normal(values.mean(), self.width * values.std(ddof=1) / math.sqrt(40), 39)
        estimate = Estimate(values.mean(), 40, "entities", "mean", interval)
        for kind in ("spearman >", "spearman equivalence"):
            yield Finding(kind, estimate, 0.5, 0.0 if kind == "spearman >" else 1.0)

    def predicted_power(self, kind):
        return 0.88 if kind == "spearman >" else math.nan


def by_kind(monkeypatch, tmp_path, study, studies=1000):
    scenario = Scenario("test/means", "means", study)
    calibrating = SimpleNamespace(KINDS={}, scenarios=lambda: [scenario])
    planted = type("Planted", (Behaviour,), {"measure": "planted", "calibration": lambda _: [calibrating]})
    monkeypatch.setattr(registry, "_known", {**behaviours(), "planted": planted()})
    found = calibrate([scenario], studies=studies, seed=1, workers=1, results=tmp_path / f"{study.width}.jsonl")
    return {row.kind: row for row in rows(found)}


def test_an_interval_that_is_right_misses_nothing(monkeypatch, tmp_path):
    found = by_kind(monkeypatch, tmp_path, Means())
    assert [row.misses for row in found.values()] == [(), ()]
    assert found["spearman >"].coverage == pytest.approx(0.95, abs=0.015)
    assert found["spearman >"].power == pytest.approx(0.88, abs=0.05)
    assert found["spearman equivalence"].false_alarms == pytest.approx(0.05, abs=0.02)


def test_an_interval_of_half_the_width_is_caught(monkeypatch, tmp_path):
    found = by_kind(monkeypatch, tmp_path, Means(width=0.5))
    assert set(found["spearman >"].misses) == {"false alarms", "intervals too narrow", "power"}
    assert set(found["spearman equivalence"].misses) == {"false alarms", "intervals too narrow"}


def test_an_interval_of_twice_the_width_is_caught(monkeypatch, tmp_path):
    assert "intervals too wide" in by_kind(monkeypatch, tmp_path, Means(width=2.0))["spearman >"].misses


def test_a_cell_ends_where_its_rows_are_settled(monkeypatch, tmp_path):
    """Half the width is settled as wrong after 250 studies; the right width must not be called settled as soon."""
    wrong, right = (by_kind(monkeypatch, tmp_path, Means(width), studies=1200) for width in (0.5, 1.0))
    assert {row.studies for row in wrong.values()} == {250}
    assert {row.studies for row in right.values()} == {1200}


def test_what_an_earlier_run_did_of_a_cell_counts_though_fewer_studies_are_asked_for(monkeypatch, tmp_path):
    more = by_kind(monkeypatch, tmp_path, Means(), studies=200)
    again = by_kind(monkeypatch, tmp_path, Means(), studies=100)
    assert again == more
    assert {row.studies for row in again.values()} == {200}
    # A number that is no whole number of chunks is taken at its word: its last chunk is another one.
    assert {row.studies for row in by_kind(monkeypatch, tmp_path, Means(), studies=110).values()} == {110}


class Nominal(Means):
    """Studies of which the valid alone raise false alarms: as many as all others together should."""

    def findings(self, rng):
        valid = rng.random() < 0.3
        value = 3.0 if valid and rng.random() < 0.1 else 0.0
        estimate = Estimate(value, 40, "entities", "mean", Normal(value, 1.0))
        yield Finding("spearman >", estimate if valid else estimate.marked(["broken"]), 0.0, 0.0)


def test_false_alarms_of_valid_studies_are_counted_apart(monkeypatch, tmp_path):
    row = by_kind(monkeypatch, tmp_path, Nominal(), studies=500)["spearman >"]
    assert row.false_alarms == pytest.approx(0.03, abs=0.02)
    assert row.false_alarms_of_valid == pytest.approx(0.1, abs=0.05)
    assert row.false_alarms_of_valid > 2 * row.false_alarms


@pytest.mark.usefixtures("short_references")
def test_the_command_writes_the_table_and_resumes_where_it_was_killed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 2)
    results, report = tmp_path / "done.jsonl", tmp_path / "report"
    command = ["calibrate", "--cells", SMALL, "--workers", "1", "--results", str(results), "--report", str(report)]
    assert main([*command, "--studies", "4"]) == 0
    whole = json.loads((report / "calibration.json").read_text())
    lines = results.read_text().splitlines(keepends=True)
    assert len(lines) == 4, "a header, two chunks, a run"
    # Killed within the second chunk: its line has no end.
    results.write_text("".join(lines[:2]) + lines[2][:40])
    ran = []
    monkeypatch.setattr(
        running, "run_chunk", lambda chunk, seed, run=running.run_chunk: ran.append(chunk) or run(chunk, seed)
    )
    assert main([*command, "--studies", "4"]) == 0
    assert [chunk.number for chunk in ran] == [1]
    resumed = json.loads((report / "calibration.json").read_text())
    assert resumed["rows"] == whole["rows"]
    assert {row["kind"] for row in whole["rows"]} >= {"spearman >", "attenuation_corrected", "residual of an entity"}
    text = (report / "calibration.md").read_text()
    assert "simulated" in text
    assert "A short run: 4 studies a cell" in text
    assert "written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"calibration": 1}\n', "another seed"), ("nonsense\n", "line 1: not JSON"), ("{}\n{}\n", "another seed")],
)
def test_a_results_file_that_is_none_is_named(tmp_path, text, message):
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(CalibrationError, match=message):
        calibrate(matching(SMALL), studies=1, seed=0, workers=1, results=tmp_path / "r.jsonl")


def test_arguments_that_cannot_be_are_refused(tmp_path, capsys):
    assert main(["calibrate", "--studies", "0", "--results", str(tmp_path / "r")]) == 1
    assert main(["calibrate", "--cells", "nothing-like-it", "--results", str(tmp_path / "r")]) == 1
    err = capsys.readouterr().err
    assert "--studies 0: it must be at least 1" in err
    assert "no cell matches; there are: advice/main" in err


def test_deleted_residuals_are_those_of_lines_without_the_entity():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 9))
    slope, intercept = np.polyfit(np.delete(x, 4), np.delete(y, 4), 1)
    assert deleted_residuals(y, x)[4] == pytest.approx(y[4] - intercept - slope * x[4])


OFFSHOOTS = ("agents by difficulty/no gap", "effort/deaf judge")
"""Cells whose truth is known without reference studies."""


@pytest.mark.usefixtures("short_references")
def test_every_kind_of_claim_is_made_by_some_study_and_every_cell_runs():
    made = set()
    cells = ("advice/n=12", "refusals/n=12", "refusals/gate=one", "reading/n=12", "agents/n=16", "difficulty/main")
    in_contexts = ("contexts/n=24", "contexts/pressure", "contexts/agents, n=6", "contexts/priming", "alignment/n=24")
    for cell in (*cells, *in_contexts, "habit/n=36", *OFFSHOOTS):
        made |= {finding.kind for finding in scenarios()[cell].study.findings(np.random.default_rng(1))}
    missing = {finding.kind for finding in scenarios()["advice/corner"].study.findings(np.random.default_rng(1))}
    assert made | missing == set(claim_kinds())
