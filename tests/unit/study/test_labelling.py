"""People's labels against rules and judge; and the file that people label."""

import csv
import json
from pathlib import Path

import pytest

from pytest_llmpref.config.labels import Labels, LabelsError, load_labels
from pytest_llmpref.experiments.readings import Reading
from pytest_llmpref.results.labels_record import ToLabel
from pytest_llmpref.study.labelling import compared, write_to_label

POSSIBLE = ["A", "B", "refusal", "abstention", "unparseable"]


def reading(number, rules, judge=None):
    return Reading(f"{number:032x}", number, 0, rules, judge)


def labels(given):
    """Give labels by the number of the reading, one rater's or several."""
    by_key = {f"{number:032x}": one if isinstance(one, dict) else {"": one} for number, one in given.items()}
    return Labels(Path("labels.csv"), by_key, {key: f"row {place}" for place, key in enumerate(by_key, start=2)})


FOUND = [
    *[reading(number, "A") for number in range(80)],
    *[reading(number, "unparseable", "B") for number in range(80, 90)],
    *[reading(number, "unparseable", "refusal") for number in range(90, 100)],
]
GIVEN = labels(
    {
        **dict.fromkeys(range(9), "A"),
        9: "B",
        **dict.fromkeys(range(80, 84), "B"),
        84: "A",
        **dict.fromkeys(range(90, 93), "refusal"),
        93: "A",
    }
)


def accuracy(record):
    return {one.reader: one for one in record.accuracy}


def test_each_reader_is_right_as_often_as_its_kinds_of_replies_occur():
    found = accuracy(compared(GIVEN, FOUND, POSSIBLE))
    rules, judge, both = found["rules"], found["judge"], found["both"]
    assert (rules.replies, judge.replies, both.replies) == (100, 20, 100)
    assert (rules.labelled, judge.labelled, both.labelled) == (19, 9, 19)
    # 0.9 of the 80 plain ones, and none of the others.
    assert rules.right.value == pytest.approx(0.72)
    assert rules.reversed.value == pytest.approx(0.08)
    # All of the 10 that the judge calls B, and a quarter of the 10 that it calls refusals.
    assert rules.missed.value == pytest.approx(0.1 + 0.025)
    assert rules.invented.value == 0
    assert judge.right.value == pytest.approx(0.5 * 0.8 + 0.5 * 0.75)
    assert judge.reversed.value == pytest.approx(0.5 * 0.2)
    assert judge.missed.value == pytest.approx(0.5 * 0.25)
    assert both.right.value == pytest.approx(0.8 * 0.9 + 0.1 * 0.8 + 0.1 * 0.75)
    assert all(one.right.low < one.right.value < one.right.high for one in found.values())


def test_a_refusal_read_as_a_choice_is_invented():
    found = accuracy(compared(labels({0: "refusal", 1: "A"}), [reading(0, "A"), reading(1, "A")], POSSIBLE))
    assert list(found) == ["rules"]
    assert (found["rules"].invented.value, found["rules"].right.value) == (0.5, 0.5)


def test_who_agrees_is_counted_as_the_labels_are():
    record = compared(GIVEN, FOUND, POSSIBLE)
    found = {(one.first, one.second): one for one in record.agreement}
    assert list(found) == [("people", "rules"), ("people", "judge"), ("people", "both"), ("rules", "judge")]
    by_rules = found["people", "rules"]
    assert by_rules.labels == ["A", "B", "refusal", "unparseable"]
    assert by_rules.counts == [[9, 0, 0, 2], [1, 0, 0, 4], [0, 0, 0, 3], [0, 0, 0, 0]]
    assert by_rules.alike.value == pytest.approx(9 / 19, abs=1e-6)
    assert found["rules", "judge"].alike.value == 0


def test_most_raters_decide_and_a_dispute_counts_for_their_agreement_alone():
    given = labels(
        {
            0: {"Ada": "A", "Bob": "A", "Cy": "B"},
            1: {"Ada": "A", "Bob": "refusal"},
            2: {"Ada": "B", "Bob": "B"},
            3: {"Ada": "A"},
        }
    )
    record = compared(given, [reading(number, "A") for number in range(9)], POSSIBLE)
    assert (record.labelled, record.disputed, record.raters) == (4, 1, ["Ada", "Bob", "Cy"])
    assert record.accuracy[0].labelled == 3
    assert record.accuracy[0].right.value == pytest.approx(2 / 3, abs=1e-6)
    pairs = {(one.first, one.second): sum(map(sum, one.counts)) for one in record.agreement}
    assert pairs == {
        ("people", "rules"): 3,
        ("rater Ada", "rater Bob"): 3,
        ("rater Ada", "rater Cy"): 1,
        ("rater Bob", "rater Cy"): 1,
    }


def test_replies_of_other_measures_do_not_matter_and_none_of_this_one_is_no_record():
    assert compared(labels({500: "yes", 0: "A"}), FOUND, POSSIBLE).labelled == 1
    assert compared(labels({500: "A"}), FOUND, POSSIBLE) is None


def test_a_label_of_another_kind_of_question_is_refused():
    with pytest.raises(LabelsError) as raised:
        compared(labels({0: "A", 1: "yes"}), FOUND, POSSIBLE)
    assert str(raised.value) == (
        "labels.csv: row 3: yes is no label of this question; use A, B, refusal, abstention or unparseable"
    )


TO_LABEL = [
    ToLabel(f"{number:032x}", "A: tea. B: mud.\nWhich?", reply, POSSIBLE)
    for number, reply in enumerate(["=HYPERLINK(1)", 'Well,\n"A", I think.'])
]


def test_the_file_says_what_is_to_label_and_not_what_was_read(tmp_path):
    for name in ("to.csv", "to.jsonl"):
        write_to_label(tmp_path / "new" / name, reversed(TO_LABEL), seed=7)
    with (tmp_path / "new/to.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "new/to.jsonl").read_text().splitlines()]
    for found in (rows, lines):
        assert [set(row) for row in found] == [
            {"key", "label", "rater", "labels", "question", "reply", "seed"} for _ in TO_LABEL
        ]
        assert [row["key"] for row in found] == [one.key for one in TO_LABEL]
        assert {(row["label"], row["rater"], str(row["seed"])) for row in found} == {("", "", "7")}
        assert found[1]["reply"] == TO_LABEL[1].reply
    # No spreadsheet is to run what a model says.
    assert (rows[0]["reply"], lines[0]["reply"]) == ("'=HYPERLINK(1)", "=HYPERLINK(1)")


def test_the_file_is_read_back_once_it_is_labelled_and_never_overwritten(tmp_path):
    path = tmp_path / "to.csv"
    write_to_label(path, TO_LABEL, seed=7)
    text = path.read_text()
    with pytest.raises(LabelsError, match="no row has a label"):
        load_labels(path)
    path.write_text(text.replace(f"{TO_LABEL[1].key},,", f"{TO_LABEL[1].key},A,Ada"))
    assert load_labels(path).given == {TO_LABEL[1].key: {"Ada": "A"}}
    with pytest.raises(FileExistsError):
        write_to_label(path, TO_LABEL, seed=7)
