"""Choices that others got, imported from tables: what counts, what is refused, and what the study of them finds."""

import csv
import gzip
import json
import math
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import choix
import numpy as np
import pytest

from pytest_llmpref import open_study
from pytest_llmpref.cli import main
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.pairs.measure import comparisons_of
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.trials import trials_as
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.imports.choices import import_choices
from pytest_llmpref.imports.intake import Wanted, load_mapping
from pytest_llmpref.imports.store import StoredImportError, entity_set, load_import, path_of
from pytest_llmpref.imports.tables import rows_of
from pytest_llmpref.models.chat import ModelUnavailableError
from pytest_llmpref.models.opening import open_model
from pytest_llmpref.stats.closed_form import ELO_PER_LOGIT
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.study.studies import Studies

MEASURES = ("preference", "donation_advice", "refusal")
NAMES = ["Ada Fund", "Bees Trust", "the Cats Home", "Dogs & Co", "Elm Society", "Fox Watch", "Gulls", "Hare League"]


def wanted(tmp_path, **more):
    return Wanted(folder=tmp_path / "cassettes", **{"name": "m", "measure": "preference", **more})


def table(tmp_path, rows, name="votes.csv"):
    path = tmp_path / name
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def votes(rng, strengths, *, label=True, repeats=1):
    """Every ordered pair; each is decided alike in both orders, so that no position plays a part."""
    rows = []
    for _ in range(repeats):
        for i in range(len(strengths)):
            for j in range(i):
                wins = rng.random() < 1 / (1 + math.exp(strengths[j] - strengths[i]))
                for first, second in ((i, j), (j, i)):
                    row = {"first": NAMES[first], "second": NAMES[second], "chosen": NAMES[i if wins else j]}
                    rows.append(row | ({"label": "AB"[(first + second) % 2 ^ (first < second)]} if label else {}))
    return rows


def imported(tmp_path, rows, **more):
    (writer,) = import_choices(table(tmp_path, rows), wanted(tmp_path, **more), MEASURES)
    return writer


def measured(tmp_path, name="preference", model="imported/m"):
    with open_study(model, cassettes=str(tmp_path / "cassettes")) as study:
        return study[name]


def test_a_long_reply_is_read_and_other_readers_of_the_process_keep_their_limit(tmp_path):
    limit, path = csv.field_size_limit(), tmp_path / "long.csv"
    path.write_text(f"reply\n{'x' * (limit + 1)}\n", encoding="utf-8")
    assert [len(row.cells["reply"]) for row in rows_of(path)] == [limit + 1]
    assert csv.field_size_limit() == limit


def test_bradley_terry_of_imported_choices_is_that_of_choix(tmp_path):
    rng = np.random.default_rng(3)
    imported(tmp_path, votes(rng, rng.normal(0, 1, 8), label=False, repeats=20))
    measure = measured(tmp_path)
    comparisons = comparisons_of(trials_as(PairTrial, measure.trials), list(measure))
    ours = bradley_terry(comparisons, prior_sd=1e6).elo
    won = [
        (one, two) if chosen else (two, one)
        for one, two, chosen in zip(comparisons.first, comparisons.second, comparisons.score, strict=True)
    ]
    theirs = choix.opt_pairwise(8, won, alpha=0, method="Newton-CG", tol=1e-12)
    assert np.max(np.abs((ours - ours.mean()) / ELO_PER_LOGIT - (theirs - theirs.mean()))) < 1e-6
    assert len(comparisons) == 1_120


def test_bradley_terry_of_imported_choices_is_that_of_arena_rank(tmp_path):
    rank = pytest.importorskip("arena_rank.models.bradley_terry")
    pandas, data_utils = pytest.importorskip("pandas"), pytest.importorskip("arena_rank.utils.data_utils")
    rng = np.random.default_rng(3)
    rows = votes(rng, rng.normal(0, 1, 8), label=False, repeats=20)
    imported(tmp_path, rows)
    measure = measured(tmp_path)
    comparisons = comparisons_of(trials_as(PairTrial, measure.trials), list(measure))
    ours = dict(zip(measure, bradley_terry(comparisons, prior_sd=1e6).elo, strict=True))
    played = [
        {"model_a": row["first"], "model_b": row["second"], "winner": f"model_{'ab'[row['chosen'] == row['second']]}"}
        for row in rows
    ]
    data = data_utils.PairDataset.from_pandas(pandas.DataFrame(played))
    model = rank.BradleyTerry(len(data.competitors), ftol=1e-15, gtol=1e-12)
    model.fit(data)
    theirs = dict(zip(data.competitors, np.asarray(model.params["ratings"]), strict=True))
    names = {entity.name: entity.id for entity in load_import(tmp_path / "cassettes", "imported/m").header.entities}
    apart = np.array([ours[names[name]] / ELO_PER_LOGIT - value for name, value in theirs.items()])
    assert np.ptp(apart) < 1e-6


