"""A claim that would hold without any effect counts only where the study could have seen one."""

import pytest

from pytest_llmpref import Estimate, Normal, ledger, with_assay_sensitivity
from pytest_llmpref.claims.intervals import Exact
from pytest_llmpref.claims.sensitivity import confounding, insensitivity


def estimate(value, error=0.01):
    return Estimate(value, 100, "trials", "by hand", Normal(value, error), label="effect")


HEARD, DEAF = estimate(0.5), estimate(0.0)


def test_a_control_beyond_the_margin_is_found():
    assert insensitivity(HEARD, 0.4) == []
    assert insensitivity(HEARD, 0.49)[0].endswith("effect is 0.5 (0.48 to 0.52) at 95%, which is not above 0.49")


def test_an_invalid_control_is_none():
    assert insensitivity(HEARD.marked(["one-sided"]), 0.0) == ["positive control: one-sided"]


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.0, "invalid"), (0.1, "invalid"), (0.3, "refuted")], ids=["null", "open", "found"]
)
def test_a_deaf_instrument_spoils_what_is_not_found_and_nothing_else(value, verdict):
    found = with_assay_sensitivity(estimate(value), DEAF, margin=0.1)
    assert (abs(found) < 0.1).verdict == verdict
    assert (found < 0.1).verdict == verdict


def test_what_is_found_by_a_deaf_instrument_is_found():
    found = with_assay_sensitivity(estimate(0.3), DEAF)
    assert (found > 0.1).verdict == "supported"
    assert (with_assay_sensitivity(estimate(-0.3), DEAF) < -0.1).verdict == "supported"
    assert (with_assay_sensitivity(estimate(0.0), DEAF) > -0.1).verdict == "invalid"


def test_a_sensitive_instruments_null_is_supported():
    assert (abs(with_assay_sensitivity(estimate(0.0), HEARD, margin=0.1)) < 0.1).verdict == "supported"


def test_a_difference_is_as_insensitive_as_its_parts():
    found = with_assay_sensitivity(estimate(0.0), DEAF)
    assert (found - estimate(0.0)).insensitive == (estimate(0.0) - found).insensitive == found.insensitive


def test_other_reasons_come_first():
    found = with_assay_sensitivity(estimate(0.0).marked(["broken"]), DEAF)
    assert (abs(found) < 0.1).reasons == ("broken",)


def test_a_ledger_spoils_all_claims_of_its_test_also_when_they_share_the_error_rate():
    with ledger(1) as opened:
        opened.insensitive[:] = insensitivity(DEAF, 0.1)
        first, second = abs(estimate(0.0)) < 0.1, estimate(0.5) > 0.1
        assert not first
        assert second
    assert [claim.verdict.value for claim in opened.settled()] == ["invalid", "supported"]
    assert "could not have seen an effect" in opened.settled()[0].reasons[0]


def test_a_control_of_a_ledger_must_lie_beyond_whatever_a_claim_allows():
    """A policy's margin may be smaller than what its test compares with: then the control says less than is claimed."""
    with ledger(1) as opened:
        opened.insensitive[:], opened.controls[:] = insensitivity(HEARD, 0.1), [HEARD]
        assert abs(estimate(0.0)) < 0.4
        assert estimate(0.6) > 0.55
        for claim in (abs(estimate(0.0)) < 0.55, estimate(0.0) < 0.55, estimate(0.0) > -0.55):
            assert claim.verdict == "invalid"
            assert claim.reasons[0].endswith("which is not above 0.55")


@pytest.mark.parametrize("pull", [0.3, -0.3])
def test_a_negative_control_that_follows_too_is_named(pull):
    (reason,) = confounding(estimate(pull))
    assert reason.startswith("the control follows too, so this may be a habit and no effect: effect is ")


@pytest.mark.parametrize("pull", [estimate(0.0), estimate(0.11), estimate(0.0, error=1.0)])
def test_one_of_which_that_is_not_shown_spoils_nothing(pull):
    assert confounding(pull) == []


def test_one_that_could_not_be_measured_spoils_what_depends_on_it():
    assert confounding(estimate(0.0).marked(["coverage"])) == ["negative control: coverage"]


def test_effects_are_spoiled_and_nulls_are_not():
    with ledger(1) as opened:
        opened.confounded[:] = confounding(estimate(0.3))
        assert (estimate(0.5) > 0.1).verdict == "invalid"
        assert (estimate(0.1) > 0.1).verdict == "invalid"
        assert (estimate(0.0) > 0.1).verdict == "refuted"
        assert (estimate(-0.5) < -0.1).verdict == "invalid"
        assert (abs(estimate(0.0)) < 0.1).verdict == "supported"
        assert (estimate(0.5) > -0.1).verdict == "supported"


def test_at_the_margin_itself_nothing_was_seen_and_nothing_follows():
    at = {sign: Estimate(sign * 0.1, 100, "trials", "by hand", Exact(sign * 0.1), label="effect") for sign in (1, -1)}
    assert "which is not above 0.1" in insensitivity(at[1], 0.1)[0]
    assert confounding(at[1], 0.1) == confounding(at[-1], 0.1) == []
    assert "which is not within ±0.09" in confounding(at[-1], 0.09)[0]
    assert "which is not within ±0.09" in confounding(at[1], 0.09)[0]
