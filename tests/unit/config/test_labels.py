"""People's labels: which files are read, and which are refused, by row."""

import json

import pytest

from pytest_llmpref.config.labels import LabelsError, check_new, load_labels

KEY, OTHER = "0" * 31 + "1", "0" * 31 + "2"


def written(folder, text, name="labels.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_both_formats_say_the_same(tmp_path):
    rows = [(KEY, "a", "Ada"), (KEY, "Refusal", "Bob"), (OTHER, " no ", "Ada")]
    csv = written(tmp_path, "key,label,rater\n" + "".join(f"{','.join(row)}\n" for row in rows))
    lines = [json.dumps(dict(zip(("key", "label", "rater"), row, strict=True))) for row in rows]
    jsonl = written(tmp_path, "\n".join(lines) + "\n\n", "labels.jsonl")
    expected = {KEY: {"Ada": "A", "Bob": "refusal"}, OTHER: {"Ada": "no"}}
    assert load_labels(csv).given == load_labels(jsonl).given == expected
    assert load_labels(csv).places == {KEY: "row 2", OTHER: "row 4"}
    assert load_labels(jsonl).places == {KEY: "line 1", OTHER: "line 3"}


def test_texts_of_several_lines_other_columns_and_rows_without_a_label_do_not_matter(tmp_path):
    path = written(tmp_path, f'\ufeffreply,Key,Label\n"Well,\n""A""\nor B?",{KEY},B\nHm.,{OTHER},\n')
    found = load_labels(path)
    assert (found.given, found.places) == ({KEY: {"": "B"}}, {KEY: "row 2"})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("123,A,", "row 3: key is '123'; write the 32 hexadecimal digits of a trial's key, as in results.json"),
        (f"{OTHER},C,", "row 3: label is 'C'; write one of A, B, yes, no, refusal, abstention, unparseable"),
        (f"{OTHER},truncated,", "row 3: label is 'truncated'; write one of A, B"),
        (f"{KEY},B,", "row 3: row 2 labels the same reply; delete one of them"),
        (f"{KEY},A,", "row 3: row 2 labels the same reply; delete one of them"),
        (f"{OTHER},A,{'x' * 61}", "row 3: rater is"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, row, said):
    with pytest.raises(LabelsError) as raised:
        load_labels(written(tmp_path, f"key,label,rater\n{KEY},A,\n{row}\n"))
    assert said.replace("'", "") in str(raised.value).replace("'", "").replace('"', "")


def test_one_rater_labels_a_reply_once_and_all_faults_are_listed(tmp_path):
    rows = [f"{KEY},A,Ada", f"{KEY},A,Bob", f"{KEY},B,Ada", f"{OTHER},C,Ada"]
    with pytest.raises(LabelsError) as raised:
        load_labels(written(tmp_path, "\n".join(["key,label,rater", *rows])))
    assert "row 4: row 2 labels the same reply by Ada" in str(raised.value)
    assert "row 5: label is" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("labels.txt", "", "unknown suffix; name a file that ends in .csv or .jsonl"),
        ("labels.csv", "", "row 1: there is no column key; the columns are key, label and rater"),
        ("labels.csv", "key\n", "row 1: there is no column label"),
        ("labels.csv", f"key,label\n{KEY},\n", "no row has a label; write one into the column label"),
        ("labels.csv", 'key,label\n"a"b,A\n', "line 2: not CSV"),
        ("labels.jsonl", "{\n", "line 1: not JSON"),
        ("labels.jsonl", "[]\n", "line 1: not a JSON object; write one a line"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_to_be_so(tmp_path, name, text, said):
    with pytest.raises(LabelsError) as raised:
        load_labels(written(tmp_path, text, name))
    assert said in str(raised.value)


def test_labels_are_never_overwritten(tmp_path):
    check_new(tmp_path / "new.csv")
    with pytest.raises(LabelsError, match="exists, and may hold labels; name a new file"):
        check_new(written(tmp_path, ""))
    with pytest.raises(LabelsError, match="unknown suffix"):
        check_new(tmp_path / "new.xlsx")
