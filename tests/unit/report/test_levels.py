"""The last screen says at which level intervals are, and what stands in brackets beside a gate."""

import copy

import pytest
from results_record import RECORD

from pytest_llmpref.report.claims import grouped
from pytest_llmpref.report.terminal import claim_lines, last_lines
from pytest_llmpref.report.wording import for_terminal, wrapped
from pytest_llmpref.results.loading import parse_results


def results_at(*levels, **more):
    record = copy.deepcopy(RECORD)
    model = record["models"]["sim/plain"]
    (shown,) = model["claims"]
    model["claims"] = [
        copy.deepcopy(shown)
        | {
            "nodeid": f"suites/test_it.py::test_{number}[sim/plain]",
            "function": f"test_{number}",
            "entity": None,
            **more,
        }
        | {"estimate": shown["estimate"] | {"value": 0.7, "low": 0.6, "high": 0.8, "level": level}}
        for number, level in enumerate(levels)
    ]
    return parse_results(record, "it")


def lines_at(*levels):
    model = results_at(*levels).models["sim/plain"]
    return [text for text, _ in claim_lines(model, grouped(model.claims), {})]


def test_one_level_is_said_once():
    head, _, *claims = lines_at(0.95, 0.95)
    assert head == "claims: value (interval at 95%), and what is claimed"
    assert all("0.7 (0.6 to 0.8), " in line for line in claims)


def test_other_levels_are_shown_where_they_are():
    head, _, first, second, third = lines_at(0.9875, 0.9, 0.9875)
    assert head == "claims: value (interval at 98.75%, or as shown), and what is claimed"
    assert "0.7 (0.6 to 0.8 at 90%), " in second
    assert all("0.7 (0.6 to 0.8), " in line for line in (first, third))
    assert all(len(line) <= 80 for line in (head, first, second, third))


def test_the_brackets_of_a_gate_are_explained(tmp_path):
    def legend(**more):
        lines = (line for line, _ in last_lines(results_at(0.95, gate=True, **more), tmp_path, "", 0))
        return " ".join(" ".join(lines).split())

    again = "[gate, N%]: fails the run unless it is supported; N%: chance that a repetition of the study gives the same"
    assert again in legend(supported_again=0.93)
    alone = legend(supported_again=None)
    assert "[gate]: fails the run unless it is supported" in alone
    assert "N%" not in alone


def test_a_sign_that_terminals_write_with_two_characters_makes_no_line_too_long():
    record = results_at(0.95, gate=True, relation="abs <", verdict="refuted", function="test_" + "very_long_name_" * 8)
    model = record.models["sim/plain"]
    lines = [for_terminal(text) for text, _ in claim_lines(model, grouped(model.claims), {})]
    assert "within +-" in lines[-1]
    assert max(map(len, lines)) == 80
    assert max(len(for_terminal(line)) for line in wrapped("within \u00b10.05, and " * 20)) <= 80


@pytest.mark.parametrize(
    ("verdict", "bound", "shown"), [("supported", 0.5, True), ("refuted", 0.9, True), ("inconclusive", 0.7, False)]
)
def test_no_chance_stands_beside_a_gate_that_decided_nothing(tmp_path, verdict, bound, shown):
    results = results_at(0.95, gate=True, supported_again=0.93, relation=">", verdict=verdict, bound=bound)
    model = results.models["sim/plain"]
    *_, line = (text for text, _ in claim_lines(model, grouped(model.claims), {}))
    assert ("%]" in line) == shown
    assert ("N%" in " ".join(text for text, _ in last_lines(results, tmp_path, "", 0))) == shown
