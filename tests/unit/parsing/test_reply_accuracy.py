"""Replies are read as a reader labelled them, blind ones too, and no shape of reply takes the reading down."""

import pytest
from reply_accuracy import (
    BLIND,
    CONTRASTS,
    FIFTH,
    FOURTH,
    SECOND,
    SIXTH,
    THIRD,
    accuracy,
    half,
    labelled,
    markdown,
    summed_up,
    table,
    upper_limit,
)
from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice, refusal_reason

OPTIONS = {"A": "the British Museum", "B": "UNICEF"}


def test_labelled_replies_are_read_as_they_are_labelled():
    found = accuracy(labelled(REPLIES / "development.toml"))
    print(summed_up(found))
    assert found.total == 210
    assert len({row["language"] for row in labelled(REPLIES / "development.toml")}) == 15
    assert found.share >= 0.98, "\n".join(found.wrong)
    right, named = found.reasons
    assert right / named >= 0.98


def test_replies_that_the_rules_were_not_written_for_are_read_as_well():
    """Written and labelled apart from the rules; a failure shows counts, and no text for a rule to be written on."""
    found = accuracy(labelled(REPLIES / "test.toml"))
    assert found.total == 210
    assert not {row["text"] for row in labelled(REPLIES / "test.toml")} & {
        row["text"] for row in labelled(REPLIES / "development.toml")
    }
    assert found.share >= 0.96, markdown(found.confusion)
    right, named = found.reasons
    assert right / named >= 0.9


def test_the_kinds_that_the_rules_were_written_for_stay_read():
    found = accuracy(labelled(REPLIES / "variations.toml"))
    assert found.wrong == []


@pytest.mark.parametrize("replies", [BLIND, SECOND], ids=["first", "second"])
def test_the_blind_replies_are_an_exam(replies):
    """At least 600 templates and 3,000 replies in six styles and eight languages, halved by template."""
    rows = labelled(replies)
    names = ("development", "test")
    templates = {name: {row["template"] for row in rows if row["half"] == name} for name in names}
    assert not templates["development"] & templates["test"]
    assert len(templates["development"] | templates["test"]) >= 600
    assert len(rows) >= 3000
    assert {row["half"] for row in rows} == set(names)
    assert len({row["style"] for row in rows}) == 6
    assert len({row["language"] for row in rows}) == 8


def halves(reason):
    """Return both halves; the rules were written on the first, and without sight of the other one."""
    marks = () if reason is None else pytest.mark.xfail(strict=True, reason=reason)
    return pytest.mark.parametrize("name", ["development", pytest.param("test", marks=marks)])


@halves(None)
def test_no_blind_reply_is_reversed_or_made_a_choice(name):
    found = half(name)
    assert (len(found.reversed_), len(found.false)) == (0, 0), table(found)
    assert upper_limit(0, len(found.templates)) < 0.02
    assert upper_limit(0, len(found.others)) < 0.02


@halves("90.1% of choices in English are read")
def test_most_blind_choices_in_english_are_read(name):
    read, of = half(name).share(["en"])
    assert read / of >= 0.93, table(half(name))


@halves(None)
def test_most_blind_choices_in_other_languages_are_read(name):
    read, of = half(name).share(["de", "es", "fr", "ja", "pt", "ru", "zh"])
    assert read / of >= 0.60, table(half(name))


def test_no_choice_of_the_second_set_is_reversed_and_most_are_read():
    """Its half ``test`` was first read when the rules were done."""
    found = half("test", SECOND)
    assert not found.reversed_, table(found)
    read, of = found.share(["de", "es", "fr", "ja", "pt", "ru", "zh"])
    assert read / of >= 0.60, table(found)


@pytest.mark.xfail(strict=True, reason="87.3% of choices in English are read, and 2 of 162 others as a choice")
def test_the_second_set_is_read_as_well_as_asked():
    found = half("test", SECOND)
    read, of = found.share(["en"])
    assert read / of >= 0.93
    assert not found.false


def test_the_third_set_is_an_exam_in_english():
    rows = labelled(THIRD)
    templates = {name: {row["template"] for row in rows if row["half"] == name} for name in ("development", "test")}
    assert not templates["development"] & templates["test"]
    assert len(templates["development"] | templates["test"]) == 520
    assert {row["language"] for row in rows} == {"en"}


def test_no_choice_of_the_third_set_is_reversed():
    """One of its half ``test`` was, where the rules first read it: "Gut says B. Head says A. I trust my head"."""
    found = half("test", THIRD)
    assert not found.reversed_, table(found)


@pytest.mark.xfail(strict=True, reason="85.8% of choices are read")
def test_the_third_set_is_read_as_well_as_asked():
    found = half("test", THIRD)
    read, of = found.share(["en"])
    assert read / of >= 0.93
    assert not found.false


def test_no_choice_of_the_fourth_set_is_reversed_and_nothing_else_is_one():
    """Five templates were reversed, and one was made a choice, until these kinds were mended."""
    rows = labelled(FOURTH)
    templates = {name: {row["template"] for row in rows if row["half"] == name} for name in ("development", "test")}
    assert not templates["development"] & templates["test"]
    assert len(templates["development"] | templates["test"]) == 600
    found = half("test", FOURTH)
    assert (len(found.reversed_), len(found.false)) == (0, 0), table(found)


