"""What a reply says outside its thinking: markers in and out of pairs, headings, channels, and long texts."""

import pytest

from pytest_llmpref.parsing.thinking import LONGEST, Spoken, said_by, spoken, without_thinking


@pytest.mark.parametrize(
    ("text", "said", "unfinished"),
    [
        (" B ", " B ", False),
        ("<think>A?</think> B ", "B", False),
        ("First. <think>A?</think> Then B.", "First.  Then B.", False),
        ("<think>A?</think>B <think>or A?</think>C", "B C", False),
        # The template has opened it.
        ("A?</think>B", "B", False),
        ("A?</think>B</think>C", "C", False),
        # It was never closed.
        ("<think>A?", "", True),
        ("B <think>A?", "B", True),
        ("A?</think>B <think>or", "B", True),
        ("<think>A? <think>B?</think>C", "C", False),
    ],
)
def test_markers_divide_thinking_from_what_is_said(text, said, unfinished):
    assert said_by(text) == Spoken(said, unfinished)
    assert without_thinking(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Thinking: A is good.\nAnswer: B", "Answer: B"),
        ("Thinking: A.\nAnswer: A\nNo.\nFinal answer: B ", "Final answer: B"),
        ("Thinking: A is good.", "Thinking: A is good."),
        ("Answer: A\nThinking: B", "Answer: A\nThinking: B"),
        ("<think>x</think>Thinking: A.\nAnswer: B", "Answer: B"),
        ("analysisI like A. I say A.assistantfinal B ", "B"),
        ("<|start|>assistant B<|end|></think>C", "C"),
    ],
)
def test_headings_and_channels_divide_them_too(text, said):
    assert said_by(text) == Spoken(said, unfinished=False)


def test_signs_of_turns_are_no_part_of_what_is_said():
    assert said_by("<think>x</think>B<|end|>").text == "B"


def test_of_a_long_text_the_start_and_the_end_are_read():
    whole = "a" * LONGEST + "b" * LONGEST
    assert spoken(whole) == Spoken(whole, unfinished=False)
    long = "a" * LONGEST + "x" + "b" * LONGEST
    assert spoken(long) == Spoken("a" * LONGEST + "\n" + "b" * LONGEST, unfinished=False)
    assert spoken(f"{long}<think>A") == Spoken("a" * LONGEST + "\n" + "b" * LONGEST, unfinished=True)
