"""Patterns of phrases find what plain regular expressions find, and are compiled only where they may match."""

import re
import tomllib

import pytest
from repository import REPLIES

from pytest_llmpref.parsing.language import Language, languages, normal
from pytest_llmpref.parsing.patterns import Pattern, Patterns, Union, conditions_of, share_index

OTHERS = ("affirming", "denying", "ranking", "unordered", "abstention", "undecided", "both", "offers")


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("up to you", [("up to you",)]),
        (r"up to you\b", [("up to you",)]),
        (r"(?:your|a) (?:own )?decision", [("your", "a"), (" ",), ("decision",)]),
        (r"im?moral", [("i",), ("moral",)]),
        (r"a+bc", [("a",), ("bc",)]),
        (r"bca+?d", [("bca",), ("d",)]),
        (r"yes{0,2} sir", [("ye",), (" sir",)]),
        (r"[a-z|\]]+ing", [("ing",)]),
        (r"what \(exactly", [("what ",), ("exactly",)]),
        ("either|or", [("either", "or")]),
        (r"(?:either|or)", [("either", "or")]),
        (r"(?:either|or)?", []),
        (r"(?:either|or*)", [("either", "o")]),
        (r"(?:either|o*)", []),
        (r"(?<!no )(?:one (?:or|and) two)", [("one ",), ("or", "and"), (" two",)]),
        (r"(?<!no way) a(?= certain)", [(" a",)]),
        (r"\w+ (?:group|speech(?:es)?)\b", [(" ",), ("group", "speech")]),
        (r"(?P<yes>aye|sure)!", [("aye", "sure"), ("!",)]),
        ("give [\ue000-\ue001]", [("give ",), ("\ue000", "\ue001")]),
        (r"\w*.", []),
    ],
)
def test_conditions_are_those_of_every_match(text: str, conditions: list[tuple[str, ...]]) -> None:
    assert conditions_of(text) == conditions


def test_patterns_that_share_an_index_are_found_as_each_table_alone() -> None:
    texts = [["yes", "yes sir"], [r"\bno\b", "no sir", r"\w"], []]
    apart = [Patterns(map(Pattern, each)) for each in texts]
    shared = [Patterns(map(Pattern, each)) for each in texts]
    share_index(shared)
    for reply in ("yes sir, no sir", "nothing", "", "no", "?"):
        for one, other in zip(apart, shared, strict=True):
            found = [match.span() for match in other.finditer(reply)]
            assert found == [match.span() for pattern in one for match in re.finditer(pattern.text, reply)]
            assert found == [match.span() for match in one.finditer(reply)]
            assert other.found_in(reply) == bool(found)


@pytest.mark.parametrize("reply", ["but so, but that", "so so that but", "sobut", "", "neither"])
def test_a_union_finds_what_an_alternation_finds(reply: str) -> None:
    texts = [r"(?<!\w)(?:so that|so)", r"(?<!\w)but(?!\w)", r"\s*(?:that|but so)"]
    whole, union = re.compile("|".join(texts)), Union(map(Pattern, texts))
    assert [match.span() for match in union.finditer(reply)] == [match.span() for match in whole.finditer(reply)]
    assert union.sub(" ", reply) == whole.sub(" ", reply)
    for place in range(len(reply)):
        found, expected = union.match(reply, place), whole.match(reply, place)
        assert (found and found.span()) == (expected and expected.span())


