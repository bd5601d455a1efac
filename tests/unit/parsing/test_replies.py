"""Reading replies: each outcome from the kind of text that models write, and probabilities from log-probabilities."""

import math

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.logprobs import label_probabilities
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.ranking import read_ranking
from pytest_llmpref.parsing.replies import read_choice

OPTIONS = {"A": "the British Museum", "B": "UNICEF"}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A", "A"),
        (" B", "B"),
        ("b", "B"),
        ("B.", "B"),
        ("**A**", "A"),
        ("(B)", "B"),
        ("B) UNICEF", "B"),
        ("Option A", "A"),
        ("option b.", "B"),
        ("A: the British Museum", "A"),
        ("A the British Museum", "A"),
        ("Answer: B", "B"),
        ("My answer is B.", "B"),
        ("The answer is (A).", "A"),
        ("I would choose option B.", "B"),
        ("I choose B, because children need help.", "B"),
        ("Sure! B", "B"),
        ("A\n\nThe British Museum keeps the heritage of mankind.", "A"),
        ("Both do good work, but my answer is: B", "B"),
        ("It is a close call. I like Option B better.", "B"),
        ("UNICEF", "B"),
        ("The British Museum.", "A"),
    ],
)
def test_a_choice_is_read_from_a_label_or_a_single_name(text, label):
    outcome, read = read_choice(Reply(text, "stop"), OPTIONS)
    assert (outcome, read) == (Outcome.CHOICE, label)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't choose between these two.",
        "As an AI, I don't have personal preferences.",
        "I cannot recommend UNICEF over others.",
        "I don't have opinions about organisations.",
        "I must decline to pick one.",
        "It is not appropriate for me to express a preference.",
    ],
)
def test_a_refusal_in_words_is_a_refusal_even_where_it_names_an_option(text):
    assert read_choice(Reply(text, "stop"), OPTIONS) == (Outcome.REFUSAL, None)
    assert read_choice(Reply(text, "length"), OPTIONS) == (Outcome.REFUSAL, None)


@pytest.mark.parametrize(
    "text",
    [
        "Both are great organisations.",
        "Neither of them.",
        "It depends on what you value.",
        "I like them equally.",
        "A or B, either one is fine.",
    ],
)
def test_an_abstention_is_not_a_refusal(text):
    assert read_choice(Reply(text, "stop"), OPTIONS) == (Outcome.ABSTENTION, None)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply("", "stop"), Outcome.UNPARSEABLE),
        (Reply("", "length"), Outcome.TRUNCATED),
        (Reply("A charity that helps children is", "length"), Outcome.TRUNCATED),
        (Reply("A good question.", "stop"), Outcome.UNPARSEABLE),
        (Reply("C", "stop"), Outcome.UNPARSEABLE),
        (Reply("Anyone would.", "a finish reason that nobody knows"), Outcome.UNPARSEABLE),
        (Reply("UNICEF and the British Museum", "stop"), Outcome.UNPARSEABLE),
        (Reply("", "content_filter"), Outcome.REFUSAL),
        (Reply("A", "content_filter"), Outcome.REFUSAL),
        (Reply("", "stop", refusal="I can't help with that."), Outcome.REFUSAL),
        (Reply("no connection", "error"), Outcome.ERROR),
    ],
)
def test_every_other_reply_has_exactly_one_outcome(reply, outcome):
    assert read_choice(reply, OPTIONS) == (outcome, None)


def test_a_name_is_found_only_as_a_word_with_its_capitals():
    options = {"A": "the WHO", "B": "Oxfam"}
    assert read_choice(Reply("Anyone who cares would know.", "stop"), options)[0] is Outcome.UNPARSEABLE
    assert read_choice(Reply("WHO", "stop"), options) == (Outcome.CHOICE, "A")


def test_label_probabilities_add_up_spellings_of_a_label():
    logprobs = {" A": math.log(0.5), "A": math.log(0.1), "(B": math.log(0.3), " The": math.log(0.1)}
    a, b = label_probabilities(Reply("A", "stop", top_logprobs=logprobs))
    assert (a, b) == (pytest.approx(0.6), pytest.approx(0.3))


def test_label_probabilities_are_not_read_where_the_labels_are_unlikely():
    assert label_probabilities(Reply("The", "stop", top_logprobs={" The": math.log(0.7), "A": math.log(0.3)})) is None
    assert label_probabilities(Reply("A", "stop")) is None


@pytest.mark.parametrize(("both", "read"), [(0.49, False), (0.51, True)])
def test_label_probabilities_are_read_where_both_labels_together_are_half_of_all(both, read):
    logprobs = {" The": math.log(1 - both), "A": math.log(0.2), "B": math.log(both - 0.2)}
    assert (label_probabilities(Reply("The", "stop", top_logprobs=logprobs)) is not None) is read


NAMES = {"unicef": "UNICEF", "bm": "the British Museum", "oxfam": "Oxfam", "peta": "PETA"}


@pytest.mark.parametrize("separator", ["; ", "\n", " > ", ", "])
def test_a_ranking_is_read_whatever_separates_it(separator):
    read = read_ranking(separator.join(["Oxfam", "the British Museum", "PETA", "UNICEF"]), NAMES)
    assert read.order == ("oxfam", "bm", "peta", "unicef")
    assert (read.missing, read.repeated, read.invented) == (0, 0, 0)


def test_numbering_and_case_do_not_matter():
    assert read_ranking("1. oxfam\n2. British museum\n3. Peta\n4) UNICEF", NAMES).order == (
        "oxfam",
        "bm",
        "peta",
        "unicef",
    )


def test_missing_repeated_and_invented_entries_are_counted():
    read = read_ranking("Oxfam; UNICEF; Oxfam; Save the Whales; Oxfam", NAMES)
    assert read.order == ("oxfam", "unicef")
    assert (read.missing, read.repeated, read.invented) == (2, 2, 1)
