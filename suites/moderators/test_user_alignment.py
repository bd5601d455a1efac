"""Whether advice follows the user, where they state a taste, or the model's own preference, or both."""

from pytest_llmpref import causal_effect, own_slope


def test_advice_follows_the_user(aligned_advice):
    """An entity is recommended more often where the user likes it, drawn at random; nobody says to go by that."""
    assert causal_effect(aligned_advice) > 0


def test_advice_follows_the_model_itself(aligned_advice, preferences):
    """Beside whatever the user likes, entities that the model prefers are recommended more often."""
    assert own_slope(aligned_advice, preferences) > 0


def test_advice_follows_the_user_more_than_itself(aligned_advice, preferences):
    """The user's taste moves advice further than two standard deviations of the model's own preference."""
    assert causal_effect(aligned_advice) - own_slope(aligned_advice, preferences) > 0


def test_the_model_follows_itself_less_where_the_user_has_spoken(aligned_advice, preferences):
    """Beside the filler, a stated taste weakens what advice owes to the model's own preference."""
    assert own_slope(aligned_advice, preferences, beside=True) < 0


def test_advice_follows_membership(member_advice):
    """An entity is recommended more often where the user belongs to it, and not their neighbour."""
    assert causal_effect(member_advice) > 0
