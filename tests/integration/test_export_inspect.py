"""A log that we write for Inspect opens by Inspect's own readers, with every trial, its transcript and its outcome."""

from pathlib import Path

import pytest
from results_record import changed, written

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cli import main
from pytest_llmpref.models.chat import Message, Reply, Request

log = pytest.importorskip("inspect_ai.log")


def test_a_log_opens_by_inspects_own_readers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = Request("sim/plain", (Message("system", "Be brief."), Message("user", "Apple or pear?")), 1.0, 8)
    cassette = Cassette.open(Path("cassettes"), "sim/plain")
    cassette.append(request, Reply("A", "stop", prompt_tokens=7, completion_tokens=1))
    keys = [request.key, "1" * 32]
    path = written(tmp_path, changed(("models", "sim/plain", "measures", "preference", "trials", "key"), keys))
    assert main(["export", str(path), "--format", "inspect", "--output", "logs"]) == 0
    found = log.read_eval_log("logs/sim--plain_preference.eval")
    assert (found.status, found.eval.task, found.eval.model) == ("success", "pytest_llmpref/preference", "sim/plain")
    assert found.eval.metadata["profile"] == "smoke"
    assert found.results.scores[0].metrics["apple"].value == 1500.0
    whole, clipped = sorted(found.samples, key=lambda sample: sample.metadata["key"] != request.key)
    assert [(one.role, one.text) for one in whole.messages] == [
        ("system", "Be brief."),
        ("user", "Apple or pear?"),
        ("assistant", "A"),
    ]
    assert whole.model_usage["sim/plain"].total_tokens == 8
    assert (whole.scores["outcome"].value, whole.scores["score"].value) == ("choice", 1.0)
    assert (clipped.output.completion, clipped.scores["outcome"].value) == ("I'd rather not.", "refusal")
    assert "score" not in clipped.scores
    table = pytest.importorskip("inspect_ai.analysis").samples_df("logs")
    assert sorted(table["score_outcome"]) == ["choice", "refusal"]
    assert sorted(zip(table["metadata_entity_1"], table["metadata_entity_2"], strict=True)) == [
        ("apple", "pear"),
        ("pear", "apple"),
    ]
