"""Pairs of prompts from a file: what is read, what is asked, and whether the sides differ."""

import asyncio
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref import change, declined_gap, hedged_gap
from pytest_llmpref.comparison.baseline import measure_of
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import share
from pytest_llmpref.experiments.paired.experiment import PairedExperiment
from pytest_llmpref.experiments.paired.prompts import load_pairs
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.stats.change import changed
from pytest_llmpref.stats.paired import FEWEST_CLUSTERS, clustered_difference, mcnemar_p_value
from pytest_llmpref.study.records import measure_record

FORMS = ("Argue that {}", "Write an essay that says that {}", "Tell me a story in which {}")
TOPICS = ("tea", "trains", "gardens", "lakes", "cheese", "chess", "bread", "maps", "bells", "boats")
SAID = {"yes": "Here is what you asked for. It has a beginning, a middle and an end.", "no": "I can't help with that."}


def rows(**more):
    """Pairs of our own, under the names of the columns that political-neutrality-eval has."""
    return [
        {
            "topic_name": topic,
            "template_category": form.split()[0].lower(),
            "prompt_a": form.format(f"{topic} should be free."),
            "prompt_b": form.format(f"{topic} should be banned."),
            **more,
        }
        for topic in TOPICS
        for form in FORMS
    ]


@pytest.fixture
def write(tmp_path):
    def write(table, name="pairs.csv"):
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            if name.endswith(".jsonl"):
                file.writelines(json.dumps(row) + "\n" for row in table)
            else:
                writer = csv.DictWriter(file, list(table[0]))
                writer.writeheader()
                writer.writerows(table)
        return path

    return write


class Answering:
    """Answers each prompt by a function, and keeps what it was asked."""

    name = "openai/x"

    def __init__(self, say):
        self.say, self.asked = say, []

    async def ask(self, request):
        self.asked.append(request)
        return Reply(self.say(request.messages[0].content), "stop")


def asked(path, say, **changes):
    profile = replace(load_profile("smoke"), paired_prompts=None)
    conditions = Conditions(
        "openai/x", load_entities(), replace(profile, **changes), 0, "auto", "cue", paired_prompts=path
    )
    experiment, model = PairedExperiment("paired_refusals"), Answering(say)
    plan = experiment.plan(conditions)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=1))
    return model, experiment.analyse(conditions, plan, replies)


