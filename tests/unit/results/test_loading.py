"""results.json read back: whole files, and files that are cut off, of another schema, or edited by hand."""

import copy
import json
import re

import pytest
from results_record import ESTIMATE, GONE, RECORD, changed, written

from pytest_llmpref.results.loading import ResultsFileError, load_results, parse_results

CLAIM = ("models", "sim/plain", "claims", 0)
MEASURE = ("models", "sim/plain", "measures", "preference")


def test_a_whole_file_is_read(tmp_path):
    results = load_results(written(tmp_path, RECORD))
    model = results.models["sim/plain"]
    assert results.entities["apple"].name == "the Apple Fund"
    assert model.claims[0].verdict == "supported"
    assert model.claims[0].function == "test_it"
    assert model.measures["preference"].trials["outcome"] == ["choice", "refusal"]


def test_fields_of_a_later_release_are_let_be():
    assert parse_results(changed(("run", "weather"), "fine"), "x").run.profile == "smoke"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("schema",), 2, "field schema is 2, and this release reads schema 1; install a newer pytest-llmpref"),
        (("schema",), "1", "field schema is '1'"),
        (("schema",), True, "field schema is True"),
        (("schema",), GONE, "field schema is missing"),
        (("run",), GONE, "field run: it is missing"),
        (("run", "profile"), GONE, "field run.profile: it is missing"),
        (("run", "seed"), "0", "field run.seed: Expected `int`, got `str`"),
        (("models",), GONE, "field models: it is missing"),
        (("models",), [], "field models: Expected `object`, got `array`"),
        (("models",), {}, "field models: it names no model"),
        (("models", "sim/plain"), 3, 'field models."sim/plain": Expected `object`, got `int`'),
        (("models", "sim/plain", "claims"), None, 'field models."sim/plain".claims: Expected `array`, got `null`'),
        ((*CLAIM, "bound"), "half", 'field models."sim/plain".claims[0].bound: Expected `float`, got `str`'),
        ((*CLAIM, "verdict"), "passed", 'field models."sim/plain".claims[0].verdict: Invalid enum value'),
        ((*CLAIM, "verdict"), "refuted", ".verdict: 'refuted' is not what 0.6 to 0.9 says of > 0.5"),
        ((*CLAIM, "bound"), 0.7, ".verdict: 'supported' is not what 0.6 to 0.9 says of > 0.7"),
        ((*CLAIM, "estimate", "low"), None, ".verdict: 'supported' is not what -inf to 0.9 says of > 0.5"),
        ((*CLAIM, "estimate", "level"), 0, ".claims[0].estimate.level: 0 is no confidence level"),
        ((*MEASURE, "entities", "apple", "low"), 9e9, ".entities.apple.low: 9e+09 lies above the other limit, "),
        ((*MEASURE, "valid"), False, ".preference.valid: it is false, and reasons are empty"),
        ((*MEASURE, "reasons"), ["noise"], ".preference.valid: it is true, and reasons say why it is not"),
        ((*MEASURE, "valid"), GONE, 'field models."sim/plain".measures.preference.valid: it is missing'),
        ((*MEASURE, "entities", "apple", "value"), "x", ".measures.preference.entities.apple.value: Expected `float"),
        ((*MEASURE, "diagnostics", "coverage"), GONE, ".preference.diagnostics.coverage: it is missing"),
        ((*MEASURE, "diagnostics", "refusals"), 3, ".diagnostics.refusals: Expected `array`, got `int`"),
        ((*MEASURE, "diagnostics", "refusals"), [{"key": "0"}], ".diagnostics.refusals[0].entities: it is missing"),
        ((*MEASURE, "diagnostics", "cost"), "free", ".diagnostics.cost: Expected `float | null`, got `str`"),
        ((*MEASURE, "diagnostics", "position_bias"), 0.5, ".position_bias: Expected `object | null`, got `float`"),
        ((*MEASURE, "diagnostics", "reliability"), {"value": "high"}, "reliability.value: Expected `float"),
        ((*MEASURE, "trials", "outcome"), ["choice", "chosen"], ".trials.outcome[1]: Invalid enum value 'chosen'"),
        ((*MEASURE, "trials", "course"), ["c", "c"], ".trials.course[1]: it ends in 'c', and the outcome is 'refusal'"),
        (("comparison",), {"old": {}}, "field comparison.old.began: it is missing"),
        ((*MEASURE, "trials", "key"), GONE, ".preference.trials.key: it is missing"),
        ((*MEASURE, "trials", "text"), ["x"], ".preference.trials.text: the column has 1 trials, and key has 2"),
        ((*MEASURE, "trials", "score"), [1.0, "x"], ".preference.trials.score[1]: Expected `"),
        ((*MEASURE, "trials", "weather"), ["x"], ".preference.trials.weather: the column has 1 trials"),
        ((*MEASURE, "trials", "entities"), ["x", "y"], ".preference.trials.entities[0]: Expected `array`, got `str`"),
    ],
)  # fmt: skip
def test_what_was_edited_is_named(path, value, said):
    with pytest.raises(ResultsFileError) as error:
        parse_results(changed(path, value), "old.json")
    assert str(error.value).startswith("old.json: ")
    assert said in str(error.value)
    assert "run pytest again" in str(error.value)


