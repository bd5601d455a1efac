"""What a reply says in brackets or in others' words."""

from pytest_llmpref.parsing.language import QUOTE, languages_of
from pytest_llmpref.parsing.options import NAMES
from pytest_llmpref.parsing.quoting import without_asides, without_quotations
from pytest_llmpref.parsing.stating import grammar_of

A, B = NAMES["A"], NAMES["B"]
ENGLISH = grammar_of(languages_of("i would choose the one that does more good"))


def test_of_what_stands_in_brackets_only_options_are_blanked_and_places_stay():
    assert without_asides(f"{A} (or {B}) wins (truly)") == f"{A} {6 * ' '} wins (truly)"
    assert without_asides(f"the better one (that is {A})") == f"the better one (that is {A})"
    assert without_asides(f"{A} wins") == f"{A} wins"


def test_a_quotation_of_an_option_is_not_the_speakers_unless_it_is_all():
    assert without_quotations(f'some say "{A} is best" here', ENGLISH) == f"some say {QUOTE} here"
    assert without_quotations(f'"{A} is best"', ENGLISH) == f'"{A} is best"'
    assert without_quotations('some say "so" here', ENGLISH) == 'some say "so" here'
    assert without_quotations('"so it is" - Anna', ENGLISH) == f"{QUOTE} - Anna"
