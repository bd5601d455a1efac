"""The tables of a language: what a file says is what replies are read by, and what it leaves out says nothing."""

import re

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.language import (
    FOIL,
    LATIN,
    MARK,
    Language,
    _misspelt,
    _phrase,
    _read,
    alternation,
    languages_of,
    normal,
)
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice

PHRASES = [
    "frames",
    "comparing",
    "anaphors",
    "inverse",
    "leads",
    "foils",
    "limits",
    "negation",
    "rejecting",
    "conditions",
    "reported",
    "embedding",
    "guessing",
    "revising",
    "withdrawing",
    "explaining",
    "speaker",
    "affirming",
    "denying",
    "other_one",
    "advising",
    "aspects",
    "asking",
    "against",
    "attributing",
    "dividing",
    "overruling",
    "unsettling",
]
"""Tables in which "~" stands for either option."""
LISTS = ["abstention", "undecided", "both", "offers", "ranking", "worst_first", "unordered"]
"""Tables of whole replies, in which "@" stands for an option and case does not count."""
WORDS = ["described", "copula", "certain", "contrast", "consequence", "because", "yes", "no", "follows"]
LEAST = """\
option = ["option"]
answer = ["answer"]
joining = ["or"]
fillers = []
first = ["the first"]
second = ["the second", "the latter"]
"""
"""What each file has; the tables of reasons come last."""
REASONS = """
[refusal]
policy = ["My (rules|LAWS) \\\\S forbid @", "no opinions"]
[hints]
neutrality = ["Both \\\\W good"]
"""


def language(tmp_path, text: str) -> Language:
    path = tmp_path / "xx.toml"
    path.write_text(text, encoding="utf-8")
    return _read(path)


def texts(patterns) -> list[str]:
    return [pattern.text for pattern in patterns]


def whole(joined: str) -> str:
    return rf"(?<![{LATIN}])(?:{joined})(?![{LATIN}])"


def test_what_a_file_leaves_out_is_never_found(tmp_path):
    read = language(tmp_path, LEAST + REASONS)
    assert read.name == "xx"
    assert read.words == {"option", "answer"}
    assert read.script is None
    assert read.inflects is False
    assert (read.articles, read.after_label, read.misspelt, read.simpler) == ((), (), {}, {})
    assert read.plain == frozenset()
    for name in (*PHRASES, *LISTS, "restated"):
        assert texts(getattr(read, name)) == [], name
    for name in (*WORDS, "fillers"):
        assert getattr(read, name).text == whole("(?!)"), name
    assert read.stating.text == read.turning.text == "(?!)"
    assert not any(pattern.search("any text (?!)") for pattern in (read.yes, read.stating, read.turning))


def test_each_table_of_a_file_is_the_table_of_that_name(tmp_path):
    rows = [f'{name} = ["{name} {{who}} ~", "@ {name}"]' for name in PHRASES]
    rows += [f'{name} = ["{name} @ \\\\S THE END"]' for name in LISTS]
    rows += [f'{name} = ["{name}", "{name} {{who}} longer"]' for name in (*WORDS, "stating", "turning")]
    rows += ['words = ["und", "oder"]', 'script = "[x-z]"', "inflects = true"]
    rows += ['articles = ["the"]', 'after_label = ["is"]', 'restated = [["{who} picks", "I pick"]]']
    own = LEAST.replace("fillers = []", 'fillers = ["well", "oh no", "so"]')
    parts = '\n[parts]\nwho = ["I", "we"]\n[misspelt]\ncannot = ["canot"]\n'
    read = language(tmp_path, "\n".join([own, *rows]) + parts + REASONS)

    either = f"(?:{MARK}|{FOIL})"
    for name in PHRASES:
        assert texts(getattr(read, name)) == [f"{name} (?:I|we) {either}", f"{MARK} {name}"], name
    for name in LISTS:
        assert texts(getattr(read, name)) == [rf"{name} {MARK} \S the end"], name
    for name in WORDS:
        assert getattr(read, name).text == whole(f"{name} (?:I|we) longer|{name}"), name
    for name in ("stating", "turning"):
        assert getattr(read, name).text == f"{name}|{name} (?:I|we) longer", name
    assert read.fillers.text == whole("oh no|well|so")
    assert read.plain == {"well", "so"}
    assert read.words == {"und", "oder", "option", "answer"}
    assert read.script is not None
    assert read.script.search("y")
    assert not read.script.search("a")
    assert read.inflects is True
    assert (read.articles, read.after_label) == (["the"], ["is"])
    assert (read.options, read.answers, read.joining) == (["option"], ["answer"], ["or"])
    assert [texts(each) for each in read.positions] == [["the first"], ["the second", "the latter"]]
    assert read.simpler == {"(?:I|we) picks": "I pick"}
    assert texts(read.restated) == ["(?:I|we) picks"]
    assert read.misspelt["canot"] == "cannot"
    assert {reason: texts(each) for reason, each in read.refusal.items()} == {
        "policy": [rf"my (rules|laws) \S forbid {MARK}", "no opinions"]
    }
    assert {reason: texts(each) for reason, each in read.hints.items()} == {"neutrality": [r"both \W good"]}
    grammar = {id(getattr(read, name).lookup) for name in PHRASES}
    lists = {id(each.lookup) for each in (*(getattr(read, name) for name in LISTS), *read.refusal.values())}
    assert len(grammar) == len(lists) == 1
    assert grammar != lists


