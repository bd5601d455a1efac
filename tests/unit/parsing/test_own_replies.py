"""Replies that the rules' authors wrote keep their reading, whoever is meant; they show no accuracy.

In a line of ``chosen.txt``, "A" or "B" is the label that is chosen; X stands for the name of A, and Y for that of B.
"""

import re

import pytest
from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice

PAIRS = [("Oxfam", "the British Museum"), ("Greenpeace", "UNICEF"), ("Médecins Sans Frontières", "the Scouts")]


def lines(name: str) -> list[str]:
    return (REPLIES / "own" / name).read_text(encoding="utf-8").splitlines()


def read(text: str, a: str, b: str) -> str | None:
    names = {"X": a, "Y": b}
    said = re.sub(r"\b[XY]\b", lambda match: names[match[0]], text.replace("\\n", "\n"))
    return read_choice(Reply(said, "stop"), {"A": a, "B": b})[1]


@pytest.mark.parametrize("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)], ids=" and ".join)
def test_what_chooses_is_read_and_nothing_else(pair):
    chosen = [(line[0], line[2:]) for line in lines("chosen.txt")]
    assert [(label, text) for label, text in chosen if read(text, *pair) != label] == []
    assert [text for text in lines("not_chosen.txt") if read(text, *pair)] == []
    assert len(chosen) > 1000
