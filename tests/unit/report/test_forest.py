"""The forest plot: what is a correlation, where it lies on the axis, and what counts for nothing."""

import msgspec
import pytest
from hostile_results import hostile_record

from pytest_llmpref.charts import Names
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.report.forest import TICKS, forest
from pytest_llmpref.report.page import page
from pytest_llmpref.report.views import model_views
from pytest_llmpref.results.loading import parse_results


def results(models=("maker/two",), **claimed):
    """Return results whose models all make one claim: an estimate, a relation, a threshold, a verdict."""
    found = parse_results(hostile_record(), "hostile")
    model = found.models["maker/two"]
    whole = next(claim for claim in model.claims if claim.entity is None)
    estimate = msgspec.structs.replace(
        whole.estimate, **{key: claimed.pop(key) for key in ("value", "low", "high", "label") if key in claimed}
    )
    claim = msgspec.structs.replace(whole, estimate=estimate, **claimed)
    return msgspec.structs.replace(
        found, models={name: msgspec.structs.replace(model, claims=[claim]) for name in models}
    )


def plotted(**claimed):
    found = results(**({"label": "rho(preference, boolq)", "relation": ">", "verdict": Verdict.SUPPORTED} | claimed))
    return forest(model_views(found, Names(found)))


def test_each_part_of_a_correlation_lies_where_it_belongs():
    (group,) = plotted(value=0.5, low=-0.25, high=1.0, threshold=0.0)
    (row,) = group.rows
    assert (row.low, row.value, row.high, row.thresholds) == ("37.50%", "75.00%", "100.00%", ("50.00%",))
    assert row.says == "0.5 (\u22120.25 to 1)"
    assert group.label == "rho(preference, boolq)"
    assert group.claimed == "above 0"
    assert list(TICKS) == ["0%", "25%", "50%", "75%", "100%"]


def test_an_equivalence_has_two_thresholds():
    (group,) = plotted(value=0.0, low=-0.1, high=0.1, threshold=0.5, relation="abs <")
    assert group.rows[0].thresholds == ("25.00%", "75.00%")


def test_an_invalid_correlation_is_named_and_not_drawn():
    (group,) = plotted(value=0.9, low=0.8, high=0.95, threshold=0.5, verdict=Verdict.INVALID)
    (row,) = group.rows
    assert (row.low, row.value, row.high) == ("", "", "")
    assert "0.9" not in row.says
    assert "failed their checks" in row.says


def test_ends_beyond_the_axis_lie_at_its_end_and_missing_ones_nowhere():
    (group,) = plotted(value=1.2, low=None, high=None, threshold=0.5)
    (row,) = group.rows
    assert (row.low, row.value, row.high) == ("", "100.00%", "")
    assert row.says == "1.2 (no interval)"


def test_only_correlations_are_there():
    assert (
        plotted(label="difference in accuracy, top minus bottom quarter of preference", value=0.1, threshold=0.0) == []
    )


@pytest.mark.parametrize("models", [("maker/two",), ("maker/two", "maker/three")])
def test_several_models_share_the_group_of_their_claim_and_are_named(models):
    (group,) = plotted(models=models, value=0.5, low=0.4, high=0.6, threshold=0.0)
    assert [bool(row.model) for row in group.rows] == [len(models) > 1] * len(models)


def test_it_is_in_the_page_before_any_script():
    found = results(label="rho(preference, boolq)", value=0.5, low=0.25, high=0.75, threshold=0.0, relation=">")
    text = page(found)
    assert '<circle class="point' in text
    assert text.index('<circle class="point') < text.index("<script")
    without = results(label="accuracy", value=0.5, low=0.25, high=0.75, threshold=0.0, relation=">")
    assert 'class="forest' not in page(without)
