"""A study without pytest: its measures by name, its settings, and what it refuses."""

import asyncio
import json

import pytest

from pytest_llmpref import LLMPrefError, open_study, spearman
from pytest_llmpref.config.options import OPTIONS, SettingError
from pytest_llmpref.notebooks import PYTEST_ONLY


@pytest.fixture
def study():
    with open_study("sim/paper-a", profile="smoke") as found:
        yield found


def test_measures_have_the_names_of_fixtures_and_of_results(study):
    assert study.preferences is study["preference"]
    assert "donation_advice" in dir(study)
    assert (spearman(study.preferences, study.donation_advice) > 0).verdict == "supported"


def test_settings_are_those_of_a_run(study):
    with open_study("sim/paper-a", profile="smoke", seed=1) as other:
        assert other.preferences.values != study.preferences.values
    with open_study("sim/paper-a", profile="smoke", seed=0, control="permuted-entities") as permuted:
        assert sorted(permuted.preferences.values.values()) == sorted(study.preferences.values.values())
        assert permuted.preferences.values != study.preferences.values


def test_what_was_measured_stays_usable_after_closing():
    with open_study("sim/paper-a", profile="smoke") as found:
        preferences = found.preferences
    assert len(preferences.to_frame()) == len(preferences.trials)


def test_it_runs_inside_a_running_event_loop_as_in_a_notebook():
    async def cell():
        with open_study("sim/paper-a", profile="smoke") as found:
            return len(found.preferences)

    assert asyncio.run(cell()) == 72


def test_unknown_measures_and_settings_name_those_that_there_are(study):
    with pytest.raises(AttributeError, match=r"a study has no 'preference'; it has preferences, "):
        study.preference  # noqa: B018 - the access is what fails
    with pytest.raises(KeyError, match="no measure 'preferences': did you mean 'preference'"):
        study["preferences"]
    with pytest.raises(SettingError, match=r"open_study has no tokens; there are agentic, .*seed, "):
        open_study("sim/paper-a", tokens=3)
    with pytest.raises(SettingError, match=r"in_flight 0: must be at least 1"):
        open_study("sim/paper-a", in_flight=0)
    with pytest.raises(LLMPrefError, match="profile"):
        open_study("sim/paper-a", profile="huge")


def test_settings_of_tests_alone_are_refused():
    names = {option.ini.removeprefix("llmpref_") for option in OPTIONS}
    assert names >= PYTEST_ONLY - {"model"}
    for name in PYTEST_ONLY:
        with pytest.raises((SettingError, TypeError), match=name):
            open_study("sim/paper-a", **{name: "x"})


def test_what_is_not_recorded_is_not_asked(tmp_path):
    settings = {"profile": "smoke", "cassettes": tmp_path}
    with open_study("openai/gpt-x", **settings) as found, pytest.raises(LLMPrefError, match="new_episodes"):
        found.preferences  # noqa: B018 - the access is what fails


def test_a_notebook_draws_the_charts_of_the_report_in_colours_of_its_own(study):
    charts = study.charts("donation_advice")
    assert [chart.title for chart in charts] == ["Advice against preference: sim/paper-a"]
    drawn = charts[0]._repr_mimebundle_()
    spec = json.dumps(drawn["application/vnd.vegalite.v5+json"])
    assert "#2f6fb5" in spec
    assert "var(--" not in spec
    assert any(row["entity"] == "UNICEF" for row in charts[0].spec["data"]["values"])


def test_contexts_are_drawn_in_a_notebook_too(study):
    (chart,) = study.charts("pressed_advice")
    assert chart.title == "Advice under pressure against preference: sim/paper-a"
    assert "var(--" not in json.dumps(chart._repr_mimebundle_()["application/vnd.vegalite.v5+json"])
