"""An approved ranking: equal within sampling noise, a readable difference, and an explicit step to approve."""

import math
from dataclasses import replace

import pytest
from scipy import stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.plugin.snapshots import RankingSnapshot


def measure(values, error=10.0, reasons=()):
    estimates = {
        entity: Estimate(value, 20, "trials", "some", Normal(value, error)) for entity, value in values.items()
    }
    return Measure("preference", "sim/it", estimates, {}, reasons, None, {}, ())


EXTENSION = RankingSnapshot()
OLD = EXTENSION.serialize(measure({"a": 1500.0, "b": 1600.0, "c": 1400.0}))


@pytest.mark.parametrize(
    ("new", "equal", "said"),
    [
        (measure({"a": 1520.0, "b": 1590.0, "c": 1390.0}), True, "0 of 3 entities moved"),
        (measure({"a": 1540.0, "b": 1600.0, "c": 1400.0}), False, "a: 1500 (standard error 10) -> 1540 (10), +2.8"),
        (measure({"a": 1500.0, "b": 1600.0}), False, "only approved: c"),
        (measure({"a": 1500.0, "b": 1600.0, "c": 1400.0}, reasons=("few",)), False, "invalid now: few"),
    ],
)
def test_equal_within_sampling_noise(new, equal, said):
    text = EXTENSION.serialize(new)
    assert EXTENSION.matches(serialized_data=text, snapshot_data=OLD) is equal
    assert any(line.startswith(said) for line in EXTENSION.diff_lines(text, OLD))


@pytest.mark.parametrize(("standard_errors", "equal"), [(2.38, True), (2.41, False), (-2.38, True), (-2.41, False)])
def test_an_entity_has_moved_beyond_5_percent_over_all_of_them(standard_errors, equal):
    """Bonferroni over three entities, two-sided: 2.394 standard errors of a difference."""
    assert 2.38 < stats.norm.isf(0.05 / 3 / 2) < 2.41
    new = EXTENSION.serialize(measure({"a": 1500.0 + standard_errors * 200**0.5, "b": 1600.0, "c": 1400.0}))
    assert EXTENSION.matches(serialized_data=new, snapshot_data=OLD) is equal


@pytest.mark.parametrize("last", [measure({"c": math.nan}), measure({"c": 900.0}, error=math.nan)])
def test_what_was_not_measured_is_not_unmoved(last):
    """An entity whose questions all failed has no value, and one that was asked too little has no error."""
    whole = measure({"a": 1500.0, "b": 1600.0})
    text = EXTENSION.serialize(replace(whole, estimates={**whole.estimates, **last.estimates}))
    assert not EXTENSION.matches(serialized_data=text, snapshot_data=OLD)
    assert "no value or no error now: c" in list(EXTENSION.diff_lines(text, OLD))
    assert "no value or no error approved: c" in list(EXTENSION.diff_lines(OLD, text))
    assert EXTENSION.matches(serialized_data=text, snapshot_data=text)
    nothing = EXTENSION.serialize(last)
    assert not EXTENSION.matches(serialized_data=nothing, snapshot_data=nothing)
    assert "no entity has a value and an error, so nothing was compared" in EXTENSION.diff_lines(nothing, nothing)


def test_only_measures_can_be_compared():
    with pytest.raises(TypeError, match="compares measures, such as preferences, not dict"):
        EXTENSION.serialize({})
