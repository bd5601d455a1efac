"""Replies that the rules' authors wrote keep their reading, whoever is meant; they show no accuracy.

A line begins with what is read of it: in ``yes_no.txt`` y, n or - for neither, in ``chosen.txt`` the label
of what is chosen. X stands for the name of A, and Y for that of B.
"""

import re

import pytest
from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.yes_no import read_yes_no

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


def test_yes_and_no_are_read():
    answers = {"y": True, "n": False, "-": None}
    said = [(answers[line[0]], line[2:].replace("\\n", "\n")) for line in lines("yes_no.txt")]
    assert [(answer, text) for answer, text in said if read_yes_no(Reply(text, "stop"))[1] is not answer] == []
    assert len(said) > 300
