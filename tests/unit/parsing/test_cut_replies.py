"""Replies that end at `max_tokens` say nothing of a model: its claims are invalid, grouped once, with what to do."""

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.cut_replies import may_go_on
from pytest_llmpref.parsing.yes_no import read_yes_no

UNFINISHED = "Both of them are well known, so it helps to look at what each of them does, and at how it"


@pytest.mark.parametrize(
    ("text", "whole", "cut"),
    [
        (UNFINISHED, "abstention", "truncated"),
        ("The passage tells of the river, and there is no", "unparseable", "truncated"),
        (" 1. Yes 2. No 3. No 4. Yes 5. No", "unparseable", "truncated"),
        ("The answer is not clear. The passage says", "abstention", "abstention"),
        ("The passage tells of the river. So my answer: no.", "choice", "choice"),
        ("No, the passage says that the river", "choice", "choice"),
        ("The answer is yes, because the river", "choice", "choice"),
        ("I can't help with a quiz about", "refusal", "refusal"),
    ],
)
def test_the_last_sentence_of_a_cut_reply_neither_answers_nor_abstains(text, whole, cut):
    assert read_yes_no(Reply(text, "stop"))[0].value == whole
    assert read_yes_no(Reply(text, "length"))[0].value == cut


@pytest.mark.parametrize(
    ("text", "other", "goes_on"),
    [
        ("I'd choose Int", "Inter Miami", True),
        ("aI", "Inter Miami", False),
        ("\u00e9I", "Inter Miami", True),
        ("I say option B", "Option B Foundation", True),
        ("I say option A", "A to Zero", False),
        ("I'd choose UNICEF", "Inter Miami", False),
    ],
)
def test_a_cut_reply_may_end_within_the_name_of_the_other_option(text, other, goes_on):
    assert may_go_on(text, (("A", "UNICEF"), ("B", other)), "A") is goes_on
