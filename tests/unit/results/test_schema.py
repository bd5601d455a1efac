"""The one definition of results.json: the JSON Schema is generated from it, and both refuse the same files."""

import json
from typing import get_args

import jsonschema
import msgspec
import pytest
from results_record import GONE, RECORD, changed

from pytest_llmpref.config.options import OPTIONS, RECORD_MODE
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.results.diagnostics import OutcomeCounts
from pytest_llmpref.results.json_schema import SCHEMA_FILE, json_schema, schema_text
from pytest_llmpref.results.loading import ResultsFileError, parse_results
from pytest_llmpref.results.measure_record import OutcomeName, TrialColumns
from pytest_llmpref.results.schema import RunRecord

CLAIM = ("models", "sim/plain", "claims", 0)
MEASURE = ("models", "sim/plain", "measures", "preference")
GATE = {"state": "open", "collected": 1, "ran": 1, "not_run": []}


def is_valid(record):
    return jsonschema.Draft202012Validator(json_schema()).is_valid(record)


def test_the_published_schema_is_the_generated_one():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "write it anew: python -m pytest_llmpref.results.json_schema"
    )
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_every_field_is_described():
    found = json_schema()
    for name, kind in {"Results": found, **found["$defs"]}.items():
        assert kind["description"], name
        for field, value in kind.get("properties", {}).items():
            assert value["description"], (name, field)


def test_the_contract_of_measures_and_claims_is_required():
    kinds = json_schema()["$defs"]
    assert set(kinds["MeasureRecord"]["required"]) == {"entities", "control", "diagnostics", "valid", "reasons"}
    claim = {"nodeid", "suite", "entity", "estimate", "relation", "bound", "verdict", "gate"}
    assert set(kinds["ClaimRecord"]["required"]) == claim
    assert is_valid(RECORD)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("run", "record_mode"), "some"),
        (("run", "answers"), "guess"),
        (("run", "alpha"), 0),
        (("run", "alpha"), 1.5),
        (("run", "prefill"), "x"),
        (("run", "replay"), "x"),
        (("run", "control"), "x"),
        (("run", "entities"), GONE),
        (("gate",), {**GATE, "state": "ajar"}),
        (("gate",), {**GATE, "ran": -1}),
        (("gate",), {**GATE, "reproducibility": 1.5}),
        (("gate",), {"state": "open", "collected": 1, "ran": 1}),
        (("entities", "apple", "group"), GONE),
        ((*CLAIM, "relation"), ">="),
        ((*CLAIM, "verdict"), "passed"),
        ((*CLAIM, "bound"), None),
        ((*CLAIM, "line"), -1),
        ((*CLAIM, "family"), 0),
        ((*CLAIM, "supported_again"), 1.5),
        ((*CLAIM, "missing"), {"low": 0.1}),
        ((*CLAIM, "estimate", "n"), -1),
        ((*CLAIM, "estimate", "n"), GONE),
        ((*CLAIM, "gate"), GONE),
        ((*MEASURE, "control"), GONE),
        ((*MEASURE, "entities", "apple", "n"), -1),
        ((*MEASURE, "diagnostics", "coverage"), 1.5),
        ((*MEASURE, "diagnostics", "trials"), -1),
        ((*MEASURE, "diagnostics", "cost"), -0.5),
        ((*MEASURE, "diagnostics", "unpriced"), -1),
        ((*MEASURE, "diagnostics", "outcomes", "refusal"), GONE),
        ((*MEASURE, "diagnostics", "outcomes", "choice"), -1),
        ((*MEASURE, "diagnostics", "outcomes_by_entity", "apple", "error"), GONE),
        ((*MEASURE, "diagnostics", "answered_by"), {"guess": 1}),
        ((*MEASURE, "diagnostics", "stopping"), {"said": "so", "because": []}),
        ((*MEASURE, "trials", "key"), ["0" * 32, "short"]),
        ((*MEASURE, "trials", "attempts"), [0, 1]),
        ((*MEASURE, "trials", "course"), ["c", "x"]),
        ((*MEASURE, "trials", "outcome"), ["choice", "chosen"]),
        ((*MEASURE, "trials", "wording"), GONE),
        (("comparison",), {"old": {}, "new": {}}),
    ],
)
def test_reader_and_schema_refuse_the_same(path, value):
    record = changed(path, value)
    assert not is_valid(record)
    with pytest.raises(ResultsFileError, match=r"^old\.json: field "):
        parse_results(record, "old.json")


def test_words_of_other_modules_are_the_same():
    kinds = {field.name: field.type for field in msgspec.structs.fields(RunRecord)}
    choices = {option.ini.removeprefix("llmpref_"): option.choices for option in (*OPTIONS, RECORD_MODE)}
    for name in ("record_mode", "replay", "answers", "prefill", "control"):
        # A literal, or one that may be null.
        literal = next((one for one in get_args(kinds[name]) if get_args(one)), kinds[name])
        assert set(get_args(literal)) == set(choices[name]), name
    outcomes = {outcome.value for outcome in Outcome}
    assert set(get_args(OutcomeName)) == outcomes == set(OutcomeCounts.__struct_fields__)


def test_the_published_schema_can_be_read_by_others():
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["$id"] == "urn:pytest-llmpref:results:1"
    assert set(json_schema()["$defs"]["TrialColumns"]["properties"]) == set(TrialColumns.__struct_fields__)