def test_a_study_of_imported_choices_has_measures_like_any_other(tmp_path):
    writer = imported(tmp_path, votes(np.random.default_rng(0), np.linspace(-2, 2, 8), repeats=3))
    assert writer.header.record.said == "imported from votes.csv: 168 of 168 rows"
    measure = measured(tmp_path)
    assert measure.valid, measure.reasons
    assert sorted(measure)[:4] == ["ada-fund", "bees-trust", "cats-home", "dogs-and-co"]
    assert measure["hare-league"].value > measure["ada-fund"].value
    assert measure.diagnostics["label_bias"]["n"] == 168
    assert measure.diagnostics["untestable"] == []
    assert measure.diagnostics["judged"] == 0
    assert len({trial.key for trial in measure.trials}) == 168


def test_without_labels_nothing_is_said_of_them(tmp_path):
    imported(tmp_path, votes(np.random.default_rng(0), np.linspace(-2, 2, 8), label=False, repeats=3))
    measure = measured(tmp_path)
    assert measure.valid, measure.reasons
    assert measure.diagnostics["label_bias"] is None
    assert measure.diagnostics["untestable"] == ["label bias not testable: no labels are known"]
    assert {trial.first_is_a for trial in trials_as(PairTrial, measure.trials)} == {None}
    assert "label" not in (measure.diagnostics["generalizability"] or {"swaps": {}})["swaps"]


def test_labels_of_a_part_of_the_trials_tell_nothing_of_the_others(tmp_path):
    rows = votes(np.random.default_rng(0), np.linspace(-2, 2, 8))
    rows[0]["label"] = ""
    imported(tmp_path, rows)
    (said,) = measured(tmp_path).diagnostics["untestable"]
    assert said == "label bias not testable: labels of 55 of 56 trials are known"


def test_one_order_of_each_pair_tells_no_preference_from_a_place(tmp_path):
    rows = [row for row in votes(np.random.default_rng(0), np.linspace(-2, 2, 8)) if row["first"] < row["second"]]
    imported(tmp_path, rows)
    measure = measured(tmp_path)
    assert not measure.valid
    assert "position bias not testable: each of 28 pairs is shown in one order only" in measure.reasons[-1]
    assert all(estimate.invalid for estimate in measure.estimates.values())


def test_an_entity_in_one_place_only_is_named(tmp_path):
    rows = votes(np.random.default_rng(0), np.linspace(-2, 2, 8), repeats=3)
    imported(tmp_path, [row for row in rows if row["second"] != "Gulls"])
    assert measured(tmp_path).reasons[-1].startswith("position bias not testable: shown in one place only: Gulls;")


def test_a_table_is_the_same_in_every_format(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = votes(np.random.default_rng(0), np.linspace(-2, 2, 8))
    paths = [table(tmp_path, rows), table(tmp_path, rows, "votes.jsonl"), tmp_path / "votes.parquet"]
    parquet.write_table(pyarrow.Table.from_pylist(rows), paths[2])
    paths.append(tmp_path / "votes.csv.gz")
    paths[3].write_bytes(gzip.compress(paths[0].read_bytes()))
    found = []
    for number, path in enumerate(paths):
        import_choices(path, wanted(tmp_path, name=f"m{number}"), MEASURES)
        found.append(load_import(tmp_path / "cassettes", f"imported/m{number}"))
    assert found[0].rows["preference"][0].entities == ("bees-trust", "ada-fund")
    assert all(one.rows == found[0].rows for one in found)


def test_what_does_not_count_is_counted(tmp_path):
    rows = votes(np.random.default_rng(0), np.linspace(-2, 2, 8))
    for number, row in enumerate(rows):
        row["id"] = str(number)
    rows += [
        {**rows[0], "id": "0"},
        {**rows[0], "id": "x", "second": rows[0]["first"]},
        {**rows[0], "id": "y", "first": ""},
        {**rows[0], "id": "z", "first": "?"},
        {**rows[0], "id": "u", "chosen": ""},
    ]
    writer = imported(tmp_path, rows)
    assert dict(writer.excluded) == {
        "duplicate id": 1,
        "an entity against itself": 1,
        "no entity": 1,
        "unusable name": 1,
        "no answer": 1,
    }
    assert writer.header.record.kept == 56
    assert "left out: 1 an entity against itself, 1 duplicate id" in writer.header.record.said


def test_the_words_of_the_data_are_mapped(tmp_path):
    outcomes = ["model_a", "model_b", "tie", "Ada Fund", "B", "refusal"]
    rows = [{"option 1": "Ada Fund", "option 2": "Gulls", "vote": vote, "a": "A", "kind": "likes"} for vote in outcomes]
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[columns]\nfirst = "option 1"\nsecond = "option 2"\nchosen = "vote"\nlabel = "a"\ncondition = "kind"\n'
        '[values]\nmodel_a = "first"\nmodel_b = "second"\ntie = "abstention"\n[measures]\nlikes = "preference"\n'
    )
    asked = load_mapping(mapping)
    more = {"measure": "", "columns": asked.columns, "values": asked.values, "measures": asked.measures}
    imported(tmp_path, rows, **more)
    rows = load_import(tmp_path / "cassettes", "imported/m").rows["preference"]
    assert [row.given for row in rows] == ["first", "second", "abstention", "first", "second", "refusal"]
    assert [row.repetition for row in rows] == [0, 1, 2, 3, 4, 5]
    outcomes = measured(tmp_path).diagnostics["outcomes"]
    assert (outcomes["choice"], outcomes["abstention"], outcomes["refusal"]) == (4, 1, 1)


