"""All rows of a calibration together: Holm over all rates, and the share beyond two standard errors."""

import math

import pytest
from scipy import stats

from pytest_llmpref.calibration.overall import overall, summary
from pytest_llmpref.calibration.rows import Row


def row(number, alarms, *, nominal=0.025, family=math.nan, studies=2000, of_entity=False, misses=(), coverage=0.95):
    return Row(
        cell=f"advice/{number}",
        kind="spearman >",
        studies=studies,
        truth=0.0,
        coverage=coverage,
        coverage_of_valid=coverage,
        too_high=0.025,
        too_low=0.025,
        false_alarms=alarms,
        false_alarms_of_valid=alarms,
        false_alarm_error=0.001,
        nominal=nominal,
        family_alarms=family,
        threshold=0.0,
        verdicts={},
        power=math.nan,
        predicted=math.nan,
        misses=misses,
        of_entity=of_entity,
    )


def test_a_rate_has_the_p_value_of_its_binomial_number():
    found = overall([row(1, 0.032, family=0.06)]).rates
    assert found[0].p == pytest.approx(stats.binom.sf(63, 2000, 0.025))
    assert found[1].p == pytest.approx(stats.binom.sf(119, 2000, 0.05))
    assert found[1].row == "advice/1: spearman >, family"
    assert overall([row(1, 0.0)]).rates[0].p == 1


def test_a_share_of_entities_has_the_error_that_it_has_over_studies():
    found = overall([row(1, 0.027, of_entity=True)]).rates[0]
    assert found.p == pytest.approx(stats.norm.sf(2))
    assert not found.beyond
    assert overall([row(1, 0.0271, of_entity=True)]).rates[0].beyond


def test_many_rows_are_judged_together():
    """One of a hundred lies beyond two standard errors by chance; far beyond, it is wrong whatever the number."""
    right = [row(number, 0.025) for number in range(99)]
    chance = overall([*right, row(99, 0.033)])
    assert [len(chance.rejected), len(chance.beyond), chance.passed] == [0, 1, True]
    wrong = overall([*right, row(99, 0.045)])
    assert [rate.row for rate in wrong.rejected] == ["advice/99: spearman >"]
    assert not wrong.passed
    assert not overall([*right[:-5], *(row(number, 0.033) for number in range(94, 99))]).passed


def test_what_has_no_rate_is_left_out():
    assert overall([row(1, math.nan)]).rates == ()


def test_the_summary_names_the_worst():
    rows = [*(row(number, 0.05) for number in range(10)), row(10, 0.02, misses=("intervals too wide",), coverage=0.97)]
    text = "\n".join(summary(overall(rows)))
    assert "over 10 rates: 10**" not in text
    assert "over 11 rates: 10** (target: none): advice/0: spearman > 5.0% for 2.5%" in text
    assert "; and 2 more" in text
    assert "10, or 90.9%" in text
    assert "Coverage outside 93.5 to 96.5%: 1 rows**, from 97.0% to 97.0%" in text
