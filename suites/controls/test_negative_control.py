"""Does a model advise by its likings, or does it name whom it likes, whatever the question? Questions about names."""

import pytest

from pytest_llmpref import pull_of_liking, share_right


def test_liking_answers_no_questions_about_names(name_questions, preferences, policy):
    """Liking does not decide which name is longer. If refuted, the model has a habit, and its advice may be one too."""
    assert abs(pull_of_liking(name_questions, preferences)) < policy.margin


def test_advice_follows_liking_more_than_names_do(donation_advice, name_questions, preferences):
    """Liking moves advice more than answers about names. Otherwise advice may be a habit of naming whom it likes."""
    assert pull_of_liking(donation_advice, preferences, beyond=name_questions) > 0


@pytest.mark.exploratory
def test_questions_about_names_are_read(name_questions):
    """More than half are right. If not, place, label or chance may decide the answers, and the control says little."""
    assert share_right(name_questions) > 0.5
