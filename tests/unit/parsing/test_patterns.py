"""Patterns of phrases find what plain regular expressions find, and are compiled only where they may match."""

import re
import tomllib

import pytest
from repository import REPLIES

from pytest_llmpref.parsing.language import Language, languages, normal
from pytest_llmpref.parsing.patterns import Pattern, required_letters

OTHERS = ("affirming", "denying", "ranking", "unordered", "abstention", "undecided", "both", "offers")


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("up to you", ["up to you"]),
        (r"up to you\b", ["up to you"]),
        (r"(?:your|a) (?:own )?decision", ["decision"]),
        (r"im?moral", ["moral"]),
        (r"a+bc", ["bc"]),
        (r"bca+?d", ["bca"]),
        (r"yes{0,2} sir", [" sir"]),
        (r"[a-z|\]]+ing", ["ing"]),
        (r"what \(exactly", ["exactly"]),
        ("either|or", ["either", "or"]),
        (r"(?:either|or)", ["either", "or"]),
        (r"(?:either|or)?", []),
        (r"(?:either|or*)", ["either", "o"]),
        (r"(?:either|o*)", []),
        (r"(?<!no )(?:one (?:or|and) two)", ["one "]),
        (r"(?<!no way) a(?= certain)", [" a"]),
        (r"\w+ (?:group|speech(?:es)?)\b", ["group", "speech"]),
        (r"\w*.", []),
    ],
)
def test_letters_are_those_of_every_match(text: str, letters: list[str]) -> None:
    assert list(required_letters(text)) == letters


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
            assert pattern.sub(" ", reply) == plain.sub(" ", reply)
            spans += expected is not None
    assert spans
