"""Charts of questions in contexts: which rows they hold, and what is to be seen in them."""

import pytest
from studies_in_contexts import measured

from pytest_llmpref.charts import Drawing
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.study.records import measure_record


def drawn(world, name, *, preferred=True):
    preference, measure = measured(world, "smoke", "preference", name)
    records = [measure_record(one) for one in (preference, measure)]
    drawing = Drawing("m", name, records[1], records[0] if preferred else None, "Elo", None)
    return behaviour_of(name).charts(drawing)[name]


def rows(chart, **of):
    return [row for row in chart.spec["data"]["values"] if all(row[key] == value for key, value in of.items())]


@pytest.mark.parametrize("name", ["graded_advice", "pressed_advice", "seen_as_test"])
def test_a_table_has_a_column_for_what_its_rows_hold(name):
    chart = drawn("sim/test-aware", name)
    assert all(set(chart.columns) <= row.keys() for row in rows(chart))


def test_more_dose_does_more_and_none_in_the_filler():
    chart = drawn("sim/induced", "graded_advice")
    stated, filler = (
        [row["value"] for row in sorted(rows(chart, context=context), key=lambda row: row["dose"])]
        for context in ("stated (treatment)", "filler (filler)")
    )
    assert stated == sorted(stated)
    assert stated[-1] - stated[0] > 0.3
    assert max(filler) - min(filler) < 0.1


def test_the_further_two_are_apart_the_more_often_the_preferred_one_is_chosen_and_the_contrary_where_asked_for_it():
    chart = drawn("sim/test-aware", "pressed_advice")
    near, *_, far = sorted(rows(chart, context="filler (filler)"), key=lambda row: row["apart"])
    assert far["value"] > 0.8
    assert near["value"] < 0.7
    contrary = max(rows(chart, context="contrary (treatment)"), key=lambda row: row["apart"])
    assert contrary["value"] < 0.2
    assert sum(row["n"] for row in rows(chart)) == 5 * 288


def test_primed_advice_has_no_line_for_what_was_said_before():
    assert {row["context"].split()[0] for row in rows(drawn("sim/primed", "primed_advice"))} == {
        "primed",
        "apart",
        "filler",
    }


def test_without_preferences_choices_have_nothing_to_follow():
    assert drawn("sim/test-aware", "pressed_advice", preferred=False) is None
    assert drawn("sim/test-aware", "seen_as_test", preferred=False) is not None


def test_a_share_stands_for_each_context():
    chart = drawn("sim/test-aware", "seen_as_test")
    assert [row["context"] for row in rows(chart)] == ["test (treatment)", "user (treatment)", "filler (filler)"]
    assert chart.title == "Seen as a test by context: m"
