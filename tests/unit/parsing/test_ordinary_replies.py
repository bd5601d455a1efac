"""A plain choice is read whatever ordinary words lead to it and follow it; see ``around.toml``."""

import tomllib
from itertools import product

import pytest
from diagonal import A_DIAGONAL_EVERY_DAY
from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice

AROUND = tomllib.loads((REPLIES / "own" / "around.toml").read_text(encoding="utf-8"))
OPTIONS = {"A": "UNICEF", "B": "Oxfam"}
OTHER = {"A": "B", "B": "A"}
FORMS = ["{name}", "Option {label}", "{label}"]
MARKED = [
    "{name}",
    "**{label}**",
    "Option {label}: {name}",
    "**Option {label} ({name})**",
    "{name} ({label})",
    "{label}.",
]
PLAIN = ["I'd choose {option}.", "My answer is {option}.", "{option} is the better choice."]


def filled(text: str, label: str, form: str, **more: str) -> str:
    """Return a text with the options in their places, and the first letter of a sentence upper case."""
    names = {"name": OPTIONS[label], "label": label, "other": OPTIONS[OTHER[label]]}
    text = text.format(option=form.format(**names), **names, **more)
    return text[0].upper() + text[1:]


def lost(texts: list[str], label: str) -> list[tuple[str | None, str]]:
    """Return the texts that are not read as a choice of a label, with what they are read as."""
    read = [(read_choice(Reply(text, "stop"), OPTIONS)[1], text) for text in texts]
    return [(found, text) for found, text in read if found != label]


def joined(before: str, statement: str) -> str:
    """Return a statement after words that lead to it: in one sentence, unless these end one."""
    within = before.rstrip().endswith((",", "but"))
    return before + (statement if within else statement[0].upper() + statement[1:])


@A_DIAGONAL_EVERY_DAY
@pytest.mark.parametrize("label", ["A", "B"])
def test_nothing_that_leads_to_a_choice_hides_it(label, some):
    crossed = some(product(AROUND["before"], AROUND["statements"], FORMS), of=len(FORMS))
    texts = [filled(joined(before, f"{statement}."), label, form) for before, statement, form in crossed]
    assert lost(texts, label) == []


@A_DIAGONAL_EVERY_DAY
@pytest.mark.parametrize("label", ["A", "B"])
def test_nothing_that_ends_a_statement_hides_it(label, some):
    crossed = some(product(AROUND["ends"], AROUND["statements"], FORMS), of=len(FORMS))
    # A label in brackets after the label says nothing new.
    texts = [
        filled(statement + end, label, form)
        for end, statement, form in crossed
        if "{label}" not in end or "{name}" in form
    ]
    assert lost(texts, label) == []


@A_DIAGONAL_EVERY_DAY
@pytest.mark.parametrize("label", ["A", "B"])
def test_no_ordinary_sentence_takes_a_choice_back(label, some):
    crossed = some(product(AROUND["after"], PLAIN, FORMS), of=len(FORMS))
    assert lost([filled(f"{plain} {after}", label, form) for after, plain, form in crossed], label) == []


@A_DIAGONAL_EVERY_DAY
@pytest.mark.parametrize("label", ["A", "B"])
def test_a_line_that_is_set_off_is_read_wherever_it_stands(label, some):
    crossed = some(product(AROUND["leads"], AROUND["lines"], MARKED), of=len(MARKED))
    texts = [filled(line, label, form, lead=lead) for lead, line, form in crossed if not ("." in form and "." in line)]
    assert lost(texts, label) == []
