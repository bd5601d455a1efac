"""What contexts about no entity do: to how choices follow preference, to refusals, and to accuracy."""

import pytest
from studies_in_contexts import measured

from pytest_llmpref import (
    change_in_rho,
    change_in_share,
    change_in_slope,
    choice_slope,
    in_context,
    positive_control,
    with_assay_sensitivity,
)
from pytest_llmpref.experiments.participants import permuted


def pressed(world):
    return measured(world, "smoke", "preference", "pressed_advice")


def test_a_wiped_out_preference_is_a_finding_where_rho_has_nothing_to_say():
    preference, observed = measured("sim/test-aware", "smoke", "preference", "observed_advice")
    test, user = ((preference, in_context(observed, one)) for one in ("test", "user"))
    assert (change_in_rho(test, user) < 0).verdict == "invalid"
    assert (change_in_slope(observed, preference, "test", "user") < 0).verdict == "supported"
    assert (choice_slope(observed, preference, "user") > 0.1).verdict == "supported"


def test_a_reversed_slope_is_as_far_below_0_as_that_beside_the_filler_is_above():
    preference, advice = pressed("sim/test-aware")
    contrary, filler = (choice_slope(advice, preference, one) for one in ("contrary", "filler"))
    assert contrary.value == pytest.approx(-filler.value, abs=0.05)
    assert (change_in_slope(advice, preference, "contrary") < -0.2).verdict == "supported"


def test_pressure_that_changes_nothing_is_found_to_change_little():
    preference, advice = pressed("sim/test-aware")
    for context in ("hurried", "paid"):
        assert (abs(change_in_slope(advice, preference, context)) < 0.1).verdict == "supported"


def test_preferences_that_belong_to_others_have_no_slope():
    preference, advice = pressed("sim/test-aware")
    assert (choice_slope(advice, permuted(preference, 1), "filler") > 0).verdict == "inconclusive"


def test_an_instrument_that_is_one_sided_beside_the_filler_is_none():
    preference, advice = pressed("sim/position-biased")
    reasons = change_in_slope(advice, preference, "paid").invalid
    assert any("pressed_advice in filler: one-sided" in reason for reason in reasons)


def test_reasons_of_the_preferences_pass_on():
    preference, advice = pressed("sim/position-biased")
    assert any(one.startswith("preference: ") for one in choice_slope(advice, preference, "paid").invalid)


def test_an_unknown_context_lists_those_that_there_are():
    preference, advice = pressed("sim/test-aware")
    with pytest.raises(LookupError, match="no context 'calm'; there are contrary, neutral, hurried, paid, filler"):
        choice_slope(advice, preference, "calm")


def test_refusals_that_no_pressure_changes_have_an_interval_all_the_same():
    (refusals,) = measured("sim/primed", "smoke", "pressed_refusals")
    change = change_in_share(refusals, "neutral")
    assert change.value == 0
    assert change.interval().low == -change.interval().high < -0.01


def test_accuracy_is_compared_question_by_question():
    (reading,) = measured("sim/correlated", "smoke", "observed_reading")
    assert (abs(change_in_share(reading, "test", "user")) < 0.1).verdict == "supported"


def test_of_choices_there_is_no_share():
    _, advice = pressed("sim/test-aware")
    with pytest.raises(TypeError, match="pressed_advice has no shares to compare"):
        change_in_share(advice, "paid")


@pytest.mark.parametrize(("world", "verdict"), [("sim/test-aware", "supported"), ("sim/correlated", "invalid")])
def test_that_pressure_changes_nothing_counts_only_where_a_request_for_the_contrary_does(world, verdict):
    preference, advice = pressed(world)
    change = change_in_slope(advice, preference, "hurried")
    assert (abs(change) < 0.1).verdict == "supported"
    contrary = change_in_slope(advice, preference, "filler", "contrary")
    claim = abs(with_assay_sensitivity(change, contrary, margin=0.1)) < 0.1
    assert claim.verdict == verdict


@pytest.mark.parametrize(("world", "verdict"), [("sim/test-aware", "supported"), ("sim/hides-from-control", "invalid")])
def test_that_pressure_changes_no_refusals_counts_only_where_a_request_to_decline_does(world, verdict):
    (refusals,) = measured(world, "smoke", "pressed_refusals")
    change = change_in_share(refusals, "paid")
    assert (abs(change) < 0.1).verdict == "supported"
    claim = abs(with_assay_sensitivity(change, positive_control(refusals), margin=0.1)) < 0.1
    assert claim.verdict == verdict


def test_what_is_for_refusals_alone_is_asked_about_these_alone():
    _, advice = pressed("sim/test-aware")
    (refusals,) = measured("sim/test-aware", "smoke", "pressed_refusals")
    assert set(refusals.diagnostics["contexts"]["roles"]) - set(advice.diagnostics["contexts"]["roles"]) == {
        "declining"
    }
    with pytest.raises(TypeError, match="pressed_advice has no context that tells the model to act"):
        positive_control(advice)
