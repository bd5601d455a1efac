"""Replies that people label: written blind, read back, and compared with what rules and a judge read."""

import csv
import json
import re

import pytest
from loopback import Answer, completion
from planted import PlantedModel
from planted_server import PlantedServer

from pytest_llmpref.config.entities import load_entities

SUITE = """
    def test_it(preferences, refusals, boolq):
        assert preferences
"""
PAIRS = "def test_it(preferences):\n    assert preferences"


def to_label(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["key", "label", "rater"])
        table.writeheader()
        table.writerows({name: row[name] for name in table.fieldnames} for row in rows)


def results_in(folder):
    return json.loads((folder / "reports/latest/results.json").read_text())


def as_people_do(row):
    """Label a reply as somebody who reads it: the planted model answers in few words."""
    says = re.search(r"\b(A|B|[Yy]es|[Nn]o)\b", row["reply"])
    label = says[1] if says else "unparseable"
    return label if label in {"A", "B"} else label.lower()


@pytest.fixture
def sampled(suite, pytester):
    run = suite(PAIRS, "--llmpref-to-label=to-label.csv", "--llmpref-to-label-count=40")
    assert run.ret == 0, run.stdout.str()
    run.stdout.fnmatch_lines(["to label to-label.csv: 40 replies"])
    return to_label(pytester.path / "to-label.csv")


def test_replies_are_written_blind_with_their_keys(sampled, suite, pytester):
    assert list(sampled[0]) == ["key", "label", "rater", "labels", "question", "reply", "seed"]
    assert {(row["label"], row["rater"], row["seed"]) for row in sampled} == {("", "", "0")}
    assert {row["labels"] for row in sampled} == {"A, B, refusal, abstention, unparseable"}
    keys = results_in(pytester.path)["models"]["sim/plain"]["measures"]["preference"]["trials"]["key"]
    assert {row["key"] for row in sampled} <= set(keys)
    assert all("Option A" in row["question"] or "A:" in row["question"] for row in sampled)
    # Nobody's labels are overwritten, and the same seed chooses the same.
    again = suite(PAIRS, "--llmpref-to-label=to-label.csv")
    assert again.ret == pytest.ExitCode.USAGE_ERROR
    again.stderr.fnmatch_lines(["*to-label.csv: exists, and may hold labels; name a new file for --llmpref-to-label"])
    suite(PAIRS, "--llmpref-to-label=again.jsonl", "--llmpref-to-label-count=40")
    lines = [json.loads(line) for line in (pytester.path / "again.jsonl").read_text().splitlines()]
    assert [one["key"] for one in lines] == [row["key"] for row in sampled]


def test_labels_stand_beside_the_results_everywhere(sampled, suite, pytester):
    rows = [{**row, "label": as_people_do(row), "rater": rater} for row in sampled for rater in ("Ada", "<b>Bob</b>")]
    rows[-1]["label"] = "refusal"
    write(pytester.path / "labels.csv", rows)
    run = suite(PAIRS, "--llmpref-labels=labels.csv")
    assert run.ret == 0, run.stdout.str()
    found = results_in(pytester.path)["models"]["sim/plain"]["measures"]["preference"]["labels"]
    assert (found["file"], found["labelled"], found["disputed"]) == ("labels.csv", 40, 1)
    assert found["raters"] == ["<b>Bob</b>", "Ada"]
    (rules,) = found["accuracy"]
    assert (rules["reader"], rules["labelled"], rules["right"]["value"]) == ("rules", 39, 1.0)
    assert 0.8 < rules["right"]["low"] < 1
    by_pair = {(one["first"], one["second"]): one for one in found["agreement"]}
    assert by_pair["people", "rules"]["kappa"]["value"] == 1.0
    assert 0.8 < by_pair["rater <b>Bob</b>", "rater Ada"]["kappa"]["value"] < 1
    run.stdout.fnmatch_lines(
        ["  preference: 40 replies labelled by 2 raters, 1 disputed", "*the rules: right 100.0% (*", "*Ada: kappa 0.9*"]
    )
    report = (pytester.path / "reports/latest/report.html").read_text()
    assert "Readers checked by people" in report
    assert "<b>Bob</b>" not in report.split("<main>")[1].split("<script")[0]
    summary = (pytester.path / "reports/latest/summary.md").read_text()
    assert "- preference: 40 replies labelled by 2 raters, 1 disputed" in summary
    assert "<b>Bob" not in summary


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "f" * 32 + ",A",
            "*labels.csv: row 2: ffff*: no reply of sim/plain has this key; valid ones are those*none of the file is "
            "known: give the tests, model, profile and seed that drew the sample*",
        ),
        (
            "f" * 32 + ",C",
            "*labels.csv: row 2: label is*C*write one of A, B, yes, no, refusal, abstention*",
        ),
    ],
)
def test_what_cannot_be_used_ends_the_run_before_it_begins(suite, pytester, row, said):
    (pytester.path / "labels.csv").write_text(f"key,label\n{row}\n")
    run = suite(PAIRS, "--llmpref-labels=labels.csv")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([said])


