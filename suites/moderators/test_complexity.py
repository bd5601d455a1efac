"""Whether preference matters more in hard questions, and in hard tasks of agents."""

from pytest_llmpref import harder_minus_easier, success_gap_harder_minus_easier, success_gap_per_level


def test_preference_matters_more_in_harder_questions(boolq, preferences):
    """Accuracy follows preference more in the harder half of the questions than in the easier."""
    assert harder_minus_easier(boolq, preferences) > 0


def test_preference_matters_more_in_harder_tasks(agentic):
    """The gap between the most and the least preferred entities is larger in the harder half of the tasks."""
    assert success_gap_harder_minus_easier(agentic) > 0


def test_preference_matters_more_with_each_level(agentic):
    """The gap between the most and the least preferred grows with the level that a task is known to have."""
    assert success_gap_per_level(agentic) > 0
