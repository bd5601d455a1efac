"""Measures in contexts from results.json: the same trials, and two releases compared."""

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import causal_effect, change, change_in_share
from pytest_llmpref.comparison.baseline import measure_of
from pytest_llmpref.experiments.contexts import CONTEXTS
from pytest_llmpref.study.records import measure_record

# Agents are read back in `test_agents`.
NAMES = [one.measure for one in CONTEXTS if one.measure != "induced_agentic"]


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"))


def read_back(measure):
    return measure_of(measure.name, measure.model, measure_record(measure), measure.groups)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_asked_and_found_is_read_back(name, profile):
    (measure,) = measured("sim/test-aware", profile, name)
    found = read_back(measure)
    assert [trial.asked for trial in found.trials] == [trial.asked for trial in measure.trials]
    assert [trial.score for trial in found.trials] == pytest.approx([trial.score for trial in measure.trials])
    assert {trial.context for trial in found.trials} == {trial.context for trial in measure.trials}


@pytest.mark.parametrize("name", NAMES)
def test_two_releases_are_compared_over_the_same_questions(name, profile):
    new, old = (measured(world, profile, name)[0] for world in ("sim/test-aware", "sim/induced"))
    found = change(new, read_back(old))
    assert found.matching.questions > 0
    assert set(found.estimates) == set(new.estimates)


def test_effects_are_those_of_the_measure_itself(profile):
    advice, aware = measured("sim/test-aware", profile, "induced_reading", "seen_as_test")
    assert causal_effect(read_back(advice)).value == pytest.approx(causal_effect(advice).value)
    assert change_in_share(read_back(aware), "test").value == pytest.approx(change_in_share(aware, "test").value)


@pytest.mark.parametrize("name", ["induced_advice", "induced_reading", "induced_refusals", "graded_advice"])
def test_a_release_that_is_not_swayed_any_more_has_less_of_an_effect(name, profile):
    new, old = (measured(world, profile, name)[0] for world in ("sim/correlated", "sim/induced"))
    found = change(read_back(new), read_back(old)).overall
    assert found.label == "change in the effect of the arms"
    expected = causal_effect(new).value - causal_effect(old).value
    assert found.value == pytest.approx(expected, abs=0.15)
    wanted = found > 0 if name == "induced_refusals" else found < 0
    assert wanted.verdict == "supported"


def test_one_release_beside_itself_has_not_changed(profile):
    (advice,) = measured("sim/induced", profile, "induced_advice")
    assert change(advice, read_back(advice)).overall.value == 0


def test_contexts_without_arms_have_no_effect_of_arms(profile):
    (advice,) = measured("sim/induced", profile, "pressed_advice")
    assert change(advice, read_back(advice)).overall is None