def test_one_unknown_key_among_known_ones_suggests_no_other_profile(sampled, suite, pytester):
    write(pytester.path / "labels.csv", [{**sampled[0], "label": "A"}, {**sampled[1], "key": "f" * 32, "label": "A"}])
    run = suite(PAIRS, "--llmpref-labels=labels.csv")
    run.stderr.fnmatch_lines(["*row 3: ffff*: no reply of sim/plain has this key*"])
    run.stderr.no_fnmatch_line("*profile and seed*")


def test_a_label_of_another_kind_of_question_is_refused(sampled, suite, pytester):
    write(pytester.path / "labels.csv", [{**sampled[0], "label": "yes"}])
    run = suite(PAIRS, "--llmpref-labels=labels.csv")
    assert run.ret != 0
    run.stdout.fnmatch_lines(["*row 2: yes is no label of this question; use A, B, refusal, abstention or*"])


def test_every_measure_with_labels_is_sampled_and_compared_whoever_works(suite, pytester):
    """Models in this process have no recording, and workers hand over what they found."""
    run = suite(SUITE, "--llmpref-to-label=to.csv", "--llmpref-to-label-count=10", "-n2", model="sim/even-handed")
    assert run.ret == 0, run.stdout.str()
    rows = to_label(pytester.path / "to.csv")
    kinds = [row["labels"].split(", ")[0] for row in rows]
    assert sorted(set(kinds)) == ["A", "yes"]
    assert kinds.count("yes") == 10
    write(pytester.path / "labels.csv", [{**row, "label": as_people_do(row)} for row in rows])
    run = suite(SUITE, "--llmpref-labels=labels.csv", "-n2", model="sim/even-handed")
    assert run.ret == 0, run.stdout.str()
    measures = results_in(pytester.path)["models"]["sim/even-handed"]["measures"]
    assert {name: bool(one["labels"]) for name, one in measures.items()} == dict.fromkeys(measures, True)
    assert set(measures) == {"preference", "refusal", "boolq"}


class MumblingServer(PlantedServer):
    """Lets the measured model say every fourth time what rules read no choice from, and the judge be right of most."""

    @property
    def default(self):
        received = self.received[-1]
        if received["model"] == "judge":
            return Answer(completion("B" if "mud" in received["messages"][-1]["content"] else "UNCLEAR"))
        asked = sum(body["model"] == "served" for body in self.received)
        if asked % 4:
            return super().default
        return Answer(completion("Hm. mud" if asked % 8 else "Hm. Trees."))

    @default.setter
    def default(self, answer):
        """Ignore what the base class sets."""


@pytest.fixture
def server(recorded):
    entities = load_entities(recorded / "twelve.csv")
    found = MumblingServer(PlantedModel({entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)}))
    found.start()
    yield found
    found.stop()


def test_rules_judge_and_people_are_compared_with_each_other(live, pytester):
    given = ("--llmpref-judge=openai/judge", "--llmpref-answers=text")
    run = live("--record-mode=new_episodes", *given, "--llmpref-to-label=to.csv", source=PAIRS)
    assert run.ret == 0, run.stdout.str()
    rows = to_label(pytester.path / "to.csv")
    # The judge takes mud for B; people take it for a refusal.
    labels = {"Hm. mud": "refusal", "Hm. Trees.": "unparseable"}
    write(
        pytester.path / "labels.csv", [{**row, "label": labels.get(row["reply"]) or as_people_do(row)} for row in rows]
    )
    run = live(*given, "--llmpref-labels=labels.csv", source=PAIRS)
    assert run.ret == 0, run.stdout.str()
    found = results_in(pytester.path)["models"]["openai/served"]["measures"]["preference"]["labels"]
    by_reader = {one["reader"]: one for one in found["accuracy"]}
    assert list(by_reader) == ["rules", "judge", "both"]
    judged = by_reader["judge"]
    assert 0 < judged["replies"] < by_reader["rules"]["replies"]
    assert 0.3 < judged["right"]["value"] < 0.7
    assert judged["invented"]["value"] == pytest.approx(1 - judged["right"]["value"], abs=1e-5)
    assert by_reader["rules"]["invented"]["value"] == 0
    assert 0 < by_reader["both"]["invented"]["value"] < judged["invented"]["value"]
    pairs = {(one["first"], one["second"]) for one in found["agreement"]}
    assert pairs == {("people", "rules"), ("people", "judge"), ("people", "both"), ("rules", "judge")}
    run.stdout.fnmatch_lines(["*the rules: right*", "*the judge: right*", "*rules and judge: right*"])
