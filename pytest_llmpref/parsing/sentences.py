"""Divide a text into sentences and clauses, and know the small words of the languages that it may be in."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from pytest_llmpref.parsing.language import ANSWER, FOIL, LATIN, MARK, TITLE, Language, alternation
from pytest_llmpref.parsing.options import OF
from pytest_llmpref.parsing.patterns import Pattern, Union

BOUNDARY = re.compile(
    r"[,;:()\u2014\u2013\u3001\u060c\u3010\u3011|]|\.{2,}|[!?.\u3002\u061f\u2192](?=\s|\Z)|-(?<=\s-)[->]*\s|=>"
)
"""Where a clause ends."""
_END = re.compile(
    r"[!?\u3002\u061f\u0964](?![!?.\"'\u300d\u300f)])|\.(?=[\s\"')_\]\u00bb\u201d\u300d])(?<!\.\.)(?<!\be\.g\.)"
    r"|(?![\U0001f947-\U0001f949])[\U0001f300-\U0001faff\u2600-\u2704\u270a-\u2712](?=\s)"
)
"""Where a sentence ends."""
_ENDED = re.compile(r"[.!?\u2026\u3002\u061f\u0964~][\"')*_\]\u00bb\u201d\u300d\s]*\Z")
_SAYS = re.compile(r"[^\W_]|[\ue000-\ue005]")
_APART = r"[^\w\ue000-\ue005]"
_QUESTION = re.compile(r"[?\u061f][^\w\ue000-\ue005]*\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence.

    Attributes
    ----------
    text
        Its text.
    heading
        Whether it is a line of its own that no full stop ends.
    title
        Whether it is marked as the title of a section.
    """

    text: str
    heading: bool
    title: bool = False

    @property
    def asks(self) -> bool:
        """Whether it ends in a question mark."""
        return _QUESTION.search(self.text) is not None


def sentences_of(text: str) -> list[Sentence]:
    """Divide a text into sentences, none of them empty."""
    found = []
    for line in text.split("\n"):
        title, done = line.startswith(TITLE), len(TITLE) if line.startswith(TITLE) else 0
        parts = []
        for end in _END.finditer(line, done):
            if not _SAYS.search(line, done, end.start()) and end[0] not in ".!?\u3002\u061f\u0964":
                # A picture before the words, such as a medal.
                continue
            parts.append(line[done : end.end()].strip())
            done = end.end()
        parts = [part for part in (*parts, line[done:].strip()) if part]
        if len(parts) == 1:
            found.append(Sentence(parts[0], not _ENDED.search(parts[0]), title))
        else:
            found += [Sentence(part, heading=False) for part in parts]
    return found


def ends_finished(text: str) -> bool:
    """Whether a text ends where a sentence does."""
    return _ENDED.search(text[-20:]) is not None


def found_in(table: str, part: str, spoken: tuple[Language, ...]) -> bool:
    """Whether one of the languages finds a phrase of a table in a part of a text."""
    for language in spoken:  # noqa: SIM110 - any() would take half as long again
        if getattr(language, table).found_in(part):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Words:
    """Patterns over the small words of all languages that a reply may be in.

    Attributes
    ----------
    pairs
        Both options in one breath.
    plain, fillers
        Words that say nothing beside an option; and a pattern of these, of phrases, and of what stands for the other
        option.
    described
        A verb that makes the option before it the subject of a description.
    contrast, because
        Where a sentence turns, and where its reasons begin.
    certain
        Negations that affirm.
    answer
        A word for an answer, and the option that it leads to.
    answer_word
        A word for an answer.
    """

    pairs: Union
    plain: frozenset[str]
    fillers: Union
    described: Union
    contrast: Union
    because: Union
    certain: Union
    answer: Union
    answer_word: Union


@lru_cache(maxsize=256)
def words_of(spoken: tuple[Language, ...]) -> Words:
    """Return the patterns over the small words of some languages."""
    each = [_patterns_of(language) for language in spoken]
    return Words(
        plain=frozenset(word for language in spoken for word in language.plain),
        fillers=Union([*(language.fillers for language in spoken), *(patterns["nothing"] for patterns in each)]),
        because=Union(language.because for language in spoken),
        certain=Union(language.certain for language in spoken),
        **{key: Union(patterns[key] for patterns in each) for key in each[0] if key != "nothing"},
    )


@cache
def _patterns_of(language: Language) -> dict[str, Pattern]:
    """Return the patterns over the small words of one language."""
    joined = rf"\s*(?:[/|&+]|,?\s*(?:{alternation(language.joining)}|vs\.?|versus)(?![{LATIN}]))\s*"
    word = rf"(?:{alternation(language.answers)}|{ANSWER})(?![{LATIN}])"
    patterns = {
        "pairs": rf"{OF['A']}{joined}{OF['B']}|{OF['B']}{joined}{OF['A']}",
        "nothing": rf"(?<![{LATIN}]){word}|{FOIL}",
        "described": rf"\s*(?:'s(?![{LATIN}])|{language.described.text})",
        "contrast": rf";|{language.contrast.text}",
        # "Answer: B", "the answer is B" and, at the start, "answer B"; yet not "he would pick B".
        "answer": rf"(?<![{LATIN}]){word}{_APART}{{0,3}}"
        rf"(?:[:=(\u2014\u2013\u2192\u3011-]|(?:{language.copula.text}){_APART}){_APART}{{0,3}}{MARK}"
        rf"|^{_APART}*{word} ?{MARK}",
        "answer_word": rf"(?<![{LATIN}]){word}",
    }
    return {key: Pattern(text) for key, text in patterns.items()}
