"""How reports write numbers, names and lines."""

import copy
from pathlib import Path

import pytest
from results_record import RECORD

from pytest_llmpref.report import wording
from pytest_llmpref.report.page import page
from pytest_llmpref.report.terminal import measure_lines
from pytest_llmpref.report.wording import nothing_asked
from pytest_llmpref.results.diagnostics import ShareRecord, StoppingRecord
from pytest_llmpref.results.loading import parse_results
from pytest_llmpref.results.schema import ModelRecord


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (None, "\u2013", "\u2013"),
        (float("nan"), "\u2013", "\u2013"),
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (0.12345, "0.123", "+0.123"),
        (-0.5, "\u22120.5", "\u22120.5"),
        (1234.5, "1234", "+1234"),
        (-1234.5, "\u22121234", "\u22121234"),
    ],
)
def test_numbers_have_three_digits_and_a_true_minus(value, plain, signed):
    assert wording.number(value) == plain
    assert wording.signed(value) == signed


@pytest.mark.parametrize(
    ("of", "said"),
    [(0.5, "50.0%"), (ShareRecord(0.987), "98.7%"), (ShareRecord(None), "\u2013"), (None, "\u2013")],
)
def test_a_share_is_that_of_a_number_or_of_an_estimate(of, said):
    assert wording.share(of) == said


def test_a_chance_is_never_certain():
    assert [wording.percent(chance) for chance in (0.0, 0.01, 0.5, 0.99, 1.0)] == [
        "under 1%", "1%", "50%", "99%", "over 99%"
    ]  # fmt: skip


def test_what_is_left_out_of_a_list_is_counted():
    assert wording.listed(["a", "b"], 2) == "a, b"
    assert wording.listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert wording.listed([], 2) == ""


def test_counts_agree_with_their_words():
    assert wording.plural(1, "gate") == "1 gate"
    assert wording.plural(1_200, "entity", "entities") == "1,200 entities"
    assert wording.plural(0, "claim") == "0 claims"


def test_names_are_shown_as_words_and_paths_from_here(tmp_path, monkeypatch):
    assert wording.words("test_advice_follows_preference") == "advice follows preference"
    assert wording.short_name("suites/test_a.py::TestIt::test_b") == "test_b"
    monkeypatch.chdir(tmp_path)
    assert wording.short_path(tmp_path / "reports" / "x.json") == str(Path("reports") / "x.json")
    assert wording.short_path(tmp_path.parent / "x.json") == str(tmp_path.parent / "x.json")


def test_lines_are_80_columns_wide_and_names_whole():
    lines = wording.wrapped("moved: " + "center-for-american-progress " * 8, "- ", "  ")
    assert max(map(len, lines)) <= wording.WIDTH
    assert [line[:2] for line in lines] == ["- ", "  ", "  ", "  "]
    assert sum(line.count("center-for-american-progress") for line in lines) == 8


@pytest.mark.parametrize(
    ("because", "said"),
    [([], "ended"), (["a"], "ended: a"), (["a", "b", "c", "d", "e"], "ended: a, b, c and 2 more")],
)
def test_who_ended_the_asking_is_named(because, said):
    class Checks:
        stopping = StoppingRecord(
            ended="refuted", because=because, look=1, looks=3, asked=5, planned=9, decided={}, thresholds=[],
            said="ended",
        )  # fmt: skip

    assert wording.where_it_ended(Checks) == said
    Checks.stopping = None
    assert wording.where_it_ended(Checks) == ""


def test_a_terminal_is_given_what_it_can_show():
    assert wording.for_terminal("\u22121 \u2013 \u00b12") == "-1 - +-2"
    assert "\x1b" not in wording.for_terminal("\x1b[2J")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({}, "some/model"),
        ({"simulated": True}, "some/model (simulated)"),
        ({"organism": True}, "some/model (model organism: preferences trained in)"),
    ],
)
def test_what_is_not_a_models_own_stands_beside_its_name(what, said):
    record = ModelRecord(**{"simulated": False, "measures": {}, "claims": []} | what)
    assert wording.labelled("some/model", record) == said


