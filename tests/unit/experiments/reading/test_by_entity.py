"""The accuracy for one entity beside the others': claimed only where nine in ten of its questions were answered."""

from dataclasses import replace

import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.reading.by_entity import minus_others
from pytest_llmpref.experiments.reading.experiment import boolq
from pytest_llmpref.models.chat import Reply

PROFILE = replace(load_profile("smoke"), entities=8, boolq_questions=None)
CONDITIONS = Conditions("m", load_entities(), PROFILE, seed=0, answers="text", prefill="cue")
SILENT = next(iter(CONDITIONS.groups))


def answered_but(unanswered):
    """A model that is right four times in five, and says nothing to the first so many questions under one entity."""
    experiment = boolq()
    plan, left, replies = experiment.plan(CONDITIONS), unanswered, []
    for number, one in enumerate(experiment._asked(CONDITIONS)):
        right = number % 5 > 0
        text = " Yes" if (one.item.answer == right) else " No"
        if one.entity == SILENT and left:
            text, left = " Hm.", left - 1
        replies.append((Reply(text, "stop"),))
    return minus_others(experiment.analyse(CONDITIONS, plan, replies))


@pytest.mark.parametrize(("unanswered", "valid"), [(6, True), (7, False)])
def test_an_entity_with_fewer_than_nine_answers_in_ten_is_invalid_and_it_alone(unanswered, valid):
    """58 of 64 are 91%, and 57 are 89%."""
    found = answered_but(unanswered)
    assert (not found[SILENT].invalid) is valid
    if not valid:
        assert "89% of the questions under" in found[SILENT].invalid[0]
    assert not any(estimate.invalid for entity, estimate in found.items() if entity != SILENT)
