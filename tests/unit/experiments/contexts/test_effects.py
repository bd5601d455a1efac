"""Planted cause and planted mere correlation told apart, and studies that could not have seen a cause."""

import math

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import (
    causal_effect,
    dose_response,
    effect_per_preference,
    negative_control,
    positive_control,
    spearman,
    with_assay_sensitivity,
)
from pytest_llmpref.experiments.contexts.effects import _Assigned
from pytest_llmpref.experiments.participants import permuted

MARGIN = 0.15


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), context_partners=8, partners=8)


def pair(world, profile):
    return measured(world, profile, "induced_preference", "induced_advice")


def test_a_planted_cause_is_found(profile):
    preference, advice = pair("sim/induced", profile)
    assert (causal_effect(preference) > 0.1).verdict == "supported"
    assert (causal_effect(advice) > 0.1).verdict == "supported"
    per_point = effect_per_preference(advice, preference)
    assert (per_point > 0.3).verdict == "supported"
    assert math.isfinite(per_point.interval().high)


def test_mere_correlation_is_no_cause(profile):
    stated, advised, preference, advice = measured(
        "sim/correlated", profile, "preference", "donation_advice", "induced_preference", "induced_advice"
    )
    assert (spearman(stated, advised) > 0).verdict == "supported"
    assert (causal_effect(preference) > 0.1).verdict == "supported"
    assert (causal_effect(advice) > 0).verdict == "inconclusive"
    assert (effect_per_preference(advice, preference) > 0).verdict == "inconclusive"
    null = with_assay_sensitivity(causal_effect(advice), positive_control(advice), margin=MARGIN)
    assert (abs(null) < MARGIN).verdict == "supported"


def test_a_failed_manipulation_says_nothing_of_an_effect_per_preference(profile):
    preference, advice = pair("sim/unmoved", profile)
    assert (causal_effect(preference) > 0).verdict == "inconclusive"
    assert math.isinf(effect_per_preference(advice, preference).interval().high)


def test_a_null_of_a_model_that_hides_from_the_control_is_invalid(profile):
    _, advice = pair("sim/hides-from-control", profile)
    null = causal_effect(advice)
    assert (abs(null) < MARGIN).verdict == "supported"
    sensitive = with_assay_sensitivity(null, positive_control(advice), margin=MARGIN)
    claim = abs(sensitive) < MARGIN
    assert claim.verdict == "invalid"
    assert "this study could not have seen an effect" in claim.explain().replace("\n             ", " ")


def test_a_control_that_is_not_larger_than_the_margin_shows_too_little(profile):
    _, advice = pair("sim/induced", profile)
    control = positive_control(advice)
    beyond = control.interval().low + 0.01
    assert not with_assay_sensitivity(control, control, margin=beyond - 0.02).insensitive
    assert with_assay_sensitivity(control, control, margin=beyond).insensitive


@pytest.mark.parametrize("world", ["sim/induced", "sim/correlated"])
def test_the_filler_by_itself_moves_nothing(world, profile):
    for measure in pair(world, profile):
        assert (negative_control(measure) > 0).verdict == "inconclusive"
        assert (abs(negative_control(measure)) < MARGIN).verdict == "supported"


def test_what_is_liked_is_refused_less_and_the_control_counts_in_its_own_direction(profile):
    (refusals,) = measured("sim/induced", profile, "induced_refusals")
    assert (causal_effect(refusals) < 0).verdict == "supported"
    assert (positive_control(refusals) > 0).verdict == "supported"


def test_where_nothing_is_ever_refused_no_effect_is_refuted_and_a_large_one_is_ruled_out(profile):
    (refusals,) = measured("sim/primed", profile, "induced_refusals")
    effect = causal_effect(refusals)
    assert effect.value == 0
    assert (effect < 0).verdict == "inconclusive"
    assert (abs(effect) < 0.1).verdict == "supported"
    # 24 entities in 16 questions each: 128 an arm in each of three drawings.
    assert effect.interval().high == pytest.approx(2 * 3.84 / (384 + 3.84), rel=0.01)
    assert dose_response(refusals).interval().high == pytest.approx(effect.interval().high / 2)


def test_more_dose_does_more(profile):
    (advice,) = measured("sim/induced", profile, "graded_advice")
    slope, effect = dose_response(advice), causal_effect(advice)
    assert (slope > 0.02).verdict == "supported"
    assert effect.value == pytest.approx(4 * slope.value, rel=0.5)
    by_arm = {arm: one["value"] for arm, one in advice.diagnostics["contexts"]["by_arm"]["stated"].items()}
    assert sorted(by_arm, key=by_arm.__getitem__) == ["hated", "disliked", "unmentioned", "liked", "loved"]


def test_reasons_for_which_a_measure_is_invalid_pass_on(profile):
    (found,) = measured("sim/position-biased", profile, "induced_advice")
    claim = causal_effect(found) > 0
    assert claim.verdict == "invalid"
    assert claim.reasons[0].startswith("induced_advice: one-sided: the option shown first is chosen")


def test_of_a_measure_without_arms_there_is_no_effect(profile):
    pressed, preference = measured("sim/induced", profile, "pressed_advice", "preference")
    for measure in (pressed, preference):
        with pytest.raises(TypeError, match=f"{measure.name} has no arms: give a measure whose contexts assign"):
            causal_effect(measure)


def test_an_effect_per_preference_needs_one_assignment(profile):
    preference, advice = pair("sim/induced", profile)
    claim = effect_per_preference(permuted(advice, 3), preference) > 0
    assert claim.verdict == "invalid"
    assert any("not asked under one assignment" in reason for reason in claim.reasons)


def test_the_assignment_is_read_off_the_trials(profile):
    _, advice = pair("sim/induced", profile)
    found = _Assigned.of(advice)
    assert sorted({*zip(*found.assigned, strict=True)}) == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
