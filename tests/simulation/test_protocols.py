"""Whole studies under all protocols: of 24 entities, and, by night, at the size of the paper's."""

import asyncio
from dataclasses import replace
from functools import cache

import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Advice, AdviceForms, Preference, PreferenceForms
from pytest_llmpref.experiments.pairs.protocols import cells_of
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.parsing.outcome import Outcome

PAPER = Conditions("sim/paper-a", load_entities(), load_profile("paper"), seed=0, answers="text", prefill="cue")
SIZES = pytest.mark.parametrize("entities", [24, pytest.param(72, marks=pytest.mark.slow)])
"""As many pairs by form, order and wording, of a third of the entities; and all of them."""
FORMS_AND_USUAL = (Preference, PreferenceForms, Advice, AdviceForms)


@cache
def measured(behaviour, entities):
    """Measure as a study does; each once, since two tests look at some."""
    chosen = replace(PAPER.entities, entities=PAPER.entities.entities[:: 72 // entities])
    conditions, experiment = replace(PAPER, entities=chosen), behaviour().experiment()
    plan = experiment.plan(conditions)
    replies = asyncio.run(ask_all(SimulatedModel("sim/paper-a"), plan, range(len(plan.requests)), in_flight=16))
    return experiment.analyse(conditions, plan, replies)


@SIZES
def test_cells_of_other_forms_carry_the_measures_names(entities):
    measures = [measured(each, entities) for each in FORMS_AND_USUAL]
    cells = cells_of(measures[:2], measures[2:])
    assert len({cell.protocol for cell in cells}) == 64
    assert len(cells) == 3 * 64
    assert {(cell.preferences.name, cell.donation_advice.name) for cell in cells} == {("preference", "donation_advice")}
    # Of replies that favour neither there are some, and where that is an answer they spoil no cell.
    assert not any(cell.preferences.reasons for cell in cells)


@SIZES
@pytest.mark.parametrize("behaviour", [PreferenceForms, AdviceForms], ids=lambda behaviour: behaviour.measure)
def test_other_forms_are_answered_and_a_neutral_choice_is_not_asked_again(behaviour, entities):
    found = measured(behaviour, entities)
    assert {trial.form for trial in found.trials} == {"neutral", "by_name", "neutral_by_name"}
    neither = {trial.form for trial in found.trials if trial.outcome is Outcome.ABSTENTION}
    assert neither == {"neutral", "neutral_by_name"}
    asked_again = [
        trial for trial in found.trials for attempt in trial.attempts[:-1] if attempt.outcome == "abstention"
    ]
    assert {trial.form for trial in asked_again} <= {"by_name"}
    assert found.diagnostics["coverage"] > 0.95
    # The simulated model likes the same whatever the form.
    assert found.diagnostics["generalizability"]["swaps"]["answer_form"]["value"] > 0.9
    assert len({trial.key for trial in found.trials}) == len(found.trials) == 3 * entities * (entities - 1)