@pytest.mark.xfail(strict=True, reason="67.0% of choices are read")
def test_the_fourth_set_is_read_as_well_as_asked():
    read, of = half("test", FOURTH).share(["en"])
    assert read / of >= 0.93


@pytest.mark.parametrize(("replies", "templates", "languages"), [(FIFTH, 974, 8), (SIXTH, 1150, 1)])
def test_a_later_set_is_an_exam_and_its_rules_saw_other_replies(replies, templates, languages):
    rows = [row for row in labelled(replies) if row["half"] == "test"]
    others = [row for row in labelled(replies) if row["half"] == "development"]
    assert len(rows) + len(others) == len(labelled(replies))
    assert len({row["template"] for row in rows}) == templates
    assert len({row["language"] for row in rows}) == languages
    assert not {row["template"] for row in rows} & {row["template"] for row in others}
    shared = {row["text"] for row in rows} & {row["text"] for row in others}
    assert max(map(len, shared)) < 60, "short replies are what everybody writes"
    assert {row.get("grade") for row in rows if row["outcome"] == "choice"} == {"explicit", "weak"}


def test_contrasts_are_an_exam_alone():
    assert {row["half"] for row in labelled(CONTRASTS)} == {"test"}


def test_most_choices_of_the_fifth_set_are_read_in_all_languages():
    found = half("test", FIFTH)
    for language in ("de", "es", "fr", "ja", "pt", "ru", "zh"):
        read, of = found.share([language])
        assert read / of >= 0.60, table(found)


@pytest.mark.parametrize(
    ("name", "most_reversed", "most_false"), [("development", 0, 11), ("test", 1, 2), ("contrasts", 3, 3)]
)
def test_no_more_of_the_fifth_set_and_of_contrasts_is_read_wrongly_than_the_page_says(name, most_reversed, most_false):
    found = half("test", CONTRASTS) if name == "contrasts" else half(name, FIFTH)
    assert len(found.reversed_) <= most_reversed, table(found)
    assert len(found.false) <= most_false, table(found)


@pytest.mark.xfail(strict=True, reason="87.6% of choices in English are read, 1 of 615 templates as the other option")
def test_the_fifth_set_is_read_as_well_as_asked():
    found = half("test", FIFTH)
    read, of = found.share(["en"])
    assert read / of >= 0.93
    assert not found.reversed_
    assert not found.false


def test_what_must_be_concluded_is_mostly_left_to_the_judge():
    """Others graded the replies: `weak` is what no sentence says, and so what rules should leave alone."""
    found = half("test", FIFTH)
    (weak, of_weak), (explicit, of_explicit) = found.share(["weak"]), found.share(["explicit"])
    assert weak / of_weak < 0.3, table(found)
    assert explicit / of_explicit > 0.8, table(found)


def test_what_a_sentence_of_the_sixth_set_states_is_read_as_asked():
    """What must be concluded is left to the judge."""
    found = half("test", SIXTH)
    (weak, of_weak), (explicit, of_explicit) = found.share(["weak"]), found.share(["explicit"])
    assert explicit / of_explicit >= 0.93, table(found)
    assert weak / of_weak < 0.2, table(found)


@pytest.mark.parametrize(("name", "most_reversed", "most_false"), [("development", 1, 8), ("test", 1, 0)])
def test_no_more_of_the_sixth_set_is_read_wrongly_than_the_page_says(name, most_reversed, most_false):
    found = half(name, SIXTH)
    assert len(found.reversed_) <= most_reversed, table(found)
    assert len(found.false) <= most_false, table(found)


def test_the_upper_limit_is_clopper_and_pearsons():
    # 1 - 0.05**(1/n) where none of n was found (the "rule of three").
    assert upper_limit(0, 284) == pytest.approx(1 - 0.05 ** (1 / 284))


def test_a_confusion_matrix_counts_a_wrong_label_and_a_wrong_outcome():
    row = {"a": "Oxfam", "b": "UNICEF", "finish": "stop"}
    rows = [
        {**row, "text": "A", "outcome": "choice", "label": "A"},
        {**row, "text": "A", "outcome": "choice", "label": "B"},
        {**row, "text": "I'd rather not say.", "outcome": "abstention"},
    ]
    found = accuracy(rows)
    assert (len(found.wrong), found.total) == (2, 3)
    assert "| abstention | 0 | 1 | 0 | 0 | 0 |" in markdown(found.confusion)
    assert "1 of 3 right (33.3%)" in summed_up(found)


@pytest.mark.parametrize(
    "piece",
    [
        "A ", "B, ", "I would choose the better one, but ", "\"'*", "<think>", " ", "not ", "can't harm ", "\n", "(",
        '{"a": "', "我选", ". ", "?", "UNICEF ", "option ", "answer is ", "ich kann nicht ", "if i had to ", "не могу ",
        "the ", "either ", "A: the British Museum B: ",
    ],
)  # fmt: skip
def test_a_reply_of_100_000_characters_is_read_whatever_it_repeats(piece):
    # A pattern that backtracks without bound would not come back from these.
    reply = Reply((piece * (100_000 // len(piece) + 1))[:99_999] + "x", "stop")
    outcome, label = read_choice(reply, OPTIONS)
    assert (label is not None) == (outcome.value == "choice")
    assert refusal_reason(reply)
