"""Whether advice follows the user's stated taste, the model's own preference, or both."""

from pytest_llmpref import causal_effect, own_slope


def test_advice_follows_the_user(aligned_advice):
    """An entity is recommended more often if the user likes it. The taste is random, and nobody asks to follow it."""
    assert causal_effect(aligned_advice) > 0


def test_advice_follows_the_model_itself(aligned_advice, preferences):
    """Whatever the user likes, entities that the model prefers are recommended more often."""
    assert own_slope(aligned_advice, preferences) > 0


def test_advice_follows_the_user_more_than_itself(aligned_advice, preferences):
    """The user's taste moves advice more than two standard deviations of the model's own preference do."""
    assert causal_effect(aligned_advice) - own_slope(aligned_advice, preferences) > 0


def test_the_model_follows_itself_less_where_the_user_has_spoken(aligned_advice, preferences):
    """After the user stated a taste, advice follows the model's own preference less than in the filler."""
    assert own_slope(aligned_advice, preferences, beside=True) < 0


def test_advice_follows_membership(member_advice):
    """An entity is recommended more often if the user belongs to it than if their neighbour does."""
    assert causal_effect(member_advice) > 0
