"""The phrases by which replies are told apart, read from ``fixtures/phrases/LANGUAGE.toml`` when first needed."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_llmpref.files import data_folder
from pytest_llmpref.parsing.patterns import Pattern, Patterns


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """What replies say in one language.

    Patterns are regular expressions for text in lower case; ``'`` stands for any apostrophe. In those of ``against``
    and ``choose``, ``@`` stands for an option, by label or by name.

    Attributes
    ----------
    words
        Frequent words, by which a text in Latin letters is recognised.
    script
        Letters by which any other text is recognised; ``None`` for a language in Latin letters.
    inflects
        Whether names take the endings of a case.
    verbs
        Verbs that make an option, which stands before them, the subject of a description: "is", "has".
    pronouns
        Words for an option that was named before: "it".
    options, answers
        Words that stand before a label: "option", "answer".
    choose
        Patterns by which the speaker chooses: "I would choose", "if I had to".
    negation
        Patterns of a clause that says no.
    contrast
        Patterns after which comes what counts: "but", "therefore".
    joining
        Words for "and" and "or".
    because
        Words after which come only reasons.
    relative
        Words after which come only descriptions or contrasts of what was named: "which", "while".
    against
        Patterns of an option that is mentioned only as the other one: "rather than @".
    rejecting
        Patterns of a clause that speaks against an option: "avoid", "steer clear of", "the worst". ``@`` stands for an
        option here too.
    abstention
        Patterns of replies that favour neither.
    undecided
        Patterns of replies that say neither yes nor no.
    both
        Patterns that praise both, or neither: an abstention where nothing more is said.
    offers
        Patterns of questions that ask for no preference: "how can I help you?".
    ranking
        Patterns that announce a ranking: "my ranking".
    refusal
        Reason -> patterns of replies that decline for it.
    hints
        Reason -> patterns that tell the reason of a reply that declines, and do not decline themselves.
    """

    words: frozenset[str]
    script: re.Pattern[str] | None
    inflects: bool
    verbs: Sequence[str]
    pronouns: Sequence[str]
    options: Sequence[str]
    answers: Sequence[str]
    choose: Patterns
    negation: Pattern
    contrast: Sequence[str]
    joining: Sequence[str]
    because: Sequence[str]
    relative: Sequence[str]
    against: Patterns
    rejecting: Patterns
    abstention: Patterns
    undecided: Patterns
    both: Patterns
    offers: Patterns
    ranking: Patterns
    refusal: Mapping[str, Patterns]
    hints: Mapping[str, Patterns]


LATIN = "A-Za-z0-9_\u00c0-\u024f\u0400-\u04ff"
"""Letters, as in a class of a regular expression, of scripts that write words apart."""
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'"})
_BACKTICK = re.compile(r"(?<=\w)`(?=\w)")
_PATTERNS = ("choose", "against", "rejecting", "abstention", "both", "offers", "ranking")
_OF_ALL_LANGUAGES = frozenset({"a", "b", "option"})
"""Words that tell no language, since the question is answered with them: "a" is Portuguese, and a label."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def normal(text: str) -> str:
    """Return a text with full-width letters made plain, and with one kind of apostrophe."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    return _BACKTICK.sub("'", text)


def languages_of(lower: str) -> list[Language]:
    """Return the languages that a text in lower case may be in; all those in Latin letters where nothing tells."""
    others = () if lower.isascii() else _in_other_letters()
    found = [each for each in others if each.script and each.script.search(lower)]
    words = set(_WORD.findall(lower)) - _OF_ALL_LANGUAGES
    known = [(len(words & each.words), each) for each in _in_latin_letters()]
    most = max(count for count, _ in known)
    if most:
        # Neighbours share words; the runner-up may be it.
        found += [each for count, each in known if count >= max(1, most - 1)]
    elif not found:
        found = list(_in_latin_letters())
    return found


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


@cache
def because_words() -> str:
    """Return an alternation of the words after which come only reasons."""
    return _alternation({word for language in languages() for word in language.because})


@cache
def relative_words() -> str:
    """Return an alternation of the words after which come only descriptions."""
    return _alternation({word for language in languages() for word in language.relative})


@cache
def describing_verbs() -> str:
    """Return an alternation of the verbs of a description of an option."""
    return _alternation({word for language in languages() for word in language.verbs})


@cache
def joining_words() -> str:
    """Return an alternation of the words for "and" and "or"."""
    return _alternation({word for language in languages() for word in language.joining})


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
        inflects=table.get("inflects", False),
        verbs=table["verbs"],
        pronouns=table["pronouns"],
        options=table["option"],
        answers=table["answer"],
        undecided=_patterns(table.get("undecided", ())),
        joining=table["joining"],
        because=table["because"],
        relative=table["relative"],
        contrast=table["contrast"],
        negation=_pattern(table["negation"]),
        refusal={reason: _patterns(patterns) for reason, patterns in table["refusal"].items()},
        hints={reason: _patterns(patterns) for reason, patterns in table["hints"].items()},
        **{key: _patterns(table[key]) for key in _PATTERNS},
    )


def _patterns(texts: Sequence[str]) -> Patterns:
    return Patterns(_pattern(text) for text in texts)


def _pattern(text: str) -> Pattern:
    lower = re.sub(r"\\.|[^\\]+", lambda part: part[0] if part[0].startswith("\\") else part[0].lower(), text)
    return Pattern(lower.replace("@", "[\ue000-\ue003]"))
