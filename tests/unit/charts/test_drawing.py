"""Charts as specifications: whose rows they hold, in what order, and under which names."""

import copy
from xml.etree import ElementTree

import msgspec
import pytest
import vl_convert
from results_record import RECORD

from pytest_llmpref.charts import Drawing, Names, controls, is_known, ladder, scatter, shown
from pytest_llmpref.experiments.agents import arms_chart
from pytest_llmpref.results.loading import parse_results


def drawn(**values):
    """A drawing of a measure with these values, which are the preference too."""
    record = copy.deepcopy(RECORD)
    record["entities"] = {id_: {"name": f"the {id_} Fund", "group": "g"} for id_ in values}
    measure = record["models"]["sim/plain"]["measures"]["preference"]
    measure["entities"] = {
        id_: {"value": value, "low": None, "high": None, "n": 0}
        if value is None
        else {"value": value, "low": value - 1, "high": value + 1, "n": 9}
        for id_, value in values.items()
    }
    results = parse_results(record, "it")
    found = results.models["sim/plain"].measures["preference"]
    return Drawing("m", "preference", found, found, "Elo", Names(results))


def rows(chart):
    return chart.spec["data"]["values"]


def test_a_ladder_goes_from_the_most_preferred_down_and_leaves_out_who_is_unknown():
    chart = ladder(drawn(apple=1.0, pear=3.0, plum=None, fig=2.0), "Elo")
    assert [row["entity"] for row in rows(chart)] == ["the pear Fund", "the fig Fund", "the apple Fund"]
    assert chart.summary.startswith("Most preferred: the pear Fund; least: the apple Fund.")
    assert rows(chart)[0] | {"low": 2.0, "high": 4.0, "n": 9, "value": 3.0} == rows(chart)[0]


def test_an_interval_without_an_end_is_drawn_to_the_edge_and_the_ladder_says_so():
    drawing = drawn(apple=1.0, pear=3.0)
    assert ladder(drawing, "Elo").summary.endswith("Lines are 95% intervals.")
    entities = drawing.record.entities
    entities["pear"] = msgspec.structs.replace(entities["pear"], high=None)
    chart = ladder(drawing, "Elo")
    assert chart.summary.endswith("Lines are 95% intervals, dashed to the edge where they have no end.")
    drawn_lines = ElementTree.fromstring(vl_convert.vegalite_to_svg(chart.record()["spec"])).iter()
    dashed = [line for line in drawn_lines if line.get("stroke-dasharray") == "2,2"]
    # From 2 to the end of an axis from 0 to 3, which is 330 wide.
    assert [(line.get("x2"), line.get("y2")) for line in dashed] == [("110", "0")]


def test_without_a_known_value_nothing_is_drawn():
    unknown = drawn(apple=None)
    charts = [ladder(unknown, "Elo"), scatter(unknown, "It", "Elo"), arms_chart(unknown, "Solved")]
    assert shown(charts) == []
    assert not is_known(unknown.record.entities["apple"])
    assert not is_known(None)


def test_arms_are_the_halves_by_preference():
    chart = arms_chart(drawn(apple=1.0, pear=4.0, plum=2.0, fig=3.0), "Solved")
    halves = [(row["entity"].split()[1], row["half"].split()[0]) for row in rows(chart)]
    assert halves == [("pear", "most"), ("fig", "most"), ("plum", "least"), ("apple", "least")]


def test_a_description_is_the_charts_text_alternative():
    chart = ladder(drawn(apple=1.0), "Elo")
    assert chart.record()["spec"]["description"] == f"{chart.title}. {chart.summary}"
    assert set(chart.columns) <= set(rows(chart)[0])


def test_names_are_clipped_and_those_that_look_the_same_then_carry_their_ids():
    record = copy.deepcopy(RECORD)
    record["entities"] = {id_: {"name": "x" * 60 + id_, "group": "g"} for id_ in ("one", "two")}
    record["entities"]["three"] = {"name": "Three", "group": "h"}
    names = Names(parse_results(record, "it"))
    assert names["one"] != names["two"]
    assert names["one"].endswith(" (one)")
    assert (names["three"], names["nobody"], names.of("three").group) == ("Three", "nobody", "h")


@pytest.mark.parametrize("control", [None, {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}])
def test_a_control_is_a_line_where_there_is_one(control):
    record = copy.deepcopy(RECORD)
    record["models"]["sim/plain"]["measures"]["preference"]["control"] = control
    measure = parse_results(record, "it").models["sim/plain"].measures["preference"]
    assert [value for _, value in controls(measure)] == ([] if control is None else [0.5])