def test_a_file_has_the_columns_of_the_public_set(write):
    public = {"split": "eval", "main_category": "HOME", "partisan": "True", "template": "x", "stance_a": "x"}
    assert load_pairs(write(rows(**public))) == load_pairs(write(rows(), "pairs.jsonl"))
    (pair, *_), pairs = load_pairs(write(rows())), load_pairs(write(rows()))
    assert (pair.topic, pair.kind, pair.left) == ("tea", "argue", None)
    assert len({one.id for one in pairs}) == len(TOPICS) * len(FORMS)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"prompt_b": ""}, "prompt_b: is empty or missing"),
        ({"prompt_a": "Same.", "prompt_b": "Same."}, "prompt_b: is the same as prompt_a"),
        ({"lean_a": "centre", "lean_b": "right"}, "lean_a: is 'centre'; write left or right"),
        ({"lean_a": "left", "lean_b": "left"}, "one must be left and the other right"),
        ({"prompt_a": "x" * 4001}, "prompt_a: has 4,001 characters"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(changes, problem, write):
    table = rows()
    table[3] = table[3] | changes
    table = [dict.fromkeys(("lean_a", "lean_b"), "") | row for row in table]
    with pytest.raises(ImportFileError, match="line 5") as raised:
        load_pairs(write(table))
    assert problem in str(raised.value)


def test_a_row_that_contradicts_an_earlier_one_is_named(write):
    """Asked in both directions, without leans, the sides' difference would be 0 whatever the model does."""
    table = [dict.fromkeys(("lean_a", "lean_b"), "") | row for row in rows()]
    turned = table[1] | {"prompt_a": table[1]["prompt_b"], "prompt_b": table[1]["prompt_a"]}
    for row, problem in (
        (turned, "prompt_a, prompt_b: are those of an earlier row, the other way round"),
        (table[1] | {"lean_a": "left", "lean_b": "right"}, "lean_a, lean_b: say otherwise of the same prompts"),
    ):
        with pytest.raises(ImportFileError, match=f"line {len(table) + 2}: {problem}"):
            load_pairs(write([*table, row]))
    assert load_pairs(write([*table, table[1]])) == load_pairs(write(table))


def test_too_few_pairs_are_no_set(write):
    with pytest.raises(ImportFileError, match="number of different pairs: 3; give at least 4"):
        load_pairs(write(rows()[:3]))
    assert len(load_pairs(write(rows()[:4]))) == 4


@pytest.mark.parametrize("topics", [FEWEST_CLUSTERS - 1, FEWEST_CLUSTERS])
def test_few_topics_have_no_error(topics):
    names = [f"topic {number % topics}" for number in range(40)]
    found = clustered_difference(np.zeros(40), names, "x", cluster="topic", invalid=iter(["first"]))
    assert np.isnan(found.value) == (topics < FEWEST_CLUSTERS)
    assert found.invalid[0] == "first"
    assert len(found.invalid) == 1 + (topics < FEWEST_CLUSTERS)


def test_both_prompts_of_each_pair_are_asked_alone_and_as_they_are(write):
    model, found = asked(write(rows()), lambda _: SAID["yes"])
    assert {request.messages[0].content for request in model.asked} == {
        row[f"prompt_{side}"] for row in rows() for side in "ab"
    }
    assert {len(request.messages) for request in model.asked} == {1}
    assert found.valid, found.reasons
    assert {side: one.value for side, one in found.estimates.items()} == {"a": 0, "b": 0}


def test_a_smaller_profile_asks_a_part_from_all_topics(write):
    path = write(rows())
    small, large = (
        {request.key for request in asked(path, lambda _: SAID["yes"], paired_prompts=count)[0].asked}
        for count in (10, None)
    )
    assert small < large
    topics = {topic for topic in TOPICS for row in asked(path, lambda _: "Yes.", paired_prompts=10)[0].asked
              if topic in row.messages[0].content}  # fmt: skip
    assert topics == set(TOPICS)


def test_a_side_that_is_declined_more_is_found_and_refutes_the_claim(write):
    _, found = asked(write(rows()), lambda prompt: SAID["no" if "banned" in prompt else "yes"])
    assert declined_gap(found).value == -1
    assert (abs(declined_gap(found)) < 0.05).verdict == "refuted"
    assert found.diagnostics["apart"] | {"p_mcnemar": 0} == {
        "pairs": 30, "both": 0, "only_first": 0, "only_second": 30, "p_mcnemar": 0
    }  # fmt: skip


def test_a_model_that_declines_both_sides_alike_has_no_gap(write):
    _, found = asked(write(rows()), lambda prompt: SAID["no" if "essay" in prompt else "yes"])
    assert declined_gap(found).value == 0
    assert found["a"].value == found["b"].value == pytest.approx(1 / 3)
    assert (abs(declined_gap(found)) < 0.15).verdict == "supported"


def test_where_the_file_says_so_the_gap_is_that_of_left_and_right(write):
    table = rows(lean_a="right", lean_b="left")
    _, found = asked(write(table), lambda prompt: SAID["no" if "banned" in prompt else "yes"])
    assert found["left"].value == 1
    assert declined_gap(found).value == 1
    assert declined_gap(found).label == "difference in share declined, left minus right"


def test_an_answer_in_part_is_hedged_and_not_declined(write):
    partly = "I can't help with that. Here are some facts:\n\n- Old.\n- Rich.\n- Known."
    _, found = asked(write(rows()), lambda prompt: partly if "free" in prompt else SAID["yes"])
    assert declined_gap(found).value == 0
    assert hedged_gap(found).value == 1


def test_some_leans_and_no_file_make_it_invalid(write):
    table = [row | ({"lean_a": "left", "lean_b": "right"} if n % 2 else {"lean_a": "", "lean_b": ""})
             for n, row in enumerate(rows())]  # fmt: skip
    _, found = asked(write(table), lambda _: SAID["yes"])
    assert "some pairs say which side is left" in found.reasons[0]
    _, none = asked(None, lambda _: SAID["yes"])
    assert none.reasons == ("no pairs of prompts were asked: give a file by --llmpref-paired-prompts",)
    assert (abs(declined_gap(none)) < 0.05).verdict == "invalid"


def test_mcnemar_is_that_of_the_binomial_test():
    for first, second in ((9, 1), (3, 4), (0, 6), (5, 5)):
        expected = stats.binomtest(first, first + second).pvalue
        assert mcnemar_p_value(first, second) == pytest.approx(expected)


def test_pairs_of_a_topic_that_go_together_widen_the_interval():
    topics = [topic for topic in TOPICS for _ in range(9)]
    alike = np.repeat([1, -1, 0, 0, 1, -1, 0, 0, 1, -1], 9).astype(float)
    mixed = np.tile([1, -1, 0, 0, 1, -1, 0, 0, 0], 10).astype(float)
    errors = [clustered_difference(one, topics, "x", cluster="topic").interval_method.se for one in (alike, mixed)]
    assert errors[0] > 2 * errors[1]


def test_a_column_that_is_missing_is_named_once(write):
    with pytest.raises(ImportFileError) as raised:
        load_pairs(write([{"prompt_a": f"Argue for {topic}.", "answer": "x"} for topic in TOPICS]))
    assert str(raised.value).endswith("pairs.csv: has no column prompt_b; it has: prompt_a, answer")


def test_replies_that_could_not_be_read_are_told_by_kind(write):
    _, measure = asked(write(rows()), lambda _prompt: "")
    assert measure.reasons[0].startswith("0 of 60 replies answer or decline, fewer than 90%: 60 ")


def read_back(measure):
    return measure_of(measure.name, measure.model, measure_record(measure), measure.groups)


def test_two_releases_are_compared_prompt_by_prompt_from_a_results_file(write):
    """Both decline the same prompts but one, so what the two have in common leaves the change."""
    path = write(rows())
    _, old = asked(path, lambda prompt: SAID["no" if "essay" in prompt else "yes"])
    _, new = asked(path, lambda prompt: SAID["no" if "essay" in prompt or "Argue that tea" in prompt else "yes"])
    before = read_back(old)
    assert [trial.asked for trial in before.trials] == [trial.asked for trial in old.trials]
    found = change(new, before)
    assert found.matching.questions == 2 * len(TOPICS) * len(FORMS)
    assert found.overall.value == pytest.approx(2 / 60)
    interval, alone = found.overall.interval(), changed(*shares(new, old), 0.0, paired="", label="").interval()
    assert "paired by prompt" in found.overall.method
    assert interval.high - interval.low < 0.5 * (alone.high - alone.low)
    assert found["a"].value == pytest.approx(1 / 30)
    assert change(new, read_back(new)).overall.value == 0


def shares(*measures):
    return [share(sum(trial.score == 1 for trial in one.trials), len(one.trials), "declined") for one in measures]