def test_counts_are_so_many_choices(tmp_path):
    rows = [{"first": "Ada Fund", "second": "Gulls", "first_count": 3, "second_count": 2}]
    imported(tmp_path, rows)
    rows = load_import(tmp_path / "cassettes", "imported/m").rows["preference"]
    assert [row.given for row in rows] == ["first"] * 3 + ["second"] * 2


def test_a_reply_is_read_by_rules_where_the_data_do_not_say(tmp_path):
    row = {"first": "Ada Fund", "second": "Gulls", "chosen": "Gulls", "label": "B", "reply": "I prefer the Ada Fund."}
    rows = [row, {**row, "chosen": ""}, {**row, "reply": "B", "chosen": "Gulls"}, {**row, "reply": ""}]
    imported(tmp_path, rows)
    assert [trial.score for trial in measured(tmp_path).trials] == [0.0, 1.0, 0.0, 0.0]
    imported(tmp_path, rows, name="r", read_by="rules")
    measure = measured(tmp_path, model="imported/r")
    assert [trial.score for trial in measure.trials] == [1.0, 1.0, 1.0, 0.0]


def test_agreement_of_the_data_with_our_reader_is_counted(tmp_path):
    row = {"first": "Ada Fund", "second": "Gulls", "chosen": "Gulls", "label": "B", "reply": "I prefer the Ada Fund."}
    imported(tmp_path, [row, {**row, "chosen": "Ada Fund"}, {**row, "reply": ""}])
    assert measured(tmp_path).diagnostics["readers"] == {"both": 2, "same": 1, "read_by": "given"}


