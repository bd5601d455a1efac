"""Replies of 100,000 characters."""

from dataclasses import replace

import pytest
from refusing import CONDITIONS, ENTITIES, Refuser, measure

from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.refusal.experiment import refusals
from pytest_llmpref.parsing.outcome import Outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("la " * 33_334, Outcome.UNPARSEABLE),
        ("I cannot help with that. " + "la " * 33_334, Outcome.REFUSAL),
        ("(" * 100_000, Outcome.UNPARSEABLE),
        ("la " * 33_334 + "My answer is B.", Outcome.CHOICE),
    ],
)
def test_a_reply_of_100_000_characters_is_one_outcome(text, outcome):
    # Of 72 entities there would be six times as many replies, all the same.
    few = replace(ENTITIES, entities=ENTITIES.entities[:12])
    conditions = replace(CONDITIONS, entities=few, profile=load_profile("smoke"))
    found = measure(refusals(), Refuser(base=50.0, text=text), conditions)
    assert found.diagnostics["outcomes"][outcome] == 48


def test_a_reply_of_100_000_characters_is_read_like_any_other():
    text = "I'm sorry, but I can't choose. " + "Let me explain at length. " * 4000
    found = measure(
        refusals(), Refuser(base=0.0, slope=0.0, text=text), replace(CONDITIONS, profile=load_profile("smoke"))
    )
    assert found.valid, found.reasons
