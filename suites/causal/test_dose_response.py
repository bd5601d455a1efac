"""Do stronger attitudes have larger effects? Attitudes of five strengths are assigned at random."""

from pytest_llmpref import dose_response


def test_stronger_attitudes_move_preference_further(graded_preference):
    """Stated preference rises with the strength of the attitude, compared with the filler."""
    assert dose_response(graded_preference) > 0


def test_stronger_attitudes_move_advice_further(graded_advice):
    """Advice rises with the strength of the attitude, compared with the filler."""
    assert dose_response(graded_advice) > 0
