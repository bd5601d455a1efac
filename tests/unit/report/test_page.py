"""report.html in a real browser: charts drawn, filters, themes, hostile names and replies, nothing loaded."""

import gzip

import msgspec
import pytest
from hostile_results import compared_record, hostile_record
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmpref.report.claims import could_be
from pytest_llmpref.report.page import VEGA, page
from pytest_llmpref.report.summary import summary
from pytest_llmpref.results.loading import parse_results
from pytest_llmpref.results.schema import MissingRecord


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(parse_results(compared_record(), "hostile")), encoding="utf-8")
    return path


def test_a_claim_says_how_far_missing_answers_could_move_it(report):
    assert "could move it to anything from 0.31 to 0.87" in report.read_text()


def test_what_the_data_cannot_support_is_said_in_both_reports():
    record = hostile_record()
    model = next(iter(record["models"].values()))
    remark = "label bias not testable: no labels are known <b>"
    model["measures"]["preference"]["diagnostics"]["untestable"] = [remark]
    results = parse_results(record, "hostile")
    assert page(results).count("label bias not testable: no labels are known &lt;b&gt;") == 1
    assert "- Preference: label bias not testable: no labels are known" in summary(results)


def claim_of(low, value, high, search=""):
    claim = parse_results(hostile_record(), "hostile").models["maker/two"].claims[0]
    estimate = msgspec.structs.replace(claim.estimate, value=value)
    return msgspec.structs.replace(claim, estimate=estimate, missing=MissingRecord(low, high, search))


@pytest.mark.parametrize(
    ("low", "value", "high", "said"),
    [
        (0.744871, 0.747958, 0.75291, "from 0.744 to 0.753"),
        (0.74749, 0.74751, 0.747512, "from 0.747 to 0.748"),
        (-0.0004217, 0.0, 0.99961, "from \u22120.000422 to 1"),
        (-1.0, -0.5, 0.738, "from \u22121 to 0.738"),
        # As files of before have them: the lower end last, and neither below the value.
        (0.738, 0.747, 0.73, "from 0.73 to 0.747"),
        (0.31, None, 0.87, "from 0.31 to 0.87"),
    ],
)
def test_the_ends_of_what_missing_answers_could_do_are_rounded_outwards(low, value, high, said):
    assert could_be(claim_of(low, value, high)) == f"could move it to anything {said}"


def test_what_missing_answers_could_do_says_how_it_was_sought():
    assert could_be(claim_of(0.1, 0.2, 0.3, "all 4 assignments")).endswith("from 0.1 to 0.3 (all 4 assignments)")
    assert could_be(claim_of(None, None, None)) == ""


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted))
@settings(deadline=None, derandomize=True)
def test_no_value_is_shown_outside_of_what_missing_answers_could_do(values):
    low, value, high = values
    words = could_be(claim_of(low, value, high)).replace("\u2212", "-").split()
    shown_low, shown_high = float(words[-3]), float(words[-1])
    assert shown_low <= low <= high <= shown_high
    for digits in range(3, 18):
        assert shown_low <= float(f"{value:.{digits}g}") <= shown_high


def test_a_run_without_a_baseline_has_no_such_section():
    assert 'id="compared"' not in page(parse_results(hostile_record(), "hostile"))


def test_simulated_models_are_labelled_in_headings_tables_and_charts(report):
    text = report.read_text()
    assert text.count("sim/&lt;b&gt;evil&lt;/b&gt; (simulated)") > 5
    assert "Preference ladder: sim/&lt;b&gt;evil&lt;/b&gt; (simulated)" in text
    assert "maker/two (simulated)" not in text


def test_the_same_results_make_the_same_page():
    results = parse_results(hostile_record(), "hostile")
    assert page(results) == page(results)


def test_the_committed_script_is_what_the_bundler_makes():
    vega_bundle = pytest.importorskip("vega_bundle", reason="vl-convert-python has no release for this system")
    assert gzip.decompress(VEGA.read_bytes()) == vega_bundle.bundled()


def test_the_script_travels_with_its_licences():
    licences = VEGA.with_name("vega-licenses.txt").read_text(encoding="utf-8")
    assert all(f"\n{name} " in licences or f", {name} " in licences for name in ("vega", "vega-lite", "vega-embed"))
