"""What another package's experiment returns, before a claim rests on it."""

import re
from dataclasses import replace

import pytest

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact
from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.study.records import checked_measure

TRIAL = Trial((Attempt("0" * 32, Outcome.CHOICE, " A"),), ("a",), "text", 1.0)
GOOD = Measure(
    "warmth", "m", {"a": Estimate(1.0, 1, "trials", "known", Exact(1.0))}, {"a": "g"}, (), None, {}, (TRIAL,)
)


def test_a_measure_without_counts_gets_those_of_its_trials():
    found = checked_measure("warmth", GOOD)
    assert found.diagnostics["outcomes"]["choice"] == 1
    assert found.diagnostics["trials"] == 1
    assert found.estimates == GOOD.estimates


def test_counts_of_its_own_are_kept():
    counted = checked_measure("warmth", GOOD).diagnostics | {"coverage": 0.25, "degrees": 40}
    found = checked_measure("warmth", replace(GOOD, diagnostics=counted))
    assert (found.diagnostics["coverage"], found.diagnostics["degrees"]) == (0.25, 40)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: {"a": 1.0}, "warmth: it returned dict; return a pytest_llmpref.Measure"),
        (lambda: replace(GOOD, name="heat"), "warmth: its measure is named 'heat'; name it 'warmth'"),
        (lambda: replace(GOOD, reasons="cold"), "warmth: `reasons` is one string; give a tuple of strings"),
        (
            lambda: replace(GOOD, diagnostics={"it": object()}),
            "warmth: results.json cannot hold its measure (TypeError",
        ),
        (lambda: replace(GOOD, diagnostics={"coverage": "all"}), "mend the experiment that returns it"),
    ],
)
def test_what_a_report_could_not_hold_is_an_error_that_says_what_to_do(made, said):
    with pytest.raises(ExtensionError, match=re.escape(said)):
        checked_measure("warmth", made())