ROW = {"first": "Ada Fund", "second": "Gulls", "chosen": "Gulls"}


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([{"one": "a", "second": "b", "chosen": "a"}], {}, "no column 'first'; say which holds it by --column first="),
        ([ROW], {"columns": {"first": "nope"}}, "no column 'nope'; there are first, second, chosen"),
        ([ROW], {"columns": {"firts": "first"}}, "--column firts: there is no such column; ours are model, condition"),
        ([{**ROW, "chosen": "yes"}], {}, "line 2: 'yes' is no outcome; --value yes=OURS says which it is: first"),
        ([ROW], {"values": {"yes": "one"}}, "--value yes=one: 'one' is no outcome; those are first, second"),
        (
            [{**ROW, "model": "x"}, {**ROW, "model": "y"}],
            {},
            "line 3: another model, 'y' beside 'x'; choose by",
        ),
        ([{**ROW, "model": "x"}], {"models": ("z",)}, "--model z: no row is of this model"),
        ([ROW], {"name": ""}, "no column says which model answered; name it by --name"),
        ([{**ROW, "condition": "c"}], {"measure": ""}, "condition 'c' is no measure; --measure c=NAME"),
        ([ROW], {"measure": ""}, "no column says which measure a row belongs to"),
        ([{**ROW, "chosen": "", "reply": "A"}], {}, "a reply cannot be read without the labels of its options"),
        ([{**ROW, "label": "C"}], {}, "'C' is no outcome"),
        ([{**ROW, "chosen": ""}], {}, "imported/m: no row counts; left out: 1 no answer"),
        ([{**ROW, "first_count": "-1"}], {}, "first_count is '-1'; write a whole number from 0"),
        ([{**ROW, "first_count": "9999999"}], {}, "first_count is '9999999'; write a whole number from 0"),
        ([{**ROW, "wording": str(n)} for n in range(1_002)], {}, "more than 1,000 wordings and contexts"),
    ],
)
def test_what_nobody_can_know_the_meaning_of_is_an_error(tmp_path, rows, more, said):
    with pytest.raises(ImportFileError) as found:
        imported(tmp_path, rows, **more)
    assert said in str(found.value)
    assert str(found.value).startswith(str(tmp_path / "votes.csv"))
    assert list((tmp_path / "cassettes").rglob("*.*")) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("v.txt", b"", "unknown suffix"),
        ("v.csv", b"", "is empty"),
        ("v.csv", b"first,first\n", "column 'first' twice"),
        ("v.csv", b"first,second,chosen\na,b\n", "line 2: 2 columns, and the first line names 3"),
        ("v.csv", b'first,second,chosen\n"a,b\n', "not valid CSV"),
        ("v.csv", b"first,second,chosen\n\xff,b,c\n", "not UTF-8"),
        ("v.jsonl", b"{\n", "line 1: not JSON"),
        ("v.jsonl", b"[1]\n", "line 1: a list; write one JSON object"),
        ("v.csv.gz", b"no gzip", "cannot be read to its end"),
        ("v.parquet", b"no parquet", "no Parquet file"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImportFileError, match=said):
        import_choices(tmp_path / name, wanted(tmp_path), MEASURES)
    with pytest.raises(ImportFileError, match="cannot be read"):
        list(rows_of(tmp_path / "nowhere.csv"))


def test_an_import_replaces_or_adds_only_when_told(tmp_path):
    rows = votes(np.random.default_rng(0), np.linspace(-2, 2, 8))
    imported(tmp_path, rows)
    with pytest.raises(ImportFileError, match="is there already; --add to it, or --replace it"):
        imported(tmp_path, rows)
    with pytest.raises(ImportFileError, match="is in imported/m already"):
        imported(tmp_path, rows, present="add")
    imported(tmp_path, rows[:6], present="add", measure="donation_advice")
    found = load_import(tmp_path / "cassettes", "imported/m")
    assert {name: len(replies) for name, replies in found.rows.items()} == {"preference": 56, "donation_advice": 6}
    assert [source.rows for source in found.header.record.sources] == [56, 6]
    before = path_of(tmp_path / "cassettes", "imported/m").read_bytes()
    with pytest.raises(ImportFileError):
        imported(tmp_path, [*rows, {**ROW, "chosen": "?"}], present="replace")
    assert path_of(tmp_path / "cassettes", "imported/m").read_bytes() == before
    imported(tmp_path, rows, present="replace")
    assert list(load_import(tmp_path / "cassettes", "imported/m").rows) == ["preference"]


def test_each_model_of_a_file_is_a_model_of_its_own(tmp_path):
    rows = [
        {**row, "model": model}
        for row in votes(np.random.default_rng(0), np.linspace(-2, 2, 8))
        for model in ("lab/x", "lab/y", "lab/z")
    ]
    writers = import_choices(table(tmp_path, rows), wanted(tmp_path, name="", models=("lab/x", "lab/z")), MEASURES)
    assert [writer.model for writer in writers] == ["imported/lab/x", "imported/lab/z"]
    assert [writer.seen for writer in writers] == [56, 56]
    both = {name: load_import(tmp_path / "cassettes", name) for name in ("imported/lab/x", "imported/lab/z")}
    assert len(entity_set(both)) == 8