def said_of_recordings(mode="new_episodes", asked=(), days=("2026-03-02", "2026-03-04"), canary=None):
    record = copy.deepcopy(RECORD)
    record["run"] |= {"record_mode": mode, "asked": None if asked is None else list(asked)}
    diagnostics = record["models"]["sim/plain"]["measures"]["preference"]["diagnostics"]
    diagnostics["canary"] = canary
    if days:
        diagnostics["recorded"] = {"first": days[0], "last": days[1]}
    results = parse_results(record, "it")
    return nothing_asked(results.run, "sim/plain", results.models["sim/plain"])


def test_a_run_that_may_ask_and_asks_nothing_says_when_the_answers_were_recorded():
    assert said_of_recordings().startswith("nothing was asked: all answers were recorded on 2026-03-02 to 2026-03-04;")
    assert " on 2026-03-02;" in said_of_recordings(days=("2026-03-02", "2026-03-02"))
    assert said_of_recordings(asked=["sim/other"])


@pytest.mark.parametrize(
    "run",
    [
        {"asked": ["sim/plain"]},
        {"asked": None},
        {"mode": "none"},
        {"mode": "all"},
        {"days": ()},
        {"canary": {"questions": 20, "differing": 0, "p": 1.0}},
    ],
    ids=str,
)
def test_a_run_that_asked_or_may_not_or_cannot_tell_says_nothing_of_it(run):
    assert said_of_recordings(**run) == ""


SURE = {"value": 0.99, "low": 0.97, "high": 1.0, "n": 24}
UNSURE = {"value": 1.0, "low": -1.0, "high": 1.0, "n": 10}


def study_of_formats(**swaps):
    sizes = {"entity_sd": 1.0, "facet_sd": {}, "residual_sd": 1.0, "coefficient": SURE, "one_format": 0.9}
    return {**sizes, "swaps": swaps, "needed": 0.5}


def said_of_formats(found, *, name="concert", **more):
    results = copy.deepcopy(RECORD)
    measure = results["models"]["sim/plain"]["measures"].pop("preference")
    measure["diagnostics"]["generalizability"] = found
    results["models"]["sim/plain"]["measures"][name] = {**measure, **more}
    return parse_results(results, "here").models["sim/plain"].measures[name]


def test_swaps_have_an_interval_where_it_contains_what_a_valid_measure_needs():
    measure = said_of_formats(study_of_formats(label=UNSURE, position=SURE, label_by_position=SURE))
    assert wording.across_formats(measure) == (
        "across formats: label 1.00 (\u22121 to 1), order 0.99, both 0.99; too few data to be sure"
    )
    fallen = {"value": -0.6, "low": -0.9, "high": -0.2, "n": 10}
    measure = said_of_formats(study_of_formats(label=fallen), valid=False, reasons=["it falls"])
    assert wording.across_formats(measure) == "across formats: label -0.60"
    measure = said_of_formats(study_of_formats(label=UNSURE), valid=False, reasons=["it is one-sided"])
    assert wording.across_formats(measure) == "across formats: label 1.00"
    measure = said_of_formats(study_of_formats(label={"value": None, "low": None, "high": None, "n": 10}))
    assert wording.across_formats(measure) == "across formats: label \u2013"


def test_a_measure_of_strengths_whose_formats_are_not_judged_says_so():
    assert wording.across_formats(said_of_formats(None)).startswith("across formats: not judged")
    assert wording.across_formats(said_of_formats(study_of_formats())) == "across formats: not known"
    other = parse_results(copy.deepcopy(RECORD), "here").models["sim/plain"].measures["preference"]
    assert wording.across_formats(other) == ""


def test_the_screen_and_the_page_show_formats_of_every_measure_of_strengths():
    measure = said_of_formats(study_of_formats(label=UNSURE, position=SURE), name="concert")
    lines = list(measure_lines({"concert": measure}, {}))
    assert "    across formats: label 1.00 (\u22121 to 1), order 0.99; too few data to be sure" in lines
    results = copy.deepcopy(RECORD)
    found = results["models"]["sim/plain"]["measures"]
    found["concert"] = {**found["preference"], "diagnostics": {
        **found["preference"]["diagnostics"], "generalizability": study_of_formats(label=UNSURE)
    }}  # fmt: skip
    drawn = page(parse_results(results, "here"))
    assert '<span class="reason">label</span> 1.00 (\u22121 to 1)' in drawn
    assert "<b>Valid</b>: no check failed." in drawn
