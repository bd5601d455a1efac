"""A study without pytest: its measures by name, its settings, and what it refuses."""

import asyncio
import json

import pytest
from repository import CORPUS

from pytest_llmpref import LLMPrefError, load_results, open_study, spearman
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
    with pytest.raises(AttributeError, match=r"a study has no 'preference': did you mean preferences or "):
        study.preference  # noqa: B018 - the access is what fails
    with pytest.raises(AttributeError, match=r"a study has no 'granted_advice': did you mean graded_advice or "):
        study.granted_advice  # noqa: B018 - as above
    with pytest.raises(AttributeError, match=r"a study has no 'qqq': there are preferences, direct_ranking, "):
        study.qqq  # noqa: B018 - as above
    with pytest.raises(KeyError, match="no measure 'preferences': did you mean preference or "):
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


def test_entities_are_a_table_and_what_a_notebook_shows(study):
    frame = study.preferences.to_frame("entities")
    assert list(frame.columns) == ["entity", "group", "value", "low", "high", "n"]
    assert dict(zip(frame.entity, frame.value, strict=True)) == study.preferences.values
    shown = study.preferences._repr_html_()
    assert "preference of sim/paper-a: 72 entities" in shown
    assert "<table" in shown


def test_results_of_a_study_have_tables(study):
    assert len(study.preferences) == 72
    results = study.results()
    assert len(results.to_frame("measures")) == 72
    assert len(results.to_frame("trials")) == len(study.preferences.trials)
    assert results.to_frame().empty
    with pytest.raises(SettingError, match="no table 'entities': use one of trials, measures, claims"):
        results.to_frame("entities")


def test_results_of_a_run_are_read_and_shown():
    results = load_results(CORPUS / "results" / "whole.json")
    claims = results.to_frame()
    assert len(claims) == sum(len(model.claims) for model in results.record.models.values()) > 0
    assert set(claims.verdict) <= {"supported", "refuted", "inconclusive", "invalid"}
    assert "<table" in results._repr_html_()


def test_charts_are_those_of_the_report_in_colours_that_every_page_has(study):
    alt = pytest.importorskip("altair")
    assert study.donation_advice.valid
    assert study.preferences.valid
    assert study.pressed_advice.valid
    charts = study.results().charts()
    assert "Advice under pressure against preference: sim/paper-a" in [chart.to_dict()["title"] for chart in charts]
    assert len(charts) == 3
    for chart in charts:
        assert isinstance(chart, alt.TopLevelMixin)
        assert "var(--" not in chart.to_json()
    with pytest.raises(SettingError, match="no model 'sim/other': there are sim/paper-a"):
        study.results().charts("sim/other")


def test_the_path_from_a_share_of_refusals_to_their_transcripts(tmp_path):
    """What docs/how-to/read-results.md says of keys, step by step."""
    entities, cassettes = tmp_path / "four.csv", tmp_path / "cassettes"
    entities.write_text("name,group\nOak,a\nElm,a\nAsh,b\nFir,b\n", encoding="utf-8")
    world = tmp_path / "refuses.toml"
    world.write_text(
        'note = "refuses often"\nentities = "four.csv"\n[utilities.entities]\nash = 2.0\n[refusal]\nbase = 0.5\n',
        encoding="utf-8",
    )
    settings = {"entities": entities, "profile": "smoke", "record_mode": "all", "cassettes": cassettes}
    with open_study(f"sim/{world}", **settings) as found:
        measure, record = found.refusals, found.results().record
    (held,) = record.models.values()
    refusal = held.measures["refusal"]
    columns = refusal.columns
    about = [number for number, ids in enumerate(columns.entities) if "ash" in ids and not columns.control[number]]
    firsts = [number for number in about if columns.course[number].startswith("r")]
    assert 0 < len(firsts) < len(about)
    assert refusal.entities["ash"].value == pytest.approx(len(firsts) / len(about), abs=1e-6)
    lines = [line for path in cassettes.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    refused = [one for one in refusal.checks.refusals if "ash" in one.entities]
    assert len(refused) == sum(columns.course[number].count("r") for number in about)
    for one in refused:
        (line,) = [line for line in lines if one.key in line]
        assert json.loads(line)["reply"]["text"] == one.text
    attempts = [trial.attempts[0] for trial in measure.trials if "ash" in trial.entities]
    assert {one.key for one in attempts if one.outcome.value == "refusal"} <= {one.key for one in refused}
    # The key of a trial is that of its last attempt, which need not be a refusal.
    assert any(columns.outcome[number] == "choice" for number in firsts)