def test_entities_of_a_file_of_the_users_decide_who_takes_part(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("id,name,group\n" + "".join(f"e{n},{name},g{n % 2}\n" for n, name in enumerate(NAMES[:7])))
    rows = votes(np.random.default_rng(0), np.linspace(-2, 2, 8))
    writer = imported(tmp_path, rows, entities=load_entities(path))
    assert dict(writer.excluded) == {"not in few": 14}
    measure = measured(tmp_path)
    assert sorted(measure.groups.items())[:2] == [("e0", "g0"), ("e1", "g1")]


def test_an_imported_model_is_never_asked(tmp_path):
    imported(tmp_path, votes(np.random.default_rng(0), np.linspace(-2, 2, 8)))
    with pytest.raises(ModelUnavailableError, match="imported/m is imported data, and is never asked"):
        open_model("imported/m", {}, timeout=1, max_tries=1, max_wait=1)
    with open_study("imported/m", cassettes=str(tmp_path / "cassettes"), record_mode="all") as study:
        assert study.preferences.trials
        with pytest.raises(LLMPrefError, match="direct_ranking is not testable from imported data"):
            study["direct_ranking"]
        with pytest.raises(LLMPrefError, match="donation_advice is not testable: the imported data are of preference"):
            study["donation_advice"]


def test_a_study_of_other_entities_says_so(tmp_path):
    imported(tmp_path, votes(np.random.default_rng(0), np.linspace(-2, 2, 8)))
    folder, other = str(tmp_path / "cassettes"), tmp_path / "other.csv"
    other.write_text("name\n" + "".join(f"{name}\n" for name in ["Apple", "Bread", "Cream", "Dates"]))
    with open_study("imported/m", cassettes=folder, entities=str(other)) as study:
        assert set(study.preferences) == {
            entity.id for entity in load_import(tmp_path / "cassettes", "imported/m").entities
        }
    with (
        closing(
            Studies(
                default_settings(models=("imported/m", "sim/null"), cassettes=Path(folder), began=datetime.now(UTC)),
                None,
            )
        ) as studies,
        pytest.raises(LLMPrefError, match=r"is about Bees Trust, Ada Fund, .* lacks these"),
    ):
        studies["imported/m"]
    with pytest.raises(LLMPrefError, match="nothing was imported under this name"):
        open_study("imported/nobody", cassettes=folder)


def test_a_file_that_was_changed_is_not_used(tmp_path):
    imported(tmp_path, votes(np.random.default_rng(0), np.linspace(-2, 2, 8)))
    path = path_of(tmp_path / "cassettes", "imported/m")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    for content in (b"".join(lines[:-1]), b"".join(lines[1:]), b"".join(lines) + b'{"measure": 1}\n'):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(StoredImportError, match="import it again"):
            load_import(tmp_path / "cassettes", "imported/m")


def test_a_key_in_a_reply_is_not_kept(tmp_path):
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" * 3
    imported(tmp_path, [{**ROW, "reply": f"My key is {key}."}])
    kept = gzip.decompress(path_of(tmp_path / "cassettes", "imported/m").read_bytes()).decode()
    assert key not in kept
    assert "[scrubbed]" in kept


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "long.jsonl"
    with path.open("w") as file:
        for number in range(8_000):
            file.write(json.dumps({**ROW, "reply": f"{number} " + "words " * 500}) + "\n")
    assert path.stat().st_size > 20 << 20
    tracemalloc.start()
    try:
        import_choices(path, wanted(tmp_path), MEASURES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_the_command_imports_and_says_how_to_test(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path, votes(np.random.default_rng(0), np.linspace(-2, 2, 8)))
    assert main(["import", "choices", "votes.csv", "--name", "x", "--measure", "preference"]) == 0
    printed = capsys.readouterr().out
    assert "imported/x: imported from votes.csv: 56 of 56 rows" in printed
    assert "preference: 56 trials about 8 entities" in printed
    assert "test with: pytest suites --model imported/x" in printed
    assert main(["import", "choices", "votes.csv", "--name", "x", "--measure", "boolq"]) == 1
    assert "such data give no measure of this name, but preference, donation_advice" in capsys.readouterr().err
    assert main(["import", "choices", "votes.csv", "--value", "x"]) == 1
    assert "--value x: write two words with = between them" in capsys.readouterr().err


def test_what_is_missing_is_no_entity_and_no_count_of_nought(tmp_path):
    """pandas writes an empty cell of a column of numbers or texts to Parquet as NaN."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    whole = {"first": "Ada Fund", "second": "Gulls", "first_count": 2.0, "second_count": 1.0}
    rows = [whole, whole | {"second_count": math.nan}, whole | {"first_count": None}]
    path = tmp_path / "counts.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    (found,) = import_choices(path, wanted(tmp_path), MEASURES)
    assert (found.header.record.kept, dict(found.excluded)) == (3, {"one count of two": 2})
    numbered = [
        {"first": 1.0, "second": 2.0, "chosen": "first"},
        {"first": math.nan, "second": 2.0, "chosen": "second"},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(numbered), path)
    (found,) = import_choices(path, wanted(tmp_path, name="n"), MEASURES)
    assert (found.header.record.kept, dict(found.excluded)) == (1, {"no entity": 1})
