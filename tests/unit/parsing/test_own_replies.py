"""Replies that the rules' authors wrote keep their reading, whoever is meant; they show no accuracy.

A line begins with what is read of it: in ``yes_no.txt`` y, n or - for neither, in ``chosen.txt`` the label
of what is chosen. X stands for the name of A, and Y for that of B. In ``divided.txt``, - stands before a choice that
is divided, by purpose P and Q, audience, time or respect, and + before one that chooses X all the same.
"""

import itertools
import re

import pytest
from diagonal import A_DIAGONAL_EVERY_DAY
from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.yes_no import read_yes_no

PAIRS = [("Oxfam", "the British Museum"), ("Greenpeace", "UNICEF"), ("Médecins Sans Frontières", "the Scouts")]
BOTH_WAYS = [*PAIRS, *(pair[::-1] for pair in PAIRS)]


def lines(name: str) -> list[str]:
    return (REPLIES / "own" / name).read_text(encoding="utf-8").splitlines()


def read(text: str, a: str, b: str) -> str | None:
    names = {"X": a, "Y": b}
    said = re.sub(r"\b[XY]\b", lambda match: names[match[0]], text.replace("\\n", "\n"))
    return read_choice(Reply(said, "stop"), {"A": a, "B": b})[1]


@A_DIAGONAL_EVERY_DAY
def test_what_chooses_is_read_and_nothing_else(some):
    chosen = [(line[2:], line[0]) for line in lines("chosen.txt")]
    said = [*chosen, *((text, None) for text in lines("not_chosen.txt"))]
    assert len(chosen) > 1000
    asked = some(itertools.product(said, BOTH_WAYS), of=len(BOTH_WAYS))
    assert [(pair, label, text) for (text, label), pair in asked if read(text, *pair) != label] == []


@pytest.mark.parametrize("pair", [*BOTH_WAYS, ("A", "B"), ("B", "A")], ids=" and ".join)
@pytest.mark.parametrize("purposes", [("cost", "reach"), ("the short term", "the long term"), ("work", "students")])
def test_a_choice_that_is_divided_by_purpose_is_none(pair, purposes):
    names = dict(zip("PQXY", [*purposes, *pair], strict=True))
    options = (
        {label: f"the {label} Trust" for label in "AB"} if set(pair) == {"A", "B"} else {"A": pair[0], "B": pair[1]}
    )
    wrong = []
    for line in lines("divided.txt"):
        said = re.sub(r"(?<![A-Za-z])[PQXY](?![A-Za-z])", lambda match: names[match[0]], line[2:].replace("\\n", "\n"))
        label = read_choice(Reply(said, "stop"), options)[1]
        if label is not None and (line[0] == "-" or label != ("B" if pair == ("B", "A") else "A")):
            wrong.append((label, said))
        if label is None and line[0] == "+" and pair == PAIRS[0]:
            wrong.append((label, said))
    assert wrong == []


def test_yes_and_no_are_read():
    answers = {"y": True, "n": False, "-": None}
    said = [(answers[line[0]], line[2:].replace("\\n", "\n")) for line in lines("yes_no.txt")]
    assert [(answer, text) for answer, text in said if read_yes_no(Reply(text, "stop"))[1] is not answer] == []
    assert len(said) > 300
