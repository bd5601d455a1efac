"""Answers by log-probabilities: what is added up, when they count, and what becomes of a sampled letter."""

import math

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.logprobs import label_probabilities, settle_by_logprobs, use_logprobs
from pytest_llmpref.parsing.outcome import Attempt, Outcome

LABELS = ("A", "B")


def of(text="A", finish="stop", **probabilities):
    return Reply(text, finish, top_logprobs={token: math.log(share) for token, share in probabilities.items()} or None)


READABLE, UNREADABLE = of(A=0.6, B=0.2), of(A=0.2, The=0.7)


def test_spellings_of_a_label_are_added_up_and_capitals_told_apart():
    assert label_probabilities(of(A=0.3, B=0.2, a=0.4), LABELS) == (pytest.approx(0.3), pytest.approx(0.2))
    words = of(yes=0.3, Yes=0.2, NO=0.1, no=0.1)
    assert label_probabilities(words, ("yes", "no")) == (pytest.approx(0.5), pytest.approx(0.2))


def test_labels_with_half_of_the_probability_are_read_and_with_less_are_not():
    half = Reply("A", "stop", top_logprobs={"A": math.log(0.25), "B": math.log(0.25), "C": math.log(0.5)})
    assert sum(math.exp(half.top_logprobs[label]) for label in LABELS) == 0.5
    assert label_probabilities(half, LABELS) == (0.25, 0.25)
    assert label_probabilities(of(A=0.25, B=0.24, C=0.5), LABELS) is None
    assert label_probabilities(of(), LABELS) is None


@pytest.mark.parametrize(
    ("readable", "unreadable", "used"), [(19, 1, True), (18, 1, False), (20, 0, True), (0, 1, False)]
)
def test_probabilities_are_the_answers_where_19_of_20_can_be_read(readable, unreadable, used):
    replies = [[UNREADABLE, READABLE]] * readable + [[READABLE, UNREADABLE]] * unreadable
    assert use_logprobs("auto", replies, LABELS) == used
    # Calls that failed count neither way.
    assert use_logprobs("auto", [*replies, [of(finish="error")]] * 3, LABELS) == used
    assert use_logprobs("logprobs", replies, LABELS)
    assert not use_logprobs("text", replies, LABELS)


def test_without_answers_there_are_no_probabilities():
    assert use_logprobs("auto", [], LABELS) is False
    assert use_logprobs("auto", [[of(finish="error")]], LABELS) is False


@pytest.mark.parametrize("outcome", [Outcome.CHOICE, Outcome.UNPARSEABLE, Outcome.TRUNCATED])
def test_readable_probabilities_are_a_choice_whatever_letter_was_sampled(outcome):
    attempts = [Attempt("k1", Outcome.REFUSAL, "No."), Attempt("k2", outcome, "B")]
    assert settle_by_logprobs(attempts, [UNREADABLE, READABLE], LABELS) == pytest.approx((0.75, 0.25))
    assert attempts == [Attempt("k1", Outcome.REFUSAL, "No."), Attempt("k2", Outcome.CHOICE, "B")]


@pytest.mark.parametrize(
    ("outcome", "becomes"),
    [
        (Outcome.CHOICE, Outcome.UNPARSEABLE),
        (Outcome.UNPARSEABLE, Outcome.UNPARSEABLE),
        (Outcome.TRUNCATED, Outcome.TRUNCATED),
    ],
)
def test_a_letter_is_no_choice_among_probabilities_that_cannot_be_read(outcome, becomes):
    attempts = [Attempt("k1", outcome, "A")]
    assert settle_by_logprobs(attempts, [UNREADABLE], LABELS) is None
    assert attempts == [Attempt("k1", becomes, "A")]


@pytest.mark.parametrize("outcome", [Outcome.REFUSAL, Outcome.ABSTENTION, Outcome.ERROR])
def test_what_was_said_in_words_stays(outcome):
    attempts = [Attempt("k1", outcome, "No.")]
    assert settle_by_logprobs(attempts, [READABLE], LABELS) is None
    assert attempts == [Attempt("k1", outcome, "No.")]


def test_other_labels_are_settled_alike():
    attempts = [Attempt("k1", Outcome.UNPARSEABLE, "Hm")]
    assert settle_by_logprobs(attempts, [of(yes=0.2, no=0.6)], ("yes", "no")) == pytest.approx((0.25, 0.75))
    assert use_logprobs("auto", [[of(yes=0.2, no=0.6)]], ("yes", "no"))
