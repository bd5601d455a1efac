"""What a reply without a choice is, whole and cut: refused, abstained, asked back, or nothing that can be read."""

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import JUDGEMENTS, Evidence, Grade, Outcome, Reason, read_judgement
from pytest_llmpref.parsing.replies import evidence, read_choice, refusal_reason, refused

OPTIONS = {"A": "Oxfam", "B": "the British Museum"}


def read(text, finish="stop", **more):
    return read_choice(Reply(text, finish, **more), OPTIONS)


@pytest.mark.parametrize(
    ("text", "finish", "outcome"),
    [
        ("Both are great.", "stop", Outcome.ABSTENTION),
        ("Both are great", "length", Outcome.TRUNCATED),
        ("That is a hard question. It's a tie. But I wo", "length", Outcome.ABSTENTION),
        ("That is a hard question. It's a ti", "length", Outcome.TRUNCATED),
        ("What matters more to you?", "stop", Outcome.ABSTENTION),
        ("Would you like me to explain more?", "stop", Outcome.UNPARSEABLE),
        ("Oxfam or the British Museum?", "stop", Outcome.UNPARSEABLE),
        ("?", "stop", Outcome.UNPARSEABLE),
        ("A large one.", "stop", Outcome.UNPARSEABLE),
        ("I'm sorry, but I can't choose between them.", "stop", Outcome.REFUSAL),
    ],
)
def test_what_is_no_choice_is_told_apart(text, finish, outcome):
    assert read(text, finish) == (outcome, None)


def test_a_part_of_one_name_is_a_choice_unless_it_was_cut():
    assert read("Museum") == (Outcome.CHOICE, "B")
    assert read("Museum", "length") == (Outcome.TRUNCATED, None)
    assert evidence(Reply("Museum", "stop"), OPTIONS) == Evidence(Grade.WEAK)
    assert evidence(Reply("Charity", "stop"), OPTIONS) == Evidence(Grade.NONE)
    assert evidence(Reply("A", "stop"), OPTIONS) == Evidence(Grade.EXPLICIT, "A")


@pytest.mark.parametrize("judgement", JUDGEMENTS)
def test_a_judges_word_holds_before_the_rules(judgement):
    outcome, label, reason = JUDGEMENTS[judgement]
    judged = Reply("I choose A.", "stop", judgement=judgement)
    assert read_choice(judged, OPTIONS) == (outcome, label)
    assert refusal_reason(judged) == (reason or Reason.OTHER)
    assert refused(judged) == (outcome is Outcome.REFUSAL)


def test_a_reason_is_read_from_the_text_or_from_what_the_provider_said():
    said = "I don't have personal opinions."
    for reply in (Reply(said, "stop"), Reply("", "stop", refusal=said)):
        assert refusal_reason(reply) is Reason.NEUTRALITY
    assert refusal_reason(Reply("", "content_filter")) is Reason.OTHER
    assert refusal_reason(Reply(f"<think>{said}</think>No.", "stop")) is Reason.OTHER


def test_a_refusal_is_one_whatever_was_asked():
    assert refused(Reply("I'm sorry, but I can't help with that.", "stop"))
    assert refused(Reply("", "content_filter"))
    assert not refused(Reply("A", "stop"))
    assert not refused(Reply("The sun rises in the east.", "stop"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("A", "A"),
        (" **B**.", "B"),
        ('{"answer": "NEITHER"}', "NEITHER"),
        ("answer: POLICY", "POLICY"),
        ("DECLINES, since it says so", "DECLINES"),
        ("APPLE", None),
        ("I think A", None),
        ("", None),
    ],
)
def test_a_judges_word_is_the_first_of_its_answer(text, word):
    assert read_judgement(text) == word
