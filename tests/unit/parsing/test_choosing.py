"""Choices in replies that were cut, that refer to what was named before, and that head what follows."""

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice


@pytest.mark.parametrize(
    ("text", "a", "b", "label"),
    [
        # What was cut may be the beginning of the other name.
        ("Inter", "Inter", "Inter Miami", None),
        ("inter", "Inter", "Inter Miami", None),
        ('"Inter', "Inter", "Inter Miami", None),
        ("A: Inter", "Inter", "Inter Miami", None),
        ("A: inter", "Inter", "the Inter Miami", None),
        # It is not where the other name begins otherwise, or where a word only ends like its beginning.
        ("Inter", "Inter", "Juventus", "A"),
        ("Berlin", "Berlin", "Interpol", "A"),
        ("Inter Miami", "Inter", "Inter Miami", "B"),
        # One letter is the label.
        ("A", "Oxfam", "Amnesty", "A"),
        ("Answer: A", "Oxfam", "Amnesty", "A"),
        ("My answer is A", "Oxfam", "Amnesty", None),
        # A title that others would follow.
        ("Let me first compare the two:\n\n**Oxfam**\n- Founded in 1942\n- Works in many", "Oxfam", "Amnesty", None),
    ],
)
def test_a_cut_reply_chooses_unless_its_end_may_begin_the_other_name(text, a, b, label):
    outcome = Outcome.CHOICE if label else Outcome.TRUNCATED
    assert read_choice(Reply(text, "length"), {"A": a, "B": b}) == (outcome, label)
    if ":\n" not in text:
        assert read_choice(Reply(text, "stop"), {"A": a, "B": b})[0] is Outcome.CHOICE


def read(text):
    return read_choice(Reply(text, "stop"), {"A": "Oxfam", "B": "the British Museum"})[1]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Oxfam does more. That's my pick.", "A"),
        ("Oxfam does more, so that's my pick.", "A"),
        ("The British Museum is older. Oxfam does more, so that's my pick.", "A"),
        ("Oxfam does not do more. That's my pick.", None),
        ("Oxfam and the British Museum do much. That's my pick.", None),
        ("Oxfam does more than the British Museum. That's my pick.", "A"),
        ("That's my pick.", None),
        # Which of a list "that" or "the higher score" is, stands in no grammar.
        ("**Scores**\n\n- Oxfam: 6.5/10\n- the British Museum: 8/10\n\nThe higher score wins my support.", None),
        ("**Scores**\n\n- the British Museum: 8/10\n- Oxfam: 6.5/10\n\nThe higher score wins my support.", None),
        ("That's my pick: Oxfam.", "A"),
    ],
)
def test_a_choice_may_refer_to_what_was_named_just_before(text, label):
    assert read(text) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Which would I choose?\nOxfam", "A"),
        ("Which would I avoid?\nOxfam", None),
        ("Personally? Oxfam", "A"),
        ("Oxfam\n- Pros: reach\n- Cons: cost", None),
        ("A: it is larger.\nB: it is older.", None),
        ("A: it is larger.\nB: it is older.\nI choose A.", "A"),
        ("Oxfam. I would not pick it.", None),
        ("Oxfam. It does more. I would not pick anything else.", "A"),
        ("1. Oxfam\n2. the British Museum", None),
        ("I like Oxfam, but I choose the British Museum.", "B"),
        ('"Oxfam"', "A"),
        ('"I choose Oxfam."', "A"),
        ("My ranking:\n\n1. Oxfam\n\n2. the British Museum", "A"),
        ("\U0001f947 Oxfam\n\U0001f948 the British Museum", "A"),
        ("A: the British Museum, nein B: Oxfam. Oder A. Oder B. Es ist A und B. Also B, also A.", None),
        ('Some say "I choose Oxfam", and I see why.', None),
    ],
)
def test_an_option_that_only_heads_what_follows_is_no_choice(text, label):
    assert read(text) == label


@pytest.mark.parametrize(
    "text",
    [
        "Oxfam comes out ahead on two of three (I'd give openness to the British Museum).",
        "I'd go with Oxfam. Or the British Museum. Hmm.",
        "- Oxfam: 8.5\n- the British Museum: 7\n\nNumbers are numbers, so that's where I'd donate.",
        "Hand it to Oxfam, hand it to the British Museum; it is all the same to me.",
        "So the answer is B. But then the answer is A. Both of these are my final answer.",
    ],
)
def test_what_may_mean_either_option_is_no_choice(text):
    """Kinds that other people's replies had, and that were read as the option that was not meant."""
    for options in ({"A": "Oxfam", "B": "the British Museum"}, {"A": "the British Museum", "B": "Oxfam"}):
        assert read_choice(Reply(text, "stop"), options)[0] is not Outcome.CHOICE


@pytest.mark.parametrize("best", ["Oxfam", "the British Museum"])
def test_the_gold_medal_decides_whatever_stands_beside_the_silver_one(best):
    other = "the British Museum" if best == "Oxfam" else "Oxfam"
    text = f"Final ranking\n\n\U0001f947 {best} (by a nose)\n\U0001f948 {other}"
    outcome, label = read_choice(Reply(text, "stop"), {"A": "Oxfam", "B": "the British Museum"})
    assert (outcome, label) == (Outcome.CHOICE, "A" if best == "Oxfam" else "B")


@pytest.mark.parametrize(
    "text",
    [
        "I doubt the British Museum more than Oxfam, which decides it in favour of the latter.",
        "Pros of the British Museum:\n- Old\n\nPros of Oxfam:\n- Open\n\nSo give to the second of these lists.",
    ],
)
def test_the_latter_is_one_only_where_it_is_named_and_shown_last(text):
    assert read_choice(Reply(text, "stop"), {"A": "the British Museum", "B": "Oxfam"}) == (Outcome.CHOICE, "B")
    assert read_choice(Reply(text, "stop"), {"A": "Oxfam", "B": "the British Museum"})[0] is not Outcome.CHOICE


@pytest.mark.parametrize(
    ("text", "finish", "label"),
    [
        # The last sentence was cut, so that more may follow; a finished one stands.
        ("Oxfam does well. I'd choose the British Museum", "length", None),
        ("Oxfam does well. I'd choose the British Museum.", "length", "B"),
        # What asks for a choice leads what follows it, and not what stands before.
        ("Oxfam, a group of note. Which one would I choose?", "stop", None),
        # An order before the last choice does not replace it; one after it does, or leaves none.
        ("I like Oxfam, but for this gift choose the British Museum, no, wait: I'd choose Oxfam.", "stop", "A"),
        ("I'd choose Oxfam. But for speed choose the British Museum.", "stop", None),
        # A comparison is none where the reply asks back, unless that only offers more.
        ("Oxfam is more reliable. What matters most to you?", "stop", None),
        ("I'd choose Oxfam. What matters most to you?", "stop", "A"),
        ("Oxfam is more reliable. Is there anything else you'd like to know about either?", "stop", "A"),
    ],
)
def test_what_stands_around_a_statement_decides_whether_it_holds(text, finish, label):
    assert read_choice(Reply(text, finish), {"A": "Oxfam", "B": "the British Museum"})[1] == label
