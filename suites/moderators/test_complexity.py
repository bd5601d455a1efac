"""Whether preference matters more where questions are hard."""

from pytest_llmpref import harder_minus_easier


def test_preference_matters_more_in_harder_questions(boolq, preferences):
    """Accuracy follows preference more in the harder half of the questions than in the easier."""
    assert harder_minus_easier(boolq, preferences) > 0
