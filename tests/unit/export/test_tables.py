"""Results as tables: every trial, estimate and claim of results.json, in CSV and in Parquet."""

import csv
import json

import pytest
from repository import ROOT
from results_record import RECORD, changed, written

from pytest_llmpref.cli import main
from pytest_llmpref.export.records import TABLES, rows_of
from pytest_llmpref.notebooks import SavedResults
from pytest_llmpref.results.loading import load_results
from pytest_llmpref.results.measure_record import TrialColumns


def results(tmp_path):
    return load_results(written(tmp_path, RECORD))


def test_every_row_has_the_columns_of_its_table_and_no_other(tmp_path):
    found = results(tmp_path)
    for table, columns in TABLES.items():
        rows = list(rows_of(found, table))
        assert rows
        assert all(row.keys() == columns.keys() for row in rows)


def test_every_field_of_a_trial_is_a_column():
    assert {*TrialColumns.__struct_fields__} - {*TABLES["trials"]} == set()


def test_the_page_explains_every_column_of_trials():
    page = (ROOT / "docs/how-to/export.md").read_text(encoding="utf-8")
    _, _, explained = page.partition("## The columns of trials")
    assert [column for column in TABLES["trials"] if f"`{column}`" not in explained.partition("\n## ")[0]] == []


def test_trials_in_contexts_say_which_arm_their_entities_are_in(tmp_path):
    trials = ("models", "sim/plain", "measures", "preference", "trials")
    asked = changed((*trials, "context"), ["stated", None])["models"]["sim/plain"]["measures"]["preference"]["trials"]
    asked = {**asked, "drawing": [2, None], "arms": [["liked", "disliked"], None]}
    results = load_results(written(tmp_path, changed(trials, asked)))
    assert SavedResults(results).to_frame("trials")["arm_2"].iloc[0] == "disliked"
    first, second = rows_of(results, "trials")
    assert [first[name] for name in ("context", "drawing", "arm_1", "arm_2")] == ["stated", 2, "liked", "disliked"]
    assert (first["entities"], first["arms"]) == ("apple; pear", "liked; disliked")
    assert [second[name] for name in ("context", "arm_1", "arm_2", "arms")] == [None] * 4


def test_csv_holds_what_results_json_holds(tmp_path, capsys):
    path = written(tmp_path, RECORD)
    assert main(["export", str(path), "--format", "csv", "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / f"out/{name}.csv") for name in TABLES]
    trials = list(csv.DictReader((tmp_path / "out/trials.csv").open(encoding="utf-8")))
    assert [trial["entity_1"] for trial in trials] == ["apple", "pear"]
    assert [trial["score"] for trial in trials] == ["1.0", ""]
    assert [trial["first_is_a"] for trial in trials] == ["true", "false"]
    (measure,) = csv.DictReader((tmp_path / "out/measures.csv").open(encoding="utf-8"))
    assert (measure["entity"], measure["name"], measure["value"], measure["valid"]) == (
        "apple",
        "the Apple Fund",
        "1500.0",
        "true",
    )
    (claim,) = csv.DictReader((tmp_path / "out/claims.csv").open(encoding="utf-8"))
    assert (claim["verdict"], claim["relation"], claim["threshold"], claim["low"]) == ("supported", ">", "0.5", "0.6")


def test_parquet_has_types_and_nulls(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = written(tmp_path, RECORD)
    assert main(["export", str(path), "--format", "parquet"]) == 0
    table = parquet.read_table(tmp_path / "export/trials.parquet")
    assert table.column("score").to_pylist() == [1.0, None]
    assert {str(field.type) for field in table.schema} == {"string", "bool", "int64", "double"}
    as_csv = [row["key"] for row in rows_of(results(tmp_path), "trials")]
    assert table.column("key").to_pylist() == as_csv


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    path = written(tmp_path, json.loads(json.dumps(RECORD)))
    assert main(["export", str(path), "--format", "csv", "--output", str(tmp_path / "out")]) == 1
    assert "cannot write" in capsys.readouterr().err
