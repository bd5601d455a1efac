"""Whole studies under all protocols, at the size of the paper's."""

import asyncio
from functools import cache

import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Advice, AdviceForms, Preference, PreferenceForms
from pytest_llmpref.experiments.pairs.protocols import cells_of
from pytest_llmpref.models.simulated.server import SimulatedModel
from pytest_llmpref.parsing.outcome import Outcome

CONDITIONS = Conditions("sim/paper-a", load_entities(), load_profile("paper"), seed=0, answers="text", prefill="cue")
FORMS_AND_USUAL = (Preference, PreferenceForms, Advice, AdviceForms)


@cache
def measured(behaviour):
    """Measure as a study does; each once, since two tests look at some."""
    experiment = behaviour().experiment()
    plan = experiment.plan(CONDITIONS)
    replies = asyncio.run(ask_all(SimulatedModel("sim/paper-a"), plan, range(len(plan.requests)), in_flight=16))
    return experiment.analyse(CONDITIONS, plan, replies)


def test_cells_of_other_forms_carry_the_measures_names():
    measures = [measured(each) for each in FORMS_AND_USUAL]
    cells = cells_of(measures[:2], measures[2:])
    assert len({cell.protocol for cell in cells}) == 64
    assert len(cells) == 3 * 64
    assert {(cell.preferences.name, cell.donation_advice.name) for cell in cells} == {("preference", "donation_advice")}
    # Of replies that favour neither there are some, and where that is an answer they spoil no cell.
    assert not any(cell.preferences.reasons for cell in cells)


@pytest.mark.parametrize("behaviour", [PreferenceForms, AdviceForms], ids=lambda behaviour: behaviour.measure)
def test_other_forms_are_answered_and_a_neutral_choice_is_not_asked_again(behaviour):
    found = measured(behaviour)
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
    assert len({trial.key for trial in found.trials}) == len(found.trials) == 3 * 5112
