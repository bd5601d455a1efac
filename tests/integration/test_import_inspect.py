"""Logs of Inspect's are imported by its own reader: epochs, refusals, errors and limits are kept apart."""

import pytest

from pytest_llmpref import open_study
from pytest_llmpref.cli import main
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.imports.tables import rows_of

log = pytest.importorskip("inspect_ai.log")
model = pytest.importorskip("inspect_ai.model")
scorer = pytest.importorskip("inspect_ai.scorer")
error = pytest.importorskip("inspect_ai._util.error")


def sample(number, epoch, text, stop="stop", **more):
    output = model.ModelOutput.from_content("lab/x", text, stop_reason=stop)
    return log.EvalSample(
        id=f"s{number}",
        epoch=epoch,
        input="Write a poem.",
        target="",
        output=output,
        metadata={"whom": ["us", "china"][number % 2]},
        **more,
    )


def written(folder, samples):
    spec = log.EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task="poems",
        dataset=log.EvalDataset(),
        model="lab/x",
        config=log.EvalConfig(),
    )
    path = folder / "poems.eval"
    log.write_eval_log(log.EvalLog(eval=spec, samples=samples, status="success"), str(path))
    return path


def test_samples_are_trials_and_what_ended_otherwise_is_no_reply(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed = error.EvalError(message="down", traceback="", traceback_ansi="")
    written(
        tmp_path,
        [
            sample(0, 1, "Here is the poem. The river runs and the wind is cold."),
            sample(0, 2, "I'm sorry, but I can't help with that."),
            sample(1, 1, "", "content_filter"),
            sample(1, 2, "Here", "max_tokens"),
            sample(2, 1, "", error=failed),
            sample(3, 1, "Here", limit=log.EvalSampleLimit(type="message", limit=1)),
        ],
    )
    words = ["--column", "entity=metadata.whom", "--column", "question=sample"]
    assert main(["import", "replies", "poems.eval", *words]) == 0
    with open_study("imported/lab/x", cassettes="cassettes") as study:
        trials = study.open_refusals.trials
    ended = {(trial.question, trial.repetition): (trial.entities[0], trial.outcome.value) for trial in trials}
    assert ended == {
        ("s0", 0): ("us", "choice"),
        ("s0", 1): ("us", "refusal"),
        ("s1", 0): ("china", "refusal"),
        ("s1", 1): ("china", "truncated"),
        ("s2", 0): ("us", "error"),
        ("s3", 0): ("china", "truncated"),
    }


def test_what_we_export_can_be_imported_again(tmp_path, monkeypatch):
    from results_record import RECORD
    from results_record import written as results

    monkeypatch.chdir(tmp_path)
    assert main(["export", str(results(tmp_path, RECORD)), "--format", "inspect", "--output", "."]) == 0
    columns = {"first": "metadata.entity_1", "second": "metadata.entity_2", "chosen": "score.score"}
    words = [word for ours, theirs in columns.items() for word in ("--column", f"{ours}={theirs}")]
    words += ["--value", "1.0=first", "--value", "0.0=second", "--measure", "preference", "--name", "again"]
    cells = [row.cells for row in rows_of(tmp_path / "sim--plain_preference.eval")]
    assert [cell["metadata.entity_1"] for cell in cells] == ["apple", "pear"]
    assert [cell["score.outcome"] for cell in cells] == ["choice", "refusal"]


def test_a_log_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "x.eval").write_bytes(b"no log")
    with pytest.raises(ImportFileError, match="inspect-ai cannot read it"):
        list(rows_of(tmp_path / "x.eval"))
