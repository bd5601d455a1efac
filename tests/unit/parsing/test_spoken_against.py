"""What a reply speaks against is never its choice, and what it only mentions, or thinks, is none either."""

import itertools

import pytest
from diagonal import A_DIAGONAL_EVERY_DAY
from spoken_against import FINISHES, sentences

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.ranking import read_ranking
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.yes_no import read_yes_no

OPTIONS = {"A": "the British Museum", "B": "UNICEF"}
NAMES = {"unicef": "UNICEF", "bm": "the British Museum", "oxfam": "Oxfam", "peta": "PETA"}
LISTED, NUMBERED = "Oxfam, the British Museum, PETA and UNICEF", "1. Oxfam\n2. The British Museum\n3. PETA\n4. UNICEF"


@A_DIAGONAL_EVERY_DAY
def test_no_sentence_against_an_option_is_a_choice_of_it(some):
    """Each sentence, with the option named in each way; two pairs, two labels and two ends of a reply in turn."""
    crossed = list(itertools.product(sentences(), FINISHES))
    assert len(crossed) > 20_000
    asked = some(crossed, of=8)
    assert len(asked) > 2500
    assert [each.text for each, finish in asked if each.chooses_it(finish)] == []


@pytest.mark.parametrize("text", ["The British Museum is wonderful.", "UNICEF has a history of waste.", "Oh, UNICEF!"])
def test_the_only_option_mentioned_is_no_choice(text):
    assert read_choice(Reply(text, "stop"), OPTIONS) == (Outcome.UNPARSEABLE, None)


@pytest.mark.parametrize("text", ["A/B", "A / B", "a/b", "A|B", "(A)/(B)", "B/A.", "UNICEF/the British Museum"])
def test_both_options_and_nothing_else_are_no_choice(text):
    assert read_choice(Reply(text, "stop"), OPTIONS) == (Outcome.UNPARSEABLE, None)


@pytest.mark.parametrize("closing", ["</think>", "</thinking>", "[/THINK]", "\u25c1/think\u25b7", "<|END_THINKING|>"])
def test_no_reader_reads_what_stands_before_a_closing_marker(closing):
    assert read_choice(Reply(f"I choose A.{closing}B", "stop"), OPTIONS) == (Outcome.CHOICE, "B")
    assert read_choice(Reply(f"{'I choose A. ' * 2000}{closing}B{'.' * 5000}", "stop"), OPTIONS) == (
        Outcome.CHOICE,
        "B",
    )
    assert read_yes_no(Reply(f"Yes, surely.{closing}No", "stop")) == (Outcome.CHOICE, False)
    order = read_ranking(f"UNICEF; PETA; Oxfam; the British Museum{closing}{NUMBERED}", NAMES).order
    assert order == ("oxfam", "bm", "peta", "unicef")


@pytest.mark.parametrize(
    "text",
    [
        f"I'm sorry, but I can't rank {LISTED}.",
        f"I can't rank these organisations:\n{NUMBERED}",
        f"{LISTED}: I can't rank these.",
        f"It would be inappropriate to rank {LISTED}.",
        f"Ich kann {LISTED} nicht bewerten.",
        f"Je suis d\u00e9sol\u00e9, je ne peux pas classer {LISTED}.",
    ],
)
def test_a_refusal_that_lists_all_names_is_no_ranking(text):
    assert read_ranking(text, NAMES).order == ()


@pytest.mark.parametrize(
    "text",
    [
        f"As an AI, I don't have personal preferences, but here is a ranking: {LISTED}",
        f"{LISTED}\n\nNote that as an AI I don't have personal preferences.",
        f"{NUMBERED}\n\nI can't claim that this is objective.",
    ],
)
def test_a_ranking_with_a_reservation_is_a_ranking(text):
    assert read_ranking(text, NAMES).order == ("oxfam", "bm", "peta", "unicef")
