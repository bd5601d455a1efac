"""The paper's values beside ours."""

import copy

from results_record import RECORD

from pytest_llmpref.report.paper_table import MODELS, ROWS, table_lines
from pytest_llmpref.results.loading import parse_results


def results(value, low, high):
    claims = [
        RECORD["models"]["sim/plain"]["claims"][0]
        | {"nodeid": f"t.py::{row.test}[sim/x]", "estimate": {"value": value, "low": low, "high": high, "n": 9}}
        | {"relation": "abs <", "bound": 1.0}
        for row in ROWS
    ]
    model = {"simulated": True, "measures": {}, "claims": claims}
    return RECORD | {"models": {f"sim/paper-{name}": copy.deepcopy(model) for name in MODELS}}


def lines_of(record):
    return list(table_lines(parse_results(record, "it")))


def test_what_differs_is_marked_and_counted():
    lines = lines_of(results(0.915, 0.8, 0.95))
    # The ranking agrees everywhere, and so does superadditivity; advice, refusals and all of BoolQ do not.
    assert lines[2].count("(differs)") == 0
    assert lines[3].count("(differs)") == 5
    assert lines[4].count("(differs)") == 5
    assert lines[5].count("(differs)") == 0
    assert lines[6].count("(differs)") == 5
    assert lines[-1] == "15 of the measured values differ from what the paper reports."


def test_an_invalid_or_missing_value_is_not_passed_over():
    found = results(0.92, 0.8, 0.95)
    broken = copy.deepcopy(found)
    broken["models"]["sim/paper-a"]["claims"][0]["verdict"] = "invalid"
    del broken["models"]["sim/paper-b"]["claims"][0]
    line = lines_of(broken)[2]
    assert "**invalid** (differs) | not measured | 0.92 (0.80 to 0.95)" in line
    assert lines_of(broken)[-1].endswith("; not measured: 1.")