@pytest.mark.parametrize(
    ("phrase", "found", "not_found"),
    [
        # No letter, and no option either.
        (r"so\Wmany", ["so many", "so-many"], ["so\ue000many", "soxmany"]),
        (r"so[\s\W]many", ["so many"], ["so\ue000many"]),
        # Within a class it stands for itself.
        (r"so[\W]many", ["so many", "so\ue000many"], ["soxmany"]),
        (r"take @", ["take \ue000", "take \ue005"], ["take \ue010", "take @"]),
        (r"not ~", ["not \ue000", "not \ue010"], ["not \ue011", "not ~"]),
        ("{outer}!", ["a b!", "a c!"], ["{outer}!", "a {inner}!"]),
        (r"\x41\u0042\U00000043", ["ABC"], ["abc"]),
    ],
)
def test_a_phrase_stands_for_what_it_says(phrase, found, not_found):
    compiled = re.compile(_phrase(phrase, {"outer": "a {inner}", "inner": "(?:b|c)"}))
    assert [text for text in [*found, *not_found] if compiled.fullmatch(text)] == found


def test_letters_in_a_phrase_are_written_as_such():
    assert _phrase(r"\x61\u00e9\U0001f600\d", {}) == "a\u00e9\U0001f600\\d"


def test_two_neighbours_of_a_long_word_may_be_swapped_but_for_its_first_letter():
    table = {"would": ["wuold", "woud"], "form": ["frm"], "angle": [], "angel": ["angels"]}
    assert _misspelt(table) == {
        "wuold": "would",
        "woud": "would",
        "wolud": "would",
        "woudl": "would",
        # Four letters are too few; and "angel" is no "angle", nor the other way round.
        "frm": "form",
        "agnle": "angle",
        "anlge": "angle",
        "agnel": "angel",
        "anegl": "angel",
        "angels": "angel",
    }


def test_a_wrong_spelling_that_a_file_gives_outranks_a_swap():
    assert _misspelt({"angle": [], "bangle": ["agnle"]})["agnle"] == "bangle"


def test_an_alternation_finds_the_longest_word():
    assert alternation(["a", "b.", "ab", "b", "a", "abc"]) == r"abc|b\.|ab|a|b"


def test_every_kind_of_apostrophe_and_of_letter_is_made_plain():
    assert normal("\uff21\uff22 don\u2019t don\u2018t don\u02bct don\u00b4t") == "AB don't don't don't don't"
    assert normal("don`t say `this`") == "don't say `this`"
    assert normal("\u00e9 don`t") == "\u00e9 don't"
    assert normal("plain") == "plain"


def names(text: str) -> list[str]:
    return [each.name for each in languages_of(text.lower())]


LATIN_ONES = names("")
GERMAN = "der hund und die katze sind nicht hier"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GERMAN, ["de"]),
        ("und", ["de"]),
        # The question is answered with these.
        ("A", LATIN_ONES),
        ("Greenpeace", LATIN_ONES),
        ("\u6211\u9009Greenpeace", ["zh"]),
        ("\u3054\u8cea\u554f", ["ja"]),
        ("\u041f\u043e\u0447\u0435\u043c\u0443", ["ru"]),
        # One known word may belong to a name; two are a sentence.
        ("\u6211\u9009 and", ["zh"]),
        ("\u6211\u9009 and with", ["zh", "en"]),
        # A start that says nothing: the end is read.
        (f"{'xx ' * 300}{GERMAN}", ["de"]),
        # A start that tells enough: it is not.
        (f"{GERMAN} {'xx ' * 300} the cat and the dog are here with me", ["de"]),
    ],
)
def test_a_text_is_in_the_language_whose_words_it_has(text, expected):
    assert names(text) == expected


def test_languages_in_latin_letters_are_those_without_letters_of_their_own():
    assert {"de", "en", "fr"} <= set(LATIN_ONES)
    assert not {"ja", "ru", "zh"} & set(LATIN_ONES)


@pytest.mark.parametrize("apostrophe", "'\u2019\u2018\u02bc\u00b4`")
def test_a_choice_is_read_with_any_apostrophe(apostrophe):
    options = {"A": "Oxfam", "B": "UNICEF"}
    assert read_choice(Reply(f"I{apostrophe}d pick Oxfam.", "stop"), options) == (Outcome.CHOICE, "A")
    assert read_choice(Reply(f"I won{apostrophe}t say.", "stop"), options) == (Outcome.REFUSAL, None)