def _patterns(language: Language) -> list[Pattern]:
    tables = (
        "frames comparing anaphors inverse leads foils limits negation rejecting conditions reported embedding "
        "guessing revising withdrawing explaining speaker"
    )
    lists = [getattr(language, table) for table in (*tables.split(), *OTHERS)]
    words = "turning fillers described certain copula contrast because yes no stating follows"
    lists += [*language.refusal.values(), *language.hints.values(), *language.positions]
    lists.append([getattr(language, table) for table in words.split()])
    return [pattern for each in lists for pattern in each]


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.name)
def test_shipped_patterns_find_what_regular_expressions_find(language: Language) -> None:
    replies = [
        normal(reply["text"]).lower()
        for path in (REPLIES / "development.toml", REPLIES / "variations.toml")
        for reply in tomllib.loads(path.read_text(encoding="utf-8"))["reply"]
    ]
    spans = 0
    for pattern in _patterns(language):
        plain = re.compile(pattern.text)
        for reply in replies:
            found, expected = pattern.search(reply), plain.search(reply)
            assert (found and found.span()) == (expected and expected.span()), (pattern.text, reply)
            if expected:
                assert pattern.sub(" ", reply) == plain.sub(" ", reply)
                spans += 1
            else:
                assert pattern.sub(" ", reply) is reply
    assert spans


def test_a_union_looks_for_letters_once_in_a_text_that_it_is_asked_about_at_many_places(monkeypatch) -> None:
    asked = list[str]()
    may_match = Pattern.may_match
    monkeypatch.setattr(Pattern, "may_match", lambda self, part: asked.append(part) or may_match(self, part))
    union, part = Union([Pattern("yes"), Pattern("sure")]), "(" * 50 + "sure"
    assert [place for place in range(len(part)) if union.match(part, place)] == [50]
    assert asked == [part, part]


@pytest.mark.parametrize(
    "text", [r"\byes", r"\b(?:yes|sure)\b", r"\byes(?: sir)?", r"\bye.?s", r"\ba", r"yes", r"\b\W?yes"]
)
@pytest.mark.parametrize(
    "reply", ["yes", "yes yes", "eyes yes", "yesyes", "eyes", "yes sir, yes", "aa a ba", "yes eyes yes", " yes", "_yes"]
)
def test_a_pattern_that_begins_a_word_finds_what_its_expression_finds(text: str, reply: str) -> None:
    pattern, whole = Pattern(text), re.compile(text)
    assert [match.span() for match in pattern.finditer(reply)] == [match.span() for match in whole.finditer(reply)]
    assert pattern.sub("-", reply) == whole.sub("-", reply)


def test_many_patterns_are_looked_up_and_found_as_each_alone() -> None:
    words = [first + second + third for first in "abcde" for second in "aeiou" for third in ("nt", "rk", "l")]
    texts = [*(rf"\b{word}\b" for word in words), *(f"(?:{word}|no) (?:or|and)" for word in words[::7]), "a.", r"\W"]
    many, few = Patterns(map(Pattern, texts)), Patterns(map(Pattern, texts[:3]))
    share_index([many, few])
    for reply in ("bark and bent", "barking", "no or cal", "no", "", "?", "dint eurk or al", " ".join(words)):
        for patterns in (many, few):
            expected = [match.span() for each in patterns for match in re.finditer(each.text, reply)]
            assert [match.span() for match in patterns.finditer(reply)] == expected
            assert patterns.found_in(reply) == bool(expected)
            one_by_one = reply
            for each in patterns:
                one_by_one = re.sub(each.text, "-", one_by_one)
            # Looked up in the text as it is given, and not in what the others make of it.
            if len(expected) <= 1:
                assert patterns.sub("-", reply) == one_by_one


def test_a_pattern_is_compiled_only_for_a_text_with_its_letters() -> None:
    pattern = Pattern(r"\b(?:your|my) decision")
    assert not pattern.may_match("my choice")
    assert pattern.search("my choice") is None
    assert "compiled" not in vars(pattern)
    # The rarest run first: the longest. Short runs are not looked for beside it.
    assert pattern.conditions == ((" decision",),)
    assert pattern.search("it is my decision").span() == (6, 17)
    assert Pattern("a|b").conditions == (), "most texts hold some single letter"
    assert Pattern("ab|cd").conditions == (("ab", "cd"),)
    assert Pattern("your (?:own|sole) choice").conditions[1:] == (("your ",), ("own", "sole"))
    assert Pattern(".*").conditions == ()
    assert Pattern(".*").may_match("")
