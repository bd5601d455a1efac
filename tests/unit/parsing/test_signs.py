"""Ticks, crosses, medals and numbers beside options, in a marked text and in whole replies."""

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.options import LABELS, NAMES
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.signs import crossed, firsts_by_medal, firsts_by_number, put_second, ticked

A, B = LABELS["A"], NAMES["B"]


def test_signs_are_those_beside_an_option():
    assert ticked(f"{A} \u2705 and {B}") == {"A"}
    assert ticked(f"[x] {B}\n[ ] {A}") == {"B"}
    assert ticked(f"{A} is fine \u2705") == set()
    assert crossed(f"{A} \u274c")
    assert crossed(f"\u2b1c {B}")
    assert not crossed(f"{B} is no \u274c")
    assert put_second(f"\U0001f948 {A}")
    assert not put_second(f"\U0001f947 {A}")
    assert firsts_by_medal(f"\U0001f947 {A}\n\U0001f948 {B}") == {"A"}
    assert firsts_by_medal(f"\U0001f947 {A}\n\U0001f947 {B}") == {"A", "B"}
    assert firsts_by_number(f"1. {B}\n2. {A}") == {"B"}
    assert firsts_by_number(f"1. {B}\n2. {A}\n\n1. {A}\n2. {B}") == {"A", "B"}
    assert firsts_by_number(f"1. {B}\n3. {A}") == set()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A) UNICEF \u2705\nB) Oxfam", "A"),
        ("A) UNICEF\nB) Oxfam \u2705", "B"),
        ("A) UNICEF\nB) Oxfam", None),
        ("\u2611\ufe0f UNICEF\n\u2b1c Oxfam", "A"),
        ("| Option | Verdict |\n|---|---|\n| UNICEF | \u2705 Recommended |\n| Oxfam | \u274c Not this time |", "A"),
        ("- UNICEF \u2705 transparent\n- Oxfam \u2705 effective", None),
        ("\U0001f947 UNICEF\n\U0001f947 Oxfam", None),
        ("**First ranking**\n1. Oxfam\n2. UNICEF\n\n**Second ranking**\n1. UNICEF\n2. Oxfam", None),
        ("My ranking:\n1. Oxfam\n2. UNICEF", "B"),
    ],
)
def test_signs_choose_where_they_tell_one_option_from_the_other(text, label):
    outcome, read = read_choice(Reply(text, "stop"), {"A": "UNICEF", "B": "Oxfam"})
    assert read == label
    assert (outcome is Outcome.CHOICE) is (label is not None)
