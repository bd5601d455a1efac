"""Yes and no: what counts of several in one reply, and what openings pass over."""

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.language import languages_of
from pytest_llmpref.parsing.yes_no import _opening_end, _words, read_yes_no


def says(text, finish="stop"):
    return read_yes_no(Reply(text, finish))[1]


@pytest.mark.parametrize(
    ("text", "says_yes"),
    [
        # A later sentence that is led to replaces an earlier one; the same sentence says both.
        ("No. I'd say yes.", True),
        ("Yes. But my answer is no.", False),
        ("No, but I'd say yes.", None),
        ("Yes, but my answer is no.", None),
        ("Yes, however, I'd say no.", None),
        ("Yes. No.", None),
        ("Yes. Yes.", True),
    ],
)
def test_the_last_answer_replaces_one_of_an_earlier_sentence(text, says_yes):
    assert says(text) is says_yes


@pytest.mark.parametrize(
    "text",
    ["If you want reach, but no.", "If it rains I might, but no.", "If you value reach, yes, but overall I'd say no."],
)
def test_a_condition_holds_up_to_the_turn(text):
    assert says(text) is False


def test_a_question_says_neither_and_what_turns_from_it_does():
    assert says("Is it? But no.") is False
    assert says("Some would say yes, but no.") is False
    assert says("Yes?") is None


def test_an_opening_passes_over_words_that_say_nothing_and_remembers_where_it_ends():
    part = "well, well, well, yes"
    words, ends = _words(languages_of("well, i guess, so yes, it is")), {}
    assert _opening_end(part, 0, words, ends) == part.index("yes")
    assert ends == {0: 18, 6: 18, 12: 18, 18: 18}
    # A later clause ends where it is known to.
    known = {6: 99}
    assert _opening_end(part, 0, words, known) == 99
    assert known == {0: 99, 6: 99}
    assert _opening_end("maybe", 0, words, {}) == 0


def test_a_bare_no_after_declining_only_declines_and_a_yes_answers():
    assert says("As an AI, I don't have opinions. No.") is None
    assert says("As an AI, I don't have opinions. Yes.") is True
