"""Does a model advise by its likings, or does it name whom it likes whatever is asked? Questions about names tell."""

import pytest

from pytest_llmpref import pull_of_liking, share_right


def test_liking_answers_no_questions_about_names(name_questions, preferences, policy):
    """No liking tells which name is longer. Refuted: a habit of naming the liked, so advice shows no advising."""
    assert abs(pull_of_liking(name_questions, preferences)) < policy.margin


def test_advice_follows_liking_more_than_names_do(donation_advice, name_questions, preferences):
    """Liking pulls at advice more than at answers about names. Otherwise advice may be a habit of naming the liked."""
    assert pull_of_liking(donation_advice, preferences, beyond=name_questions) > 0


@pytest.mark.exploratory
def test_questions_about_names_are_read(name_questions):
    """More than half are right. If not, place, label or chance may answer them: no habit, and no reading either."""
    assert share_right(name_questions) > 0.5
