"""Options as a reply names them: by name, in full or in part, in whatever letters; and sentences of what it says."""

import pytest

from pytest_llmpref.parsing.language import TITLE
from pytest_llmpref.parsing.options import LABELS, NAMES, is_part_of_one, marked
from pytest_llmpref.parsing.sentences import sentences_of

A, B = NAMES["A"], NAMES["B"]


def shown(a, b):
    return (("A", a), ("B", b))


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("Smith", "A"),
        ("the Jones", "B"),
        ("Anna Smith", "A"),
        # Both have it, or neither; or it is a part of a word, or too short.
        ("Anna", None),
        ("Miller", None),
        ("Smit", None),
        ("ones", None),
        ("Ann", None),
    ],
)
def test_a_part_of_a_name_means_one_option_if_the_other_name_lacks_it(said, option):
    assert is_part_of_one(said, shown("Anna Smith", "Anna Jones")) == option
    other = {"A": "B", "B": "A", None: None}
    assert is_part_of_one(said, shown("Anna Jones", "Anna Smith")) == other[option]


def test_words_that_the_other_name_has_in_another_order_mean_none():
    assert is_part_of_one("Red Cross", shown("Red Cross", "Cross of the Red")) is None
    assert is_part_of_one("Cross of", shown("Red Cross", "Cross of the Red")) == "B"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # As written, and each without regard to capitals where it is not named as written.
        ("Oxfam, unicef", f"{A}, {B}"),
        ("oxfam, UNICEF", f"{A}, {B}"),
        ("oxfam, unicef", f"{A}, {B}"),
        ("Oxfam and oxfam", f"{A} and oxfam"),
        # A word that begins or ends with a name is none.
        ("They like the Oxfamily", "they like the oxfamily"),
        ("They like preOxfam", "they like preoxfam"),
    ],
)
def test_a_name_is_read_as_written_and_else_in_any_letters(text, said):
    assert marked(text, shown("Oxfam", "UNICEF")).text == said


def test_a_short_name_is_read_with_its_capitals_alone():
    assert marked("They ask anyone who helps.", shown("the WHO", "UNICEF")).text == "they ask anyone who helps."
    assert marked("They ask the WHO.", shown("the WHO", "UNICEF")).text == f"they ask {A}."
    assert marked("They ask kiva.", shown("Kiva", "UNICEF")).text == f"they ask {A}."


def test_a_name_in_letters_without_spaces_may_be_followed_by_more_of_them():
    thai = "\u0e2d\u0e2d\u0e01\u0e0b\u0e4c\u0e41\u0e1f\u0e21"
    assert A in marked(f"{thai}\u0e14\u0e35", shown(thai, "UNICEF")).text
    assert A not in marked("They like the Oxfam\u0e14\u0e35", shown("Oxfam", "UNICEF")).text


def said(text):
    return [(each.text, each.heading, each.title) for each in sentences_of(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", [("One.", False, False), ("Two!", False, False), ("Three?", False, False)]),
        ("One", [("One", True, False)]),
        ("One.\n\n \nTwo", [("One.", False, False), ("Two", True, False)]),
        ("One. Two", [("One.", False, False), ("Two", False, False)]),
        (f"{TITLE}One\nTwo", [("One", True, True), ("Two", True, False)]),
        # A picture before the words ends nothing; one behind them does.
        ("\U0001f44d One. Two", [("\U0001f44d One.", False, False), ("Two", False, False)]),
        ("One \U0001f44d Two", [("One \U0001f44d", False, False), ("Two", False, False)]),
        ("One. \U0001f44d Two", [("One.", False, False), ("\U0001f44d Two", False, False)]),
        (f"{TITLE}\U0001f44d One", [("\U0001f44d One", True, True)]),
        ("? One", [("?", False, False), ("One", False, False)]),
    ],
)
def test_a_text_is_divided_where_its_sentences_end(text, sentences):
    assert said(text) == sentences
    assert {type(heading) for _, heading, _ in said(text)} == {bool}


def test_a_label_in_cyrillic_is_the_label_and_an_article_before_a_name_says_nothing():
    both = shown("UNICEF", "Oxfam")
    assert marked("Мой ответ: \u0412.", both).text.endswith(f"{LABELS['B']}.")
    assert marked("I choose the UNICEF.", both).text == f"i choose {A}."
