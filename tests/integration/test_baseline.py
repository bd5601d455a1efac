"""A suite that compares with the results of the last release."""

import json

import jsonschema
import pytest

from pytest_llmpref.results.json_schema import SCHEMA_FILE
from pytest_llmpref.results.loading import load_results

SUITE = """
    from pytest_llmpref import change, change_in_rho

    def test_entity_is_refused_no_more(entity, refusals, baseline):
        assert change(refusals, baseline.refusals)[entity] < 0.3

    def test_refusals_did_not_rise(refusals, baseline):
        assert change(refusals, baseline.refusals) < 0.05

    def test_advice_follows_as_before(preferences, donation_advice, baseline):
        rho = change_in_rho((preferences, donation_advice), (baseline.preferences, baseline.donation_advice))
        assert abs(rho) < 0.3
"""


def test_a_suite_compares_with_the_last_release(suite, pytester):
    first = suite("def test_it(preferences, donation_advice, refusals):\n    assert preferences.valid")
    assert first.ret == 0
    (pytester.path / "reports/latest/results.json").rename(pytester.path / "last.json")
    run = suite(SUITE, "--baseline=last.json")
    assert run.ret == 0, run.stdout.str()
    run.stdout.fnmatch_lines(["*14 passed*"])
    run.stdout.fnmatch_lines(["*compared with *last.json*", "*preference: 132 questions and 12 entities in both*"])
    written = json.loads((pytester.path / "reports/latest/results.json").read_text())
    jsonschema.validate(written, json.loads(SCHEMA_FILE.read_text()), cls=jsonschema.Draft202012Validator)
    assert written["comparison"]["changed"] is False
    assert written["comparison"]["baseline"] == "last.json"
    told = (pytester.path / "reports/latest/summary.md").read_text()
    assert f"## Compared with the last release\n\n`last.json`: run of {written['comparison']['old']['began']}" in told
    assert "Nothing changed beyond noise." in " ".join(told.split())
    assert "- **sim/plain (simulated)**: 0 verdicts of 0 changed, 0 for the worse; moved" in told
    assert "<code>last.json</code>, run of" in (pytester.path / "reports/latest/report.html").read_text()
    load_results(pytester.path / "reports/latest/results.json")


def test_a_suite_without_its_baseline_says_what_to_add(suite, pytester):
    run = suite(SUITE)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*add --baseline FILE*"])
    (pytester.path / "last.json").write_text('{"schema": 7}')
    run = suite(SUITE, "--baseline=last.json")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*--baseline *last.json: field schema is 7, and this release reads schema 1*"])
