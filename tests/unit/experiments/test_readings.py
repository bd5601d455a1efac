"""How replies were read, and which of them people are to label."""

from collections import Counter

import msgspec

from pytest_llmpref import Plan, Reply, Request
from pytest_llmpref.experiments.asking import attempt_key
from pytest_llmpref.experiments.readings import Reading, question_shown, readings, sampled
from pytest_llmpref.models.chat import Message
from pytest_llmpref.parsing.replies import read_choice

NAMES = {"A": "tea", "B": "mud"}
ASKED = [Request("m", (Message("user", f"{number}. Tea or mud?"),), 1.0, 8) for number in range(3)]


def plan(**given):
    both = [0, 1, 2], ASKED
    return Plan(*both, lambda _, reply: read_choice(reply, NAMES)[0] == "choice", 3, **given)


READ = plan(read=lambda _, reply: read_choice(reply, NAMES), labels=("A", "B"))


def test_each_attempt_is_read_by_rules_and_where_there_is_one_by_the_judge():
    mumbled = Reply("The weather is fine.", "stop")
    replies = [
        (mumbled, Reply("A", "stop")),
        (msgspec.structs.replace(mumbled, judgement="NEUTRAL"), msgspec.structs.replace(mumbled, judgement="B")),
        (Reply("no connection", "error"),),
    ]
    found = list(readings(READ, replies))
    assert [(one.number, one.place, one.rules, one.judge, one.final) for one in found] == [
        (0, 0, "unparseable", None, "unparseable"),
        (0, 1, "A", None, "A"),
        (1, 0, "unparseable", "refusal", "refusal"),
        (1, 1, "unparseable", "B", "B"),
    ]
    assert [one.key for one in found] == [attempt_key(ASKED[one.number], one.place) for one in found]
    assert {one.kind for one in found} == {
        ("unparseable", "rules"),
        ("A", "rules"),
        ("refusal", "judge"),
        ("B", "judge"),
    }


def test_a_cut_reply_cannot_be_understood():
    assert next(readings(READ, [(Reply("Well, of these two", "length"),)])).rules == "unparseable"


def test_where_no_answer_is_a_label_nothing_is_read():
    assert not list(readings(plan(), [(Reply("A", "stop"),)]))


FOUND = [
    Reading(f"{number:032x}", number, 0, label, None)
    for number, label in enumerate(["A"] * 600 + ["B"] * 300 + ["refusal"] * 30 + ["unparseable"] * 4)
]


def test_a_sample_holds_as_many_of_each_kind_as_can_be():
    chosen = sampled(FOUND, 100, seed=0)
    assert Counter(one.rules for one in chosen) == {"unparseable": 4, "refusal": 30, "A": 33, "B": 33}
    assert len(sampled(FOUND, 10_000, seed=0)) == len(FOUND)
    assert len({one.key for one in chosen}) == 100


def test_a_sample_depends_on_its_seed_and_not_on_the_order_of_the_replies():
    chosen = sampled(FOUND, 60, seed=1)
    assert sampled(FOUND[::-1], 60, seed=1) == chosen
    assert sampled(FOUND, 60, seed=2) != chosen


def test_each_reply_of_a_kind_is_as_likely_as_another():
    counts = Counter(one.number for seed in range(600) for one in sampled(FOUND, 40, seed) if one.rules == "refusal")
    # 12 of 30 each time, so 240 of 600 expected, with a standard deviation of 12.
    assert len(counts) == 30
    assert all(190 < count < 290 for count in counts.values())


def test_who_labels_sees_the_whole_question():
    led = Request("m", (Message("system", "Be brief."), *ASKED[0].messages, Message("assistant", "Answer:")), 1.0, 8)
    assert question_shown(led) == "Be brief.\n0. Tea or mud?\n[The assistant's message begins:] Answer:"
