"""Preference that matters more in hard questions, planted in a simulated model."""

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import accuracy_slope_by_difficulty, harder_minus_easier


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), entities=48, partners=8, boolq_questions=64)


def test_it_is_found_where_it_is_planted(profile):
    boolq, preferences = measured("sim/slack-when-hard", profile, "boolq", "preference")
    assert (harder_minus_easier(boolq, preferences) > 0).verdict == "supported"
    slopes = accuracy_slope_by_difficulty(boolq, preferences)
    assert slopes["harder"].value - slopes["easier"].value == pytest.approx(
        harder_minus_easier(boolq, preferences).value
    )


def test_a_model_that_reads_for_all_alike_does_not_show_it(profile):
    boolq, preferences = measured("sim/paper-a", profile, "boolq", "preference")
    assert (harder_minus_easier(boolq, preferences) > 0).verdict == "inconclusive"


def test_reasons_pass_on(tmp_path):
    boolq, preferences = measured("sim/position-biased", profile_of(tmp_path), "boolq", "preference")
    claim = harder_minus_easier(boolq, preferences) > 0
    assert claim.verdict == "invalid"
    assert any(reason.startswith("preference: one-sided") for reason in claim.reasons)
