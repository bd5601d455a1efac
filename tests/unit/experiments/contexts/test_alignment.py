"""Followers of the user, of themselves, of both and of neither, told apart."""

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import causal_effect, own_slope, positive_control, two_by_two, with_assay_sensitivity


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), context_partners=8, partners=8)


def pair(world, profile, advice="aligned_advice"):
    return measured(f"sim/follows-{world}", profile, "preference", advice)


@pytest.mark.parametrize(
    ("world", "user", "itself"),
    [
        ("user", "supported", "inconclusive"),
        ("itself", "inconclusive", "supported"),
        ("both", "supported", "supported"),
        ("neither", "inconclusive", "inconclusive"),
    ],
)
def test_each_follower_is_found_for_what_it_is(world, user, itself, profile):
    preferences, advice = pair(world, profile)
    assert (causal_effect(advice) > 0).verdict == user
    assert (own_slope(advice, preferences) > 0).verdict == itself


@pytest.mark.parametrize(("world", "verdict"), [("user", "supported"), ("itself", "refuted")])
def test_the_two_slopes_compare(world, verdict, profile):
    preferences, advice = pair(world, profile)
    assert (causal_effect(advice) - own_slope(advice, preferences) > 0).verdict == verdict


def test_a_user_who_is_followed_leaves_less_to_the_own_preference(profile):
    preferences, advice = pair("both", profile)
    beside = own_slope(advice, preferences, beside=True)
    assert beside.value < 0
    # What is said of an entity takes nothing from a model that does not listen.
    preferences, advice = pair("itself", profile)
    assert (abs(own_slope(advice, preferences, beside=True)) < 0.15).verdict == "supported"


def test_the_table_has_both(profile):
    table = two_by_two(*reversed(pair("both", profile)))
    assert list(table) == ["liked", "disliked"]
    assert table["liked"]["preferred"] > max(table["liked"]["others"], table["disliked"]["preferred"])
    assert table["disliked"]["others"] < min(table["liked"]["others"], table["disliked"]["preferred"])


def test_membership_counts_as_a_taste(profile):
    _, advice = pair("user", profile, "member_advice")
    assert (causal_effect(advice) > 0).verdict == "supported"
    assert set(two_by_two(*reversed(pair("user", profile, "member_advice")))) == {"mine", "others"}


def test_that_the_user_is_not_followed_counts_where_the_control_is_found(profile):
    _, advice = pair("itself", profile)
    null = with_assay_sensitivity(causal_effect(advice), positive_control(advice), margin=0.15)
    assert (abs(null) < 0.15).verdict == "supported"


def test_the_users_words_stand_in_the_users_message(profile):
    _, advice = pair("user", profile)
    assert advice.diagnostics["contexts"]["family"] == "user"
    assert {trial.context for trial in advice.trials} == {"stated", "filler", "instructed"}


def test_of_a_measure_without_arms_there_is_no_slope(profile):
    preferences, pressed = measured("sim/follows-both", profile, "preference", "pressed_advice")
    for function in (own_slope, two_by_two):
        with pytest.raises(TypeError, match="pressed_advice has no arms"):
            function(pressed, preferences)


def test_reasons_for_which_a_preference_is_invalid_pass_on(profile):
    preferences, advice = measured("sim/position-biased", profile, "preference", "aligned_advice")
    claim = own_slope(advice, preferences) > 0
    assert claim.verdict == "invalid"
    assert any(reason.startswith("preference: one-sided") for reason in claim.reasons)