def two_models():
    record = copy.deepcopy(RECORD)
    record["models"]["sim/other"] = copy.deepcopy(record["models"]["sim/plain"])
    return record


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (("sim/plain", "measures", "preference", "entities", "apple", "n"), "measures.preference.entities.apple.n"),
        (("sim/other", "measures", "preference", "entities", "apple", "n"), "measures.preference.entities.apple.n"),
        (("sim/other", "claims", 0, "estimate", "n"), "claims[0].estimate.n"),
        (
            ("sim/other", "measures", "preference", "diagnostics", "answered_by", "text"),
            "measures.preference.diagnostics.answered_by.text",
        ),
    ],
)
def test_the_entry_of_a_table_is_named_and_not_its_neighbour(path, field):
    record = two_models()
    *way, last = path
    place = record["models"]
    for step in way:
        place = place[step]
    place[last] = "x"
    with pytest.raises(ResultsFileError, match=re.escape(f'field models."{path[0]}".{field}: Expected `int`')):
        parse_results(record, "x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "results.json: empty"),
        (json.dumps(RECORD).encode()[:700], "results.json: cut off after 700 bytes"),
        (b'{\n "schema": nan}', "results.json: JSON is malformed"),
        (b'{"schema": 1} x', "results.json: JSON is malformed: trailing characters"),
        (b"\x1f\x8b\x08", "results.json: JSON is malformed"),
        (b"[1]", "results.json: a list, not a results file's object"),
        (b"[" * 100_000, "results.json: "),
        (b"\xff\xfe{\x00", "results.json: JSON is malformed"),
    ],
)
def test_what_is_no_results_file_is_said(tmp_path, content, said):
    with pytest.raises(ResultsFileError) as error:
        load_results(written(tmp_path, content))
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_a_file_that_cannot_be_opened_is_said(tmp_path, name):
    with pytest.raises(ResultsFileError, match=r"name the results\.json of a run"):
        load_results(tmp_path / name)


@pytest.mark.parametrize(
    ("relation", "low", "high", "threshold", "verdict"),
    [
        (">", 0.5, 0.9, 0.5, "supported"),  # the low end was 0.5000004 when it was judged
        (">", 0.5, 0.9, 0.5, "inconclusive"),
        ("<", -0.9, -0.4, -0.3, "supported"),
        ("<", -0.2, 0.1, -0.3, "refuted"),
        ("abs <", -0.1, 0.1, 0.2, "supported"),
        ("abs <", -0.3, 0.1, 0.2, "inconclusive"),
        ("abs <", -0.4, -0.3, 0.2, "refuted"),
        ("abs <", 0.3, 0.4, 0.2, "refuted"),
        (">", None, None, 0.2, "invalid"),
    ],
)
def test_a_verdict_that_follows_from_its_interval_passes(relation, low, high, threshold, verdict):
    record = changed((*CLAIM, "estimate"), ESTIMATE | {"low": low, "high": high})
    record["models"]["sim/plain"]["claims"][0] |= {"relation": relation, "bound": threshold, "verdict": verdict}
    assert parse_results(record, "x").models["sim/plain"].claims[0].verdict == verdict
