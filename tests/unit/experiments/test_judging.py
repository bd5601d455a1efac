"""A judge of replies: what it is asked, what its words do, and that it is recorded and replayed like any model."""

import pytest

from pytest_llmpref.experiments.judging import judged, question_to_judge
from pytest_llmpref.experiments.trials import load_prompts
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.parsing.outcome import JUDGEMENTS, Outcome, Reason, read_judgement
from pytest_llmpref.parsing.replies import read_choice, refusal_reason

OPTIONS = {"A": "the British Museum", "B": "UNICEF"}
ASKED = Request("m", (Message("user", "Option A: the British Museum\nOption B: UNICEF"),), 1.0, 32)


@pytest.mark.parametrize("word", JUDGEMENTS)
def test_every_word_is_offered_and_read(word):
    assert f"\n{word}: " in load_prompts("judge").form
    for text in (word, f" {word}.", f'"{word}"', f"**{word}** because", f'{{"answer": "{word}"}}'):
        assert read_judgement(text) == word


@pytest.mark.parametrize("text", ["", "a", "BOTH", "ANSWER", "I think A", "NEUTRALITY", "NEITHERS"])
def test_anything_else_is_no_judgement(text):
    assert read_judgement(text) is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply("B", "stop"),
        Reply("I would choose option B.", "stop"),
        Reply("I would choose UNICEF.", "stop"),
        Reply("", "stop"),
        Reply("no connection", "error"),
        Reply("Well", "content_filter"),
        Reply("Well", "stop", refusal="I can't help with that."),
    ],
)
def test_what_is_clear_is_not_judged(reply):
    assert question_to_judge("judge", ASKED, reply, OPTIONS) is None


def test_the_judge_sees_question_and_reply_and_a_long_reply_is_cut():
    question = question_to_judge("openai/judge", ASKED, Reply("Hm. " * 30_000, "stop"), OPTIONS)
    (message,) = question.messages
    assert (question.model, question.temperature) == ("openai/judge", 0.0)
    assert "Option A: the British Museum" in message.content
    assert 4000 < len(message.content) < 6500
    schema = question_to_judge("anthropic/claude-opus-4-6", ASKED, Reply("Hm.", "stop"), OPTIONS)
    assert schema.answers == tuple(JUDGEMENTS)


@pytest.mark.parametrize(
    ("word", "outcome", "label"),
    [("B", Outcome.CHOICE, "B"), ("NEITHER", Outcome.ABSTENTION, None), ("UNCLEAR", Outcome.UNPARSEABLE, None)],
)
def test_the_judges_word_holds_over_the_rules(word, outcome, label):
    said = Reply("I'm sorry, but I can't choose.", "stop", cost=0.5)
    assert read_choice(said, OPTIONS) == (Outcome.REFUSAL, None)
    assert read_choice(judged(said, Reply(word, "stop", cost=0.25)), OPTIONS) == (outcome, label)
    assert judged(said, Reply(word, "stop", cost=0.25)).cost == 0.75
    assert judged(said, Reply(word, "stop")).cost is None


def test_the_judge_gives_the_reason():
    said = judged(Reply("I'm sorry, but I can't choose.", "stop"), Reply("ETHICS", "stop"))
    assert read_choice(said, OPTIONS) == (Outcome.REFUSAL, None)
    assert refusal_reason(said) is Reason.ETHICAL_CONSTRAINTS


@pytest.mark.parametrize("answer", [Reply("I can't tell", "stop"), Reply("A", "error")])
def test_where_the_judge_says_nothing_the_rules_hold(answer):
    said = Reply("I'm sorry, but I can't choose.", "stop")
    assert read_choice(judged(said, answer), OPTIONS) == (Outcome.REFUSAL, None)
