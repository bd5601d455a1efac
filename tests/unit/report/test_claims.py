"""Claims grouped: which entities a gate that does not open names, and how an interval with one end is written."""

import copy

import pytest
from results_record import RECORD

from pytest_llmpref.report.claims import ClaimGroup, interval
from pytest_llmpref.results.loading import ResultsFileError, parse_results


def claims(*changes):
    record = copy.deepcopy(RECORD)
    model = record["models"]["sim/plain"]
    (shown,) = model["claims"]
    model["claims"] = [copy.deepcopy(shown) | change for change in changes]
    return parse_results(record, "it").models["sim/plain"].claims


def named(*p_values, family=4, alpha=0.05, relation="<"):
    """Whom a gate's claims name: those on the other side of the threshold, with these p-values, in no order."""
    sides = 2 if relation == "abs <" else 1
    level = 1 - sides * alpha / family
    shown = RECORD["models"]["sim/plain"]["claims"][0]["estimate"]
    estimate = shown | {"level": level, "value": 0.6, "low": 0.4, "high": 0.8}
    changes = [
        {"entity": f"e{number}", "gate": True, "p_refuted": p, "family": family, "relation": relation}
        | {"estimate": estimate, "verdict": "inconclusive"}
        for number, p in enumerate(p_values)
    ]
    # On the claimed side of its threshold a claim is one of one.
    claimed = {"entity": "fine", "gate": True, "p_refuted": 1.0, "family": 1, "verdict": "supported", "relation": "<"}
    claimed["estimate"] = shown | {"value": 0.2, "low": 0.1, "high": 0.3}
    return ClaimGroup(tuple(claims(*changes, claimed))).named


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        # Holm (1979) compares the smallest with alpha / 4 = 0.0125, the next with alpha / 3 = 0.0167, and so on.
        ((0.012,), ("e0",)),
        ((0.013,), ()),
        ((0.016, 0.012), ("e1", "e0")),
        ((0.017, 0.012), ("e1",)),
        ((0.0249, 0.016, 0.012), ("e2", "e1", "e0")),
        # Where one is not named, none with a larger p-value is, though it would pass by itself.
        ((0.0249, 0.017, 0.012), ("e2",)),
        ((0.03, 0.03, 0.03, 0.03), ()),
        ((0.049, 0.001, 0.001, 0.001), ("e1", "e2", "e3", "e0")),
        ((), ()),
    ],
)
def test_entities_are_named_by_holms_correction_over_the_family(p_values, expected):
    assert named(*p_values) == expected


def test_the_family_counts_and_not_only_the_claims_that_could_be_named():
    assert named(0.012, family=4) == ("e0",)
    assert named(0.012, family=5) == ()


def test_an_equivalence_has_the_same_error_rate_though_its_level_is_lower():
    assert named(0.012, relation="abs <") == ("e0",)
    assert named(0.013, relation="abs <") == ()


def test_the_error_rate_is_that_of_the_family():
    assert named(0.024, alpha=0.10) == ("e0",)
    assert named(0.026, alpha=0.10) == ()


def test_claims_of_older_files_name_nobody():
    assert ClaimGroup(tuple(claims({"entity": "apple", "gate": True, "verdict": "supported"}))).named == ()


@pytest.mark.parametrize(
    ("entities", "chance"), [((None,), 0.7), (("apple",), 0.7), ((None, None), 0.49), (("apple", "pear"), None)]
)
def test_how_firm_a_gate_is_cannot_be_said_of_many_entities_at_once(entities, chance):
    changes = [{"entity": entity, "gate": True, "supported_again": 0.7} for entity in entities]
    found = ClaimGroup(tuple(claims(*changes))).reproducibility
    assert found == (None if chance is None else pytest.approx(chance))


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (1400.0, 1600.0, "1500 (1400 to 1600)"),
        (1400.0, None, "1500 (at least 1400)"),
        (None, 1600.0, "1500 (at most 1600)"),
        (None, None, "1500 (no interval)"),
    ],
)
def test_an_interval_is_written_with_the_ends_that_it_has(low, high, written):
    estimate = RECORD["models"]["sim/plain"]["claims"][0]["estimate"]
    verdict = "invalid" if low is high else "supported" if low else "inconclusive"
    (claim,) = claims({"estimate": estimate | {"value": 1500.0, "low": low, "high": high}, "verdict": verdict})
    assert interval(claim) == written


def test_a_verdict_without_any_end_of_an_interval_is_refused():
    estimate = RECORD["models"]["sim/plain"]["claims"][0]["estimate"] | {"low": None, "high": None}
    with pytest.raises(ResultsFileError, match="'supported' without an interval"):
        claims({"estimate": estimate})


def test_a_verdict_that_the_one_end_does_not_give_is_refused():
    estimate = RECORD["models"]["sim/plain"]["claims"][0]["estimate"] | {"low": None}
    with pytest.raises(ResultsFileError, match=r"'supported' is not what -inf to 0\.9 says of > 0\.5"):
        claims({"estimate": estimate})
