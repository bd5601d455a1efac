"""The phrases by which replies are told apart, read from ``fixtures/phrases/LANGUAGE.toml`` when first needed."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_llmpref.resources import data_folder


@dataclass(frozen=True, slots=True)
class Language:
    """What replies say in one language.

    Attributes
    ----------
    words
        Frequent words, by which a text in Latin letters is recognised.
    script
        Letters by which any other text is recognised; ``None`` for a language in Latin letters.
    options, answers
        Words that stand before a label: "option", "answer".
    abstention
        Patterns of replies that favour neither.
    undecided
        Patterns of replies that say neither yes nor no.
    refusal
        Reason -> patterns of replies that give it.
    """

    words: frozenset[str]
    script: re.Pattern[str] | None
    options: Sequence[str]
    answers: Sequence[str]
    abstention: Sequence[re.Pattern[str]]
    undecided: Sequence[re.Pattern[str]]
    refusal: Mapping[str, Sequence[re.Pattern[str]]]


_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u00b4": "'"})
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def normal(text: str) -> str:
    """Return a text with full-width letters made plain, and with one kind of apostrophe."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).translate(_APOSTROPHES)


def languages_of(lower: str) -> list[Language]:
    """Return the languages that a text in lower case may be in; all those in Latin letters where nothing tells."""
    others = () if lower.isascii() else _in_other_letters()
    found = [each for each in others if each.script and each.script.search(lower)]
    words = set(_WORD.findall(lower))
    known = [(len(words & each.words), each) for each in _in_latin_letters()]
    most = max(count for count, _ in known)
    if most:
        # Neighbours share words; the runner-up may be it.
        found += [each for count, each in known if count >= max(1, most - 1)]
    return found or list(_in_latin_letters())


@cache
def languages() -> tuple[Language, ...]:
    """Read all languages."""
    return tuple(_read(path) for path in sorted((data_folder("fixtures") / "phrases").glob("*.toml")))


@cache
def before_labels() -> tuple[str, str]:
    """Return two alternations of regular expressions: the words for an option, and those for an answer."""
    options = {word for language in languages() for word in language.options}
    answers = {word for language in languages() for word in language.answers}
    return _alternation(options), _alternation(answers)


def _alternation(words: set[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=lambda word: (-len(word), word)))


@cache
def _in_latin_letters() -> tuple[Language, ...]:
    return tuple(language for language in languages() if language.script is None)


@cache
def _in_other_letters() -> tuple[Language, ...]:
    return tuple(language for language in languages() if language.script is not None)


def _read(path: Path) -> Language:
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    script = table.get("script")
    return Language(
        words=frozenset(table.get("words", ())),
        script=re.compile(script) if script else None,
        options=table["option"],
        answers=table["answer"],
        abstention=_compiled(table["abstention"]),
        undecided=_compiled(table.get("undecided", ())),
        refusal={reason: _compiled(patterns) for reason, patterns in table["refusal"].items()},
    )


def _compiled(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    # One by one, and for text in lower case: what starts with letters is then found at the speed of str.find.
    return [re.compile(pattern.lower()) for pattern in patterns]
