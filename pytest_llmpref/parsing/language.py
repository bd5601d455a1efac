"""The words and phrases of each language by which replies are read, from ``fixtures/phrases/LANGUAGE.toml``."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pytest_llmpref.files import data_folder
from pytest_llmpref.parsing.patterns import Pattern, Patterns, share_index

LATIN = "A-Za-z0-9_\u00c0-\u024f\u0400-\u04ff"
"""Letters, as in a class of a regular expression, of scripts that write words apart."""
MARK = "[\ue000-\ue005]"
"""An option in a marked text, see `options`."""
FOIL = "\ue010"
"""An option that is mentioned only as the other one: "rather than B"."""
PAIR = "\ue011"
"""Both options in one breath: "A or B"."""
QUOTE = "\ue012"
"""Words in quotation marks."""
ANSWER = "\ue013"
"""What stands before a marked answer: a box, a tag, a field of JSON."""
TITLE = "\ue014"
"""What stands before the title of a section."""


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """What replies say in one language.

    Patterns are regular expressions for text in lower case; ``'`` stands for any apostrophe, ``{name}`` for a part
    that the file defines in its table ``parts`` (a list stands for any of its items), ``@`` for an option, by label,
    name or position, and ``~`` for the other one. Whatever holds for one option holds for the other: no pattern knows
    which is which.

    Attributes
    ----------
    words
        Frequent words, by which a text in Latin letters is recognised.
    script
        Letters by which any other text is recognised; ``None`` for a language in Latin letters.
    inflects
        Whether names take the endings of a case.
    articles
        Words before an option that say nothing.
    after_label
        Words that follow a label at the start of a sentence, where "A" may be a word too.
    options, answers
        Words that stand before a label: "option", "answer".
    joining
        Words for "and" and "or".
    positions
        Patterns of the option that was shown first, and of the second: "the former".
    other_one
        Patterns of the option that was not mentioned, where one was: "the other one".
    aspects
        Patterns after an option that stand for it: "'s mission".
    advising
        Words of those who give an opinion or recommend, by which it is told what somebody will not do.
    restated, simpler
        Patterns, and what says the same as each in simpler words; ``@`` there is their last option. Of a pattern with
        a group, only that is replaced. "I can't see anybody choose anything but @" -> "I choose @"; "tell your friend"
        -> "tell you".
    asking
        Words that ask for more than yes or no: "which"; none where every question may.
    misspelt
        How noisy models write a word -> how the phrases do.
    frames
        Patterns of a statement in which the speaker chooses; the first option in it is chosen: "I'd choose @".
    comparing
        Patterns of a statement about an option that chooses it too, unless the speaker says otherwise: "@ is better".
    anaphors
        Patterns of a statement that chooses what was named just before: "that's my pick".
    inverse
        Patterns of a statement in which the last option is chosen: "~ is no match for @".
    leads
        Patterns of a lead that asks for a choice, before a colon or a question mark: "I'd choose".
    foils
        Patterns of an option that is mentioned only as the other one: "rather than @".
    fillers, plain
        Patterns that say nothing beside an option: "definitely", "I guess"; and those of them that are plain words.
    described
        Words right after an option that make it the subject of a description: "is", "has".
    negation
        Patterns of a clause that says no.
    rejecting
        Patterns of a clause that speaks against an option.
    against
        Patterns of what in a frame is against its option, where the verb of the frame may be any: "I'd detest".
    attributing
        Patterns of what follows a quotation and names its source: "says".
    conditions
        Patterns under which a sentence chooses for somebody only: "if you value".
    dividing
        Patterns that give each option a purpose, an audience or a time of its own, the one first and the other last:
        "@ for cost; @ for reach".
    reported
        Patterns of what others say: "some would say".
    speaker
        Patterns of the speaker: "I", "my".
    limits
        Patterns of a respect to which a comparison is limited: "financially", "in some ways".
    explaining
        Patterns of what follows a name that is chosen, where it would describe it else: "more", "better".
    revising
        Patterns that take back what was said: "no, wait".
    liking
        Patterns in which the speaker likes an option, or it comes to mind: "I have a soft spot for @". That chooses it
        unless the other option is named after it.
    withdrawing
        Patterns that take back a choice as such: "but I can't choose".
    overruling
        Patterns of an order to choose, at the beginning of what stands after a contrast, which replaces a choice of the
        other option before it: "for this gift choose @".
    unsettling
        Patterns of an order there that leaves open what is chosen: "for speed choose @".
    embedding
        Patterns of a clause whose subordinate clause is not said: "I won't tell you that".
    guessing
        Patterns of an answer that a question mark only hedges: "A, I guess?".
    certain
        Patterns of a negation that affirms: "without a doubt".
    copula
        Words between "answer" and the option: "is", "would be".
    contrast
        Patterns after which comes what counts: "but", "therefore".
    consequence
        Those of them that turn against nothing: "therefore".
    turning
        Pattern of a beginning that sums up: "overall".
    because
        Words after which come only reasons or descriptions: "since", "which".
    yes, no
        Patterns of answers to a yes/no question.
    affirming, denying
        Patterns that say yes or no of something: "I'd recommend it".
    follows
        Words that may follow yes or no without a comma: "no it is not", yet not "no one".
    stating
        Patterns that lead to yes or no: "I'd say".
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
    worst_first
        Patterns that say that a ranking begins with its last place: "from worst to best".
    unordered
        Patterns that say that a list is no ranking: "in alphabetical order".
    refusal
        Reason -> patterns of replies that decline for it.
    hints
        Reason -> patterns that tell the reason of a reply that declines, and do not decline themselves.
    """

    name: str
    words: frozenset[str]
    script: re.Pattern[str] | None
    inflects: bool
    articles: Sequence[str]
    after_label: Sequence[str]
    options: Sequence[str]
    answers: Sequence[str]
    joining: Sequence[str]
    positions: tuple[Patterns, Patterns]
    other_one: Patterns
    advising: Patterns
    restated: Patterns
    simpler: Mapping[str, str]
    aspects: Patterns
    asking: Patterns
    misspelt: Mapping[str, str]
    frames: Patterns
    comparing: Patterns
    anaphors: Patterns
    inverse: Patterns
    leads: Patterns
    foils: Patterns
    fillers: Pattern
    plain: frozenset[str]
    described: Pattern
    negation: Patterns
    rejecting: Patterns
    against: Patterns
    attributing: Patterns
    conditions: Patterns
    dividing: Patterns
    reported: Patterns
    speaker: Patterns
    limits: Patterns
    explaining: Patterns
    revising: Patterns
    liking: Patterns
    withdrawing: Patterns
    overruling: Patterns
    unsettling: Patterns
    embedding: Patterns
    guessing: Patterns
    certain: Pattern
    copula: Pattern
    contrast: Pattern
    consequence: Pattern
    turning: Pattern
    because: Pattern
    yes: Pattern
    no: Pattern
    affirming: Patterns
    denying: Patterns
    follows: Pattern
    stating: Pattern
    abstention: Patterns
    undecided: Patterns
    both: Patterns
    offers: Patterns
    ranking: Patterns
    worst_first: Patterns
    unordered: Patterns
    refusal: Mapping[str, Patterns]
    hints: Mapping[str, Patterns]


_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_BACKTICK = re.compile(r"(?<=\w)`(?=\w)")
_SWAPPED = 5
"""Letters of a word from which on two neighbours may be swapped, and it is still none but that word."""
_LISTS = ("abstention", "undecided", "both", "offers", "ranking", "worst_first", "unordered")
_GRAMMAR = (
    "frames", "comparing", "anaphors", "inverse", "leads", "foils", "limits", "negation", "rejecting", "conditions",
    "reported", "embedding", "guessing", "revising", "withdrawing", "liking", "explaining", "speaker", "affirming",
    "denying", "other_one", "advising", "aspects", "asking", "against", "attributing", "dividing", "overruling",
    "unsettling",
)  # fmt: skip
_WORDS = ("fillers", "described", "copula", "certain", "contrast", "consequence", "because", "yes", "no", "follows")
"""Tables whose phrases begin and end where a word does."""
_OF_ALL_LANGUAGES = frozenset({"a", "b", "option", "um"})
"""Words that tell no language, since the question is answered with them: "a" is Portuguese, and a label."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_PART = re.compile(r"\{([a-z]\w*)\}")
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_APART = r"[^\w\ue000-\ue005]"
"""No letter, and no option either: what ``\\W`` stands for in a phrase."""
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_TELLING = 600
"""Characters of a text that tell its language."""
_FEW = 5
"""Known words from which on a runner-up must come nearer, in proportion, to be taken for the language."""


def normal(text: str) -> str:
    """Return a text with full-width letters made plain, and with one kind of apostrophe."""
    if not text.isascii():
        # NFKC would make a blank and an accent of an acute that stands for an apostrophe.
        text = unicodedata.normalize("NFKC", text.replace("\u00b4", "'")).translate(_APOSTROPHES)
    return _BACKTICK.sub("'", text) if "`" in text else text


@lru_cache(maxsize=16384)
def languages_of(lower: str) -> tuple[Language, ...]:
    """Return the languages that a text in lower case may be in; all those in Latin letters where nothing tells."""
    others = () if lower.isascii() else _in_other_letters()
    found = [each for each in others if each.script and each.script.search(lower)]
    if len(found) > 1 and _KANA.search(lower):
        found = [each for each in found if each.name != "zh"]
    known, most = _known_in(lower[:_TELLING])
    if most < _FEW and len(lower) > _TELLING:
        # A start that repeats itself tells little, and a choice may stand at the end.
        known, most = _known_in(f"{lower[:_TELLING]} {lower[-_TELLING:]}")
    if most and not (found and most == 1):
        # Neighbours share words; the runner-up may be it.
        least = max(1, most - 1) if most < _FEW else 0.7 * most
        found += [each for count, each in known if count >= least]
    elif not found:
        found = list(_in_latin_letters())
    return tuple(found)


@cache
def languages() -> tuple[Language, ...]:
    """Read all languages."""
    return tuple(_read(path) for path in sorted((data_folder("fixtures") / "phrases").glob("*.toml")))


def alternation(words: Iterable[str]) -> str:
    """Return an alternation of words as they stand, the longest first."""
    return "|".join(sorted(map(re.escape, set(words)), key=lambda word: (-len(word), word)))


def _known_in(lower: str) -> tuple[list[tuple[int, Language]], int]:
    """Return how many words of each language in Latin letters are in a text, and the most of these counts."""
    words = set(_WORD.findall(lower)) - _OF_ALL_LANGUAGES
    known = [(len(words & each.words), each) for each in _in_latin_letters()]
    return known, max(count for count, _ in known)


@cache
def _in_latin_letters() -> tuple[Language, ...]:
    return tuple(language for language in languages() if language.script is None)


@cache
def _in_other_letters() -> tuple[Language, ...]:
    return tuple(language for language in languages() if language.script is not None)


def _read(path: Path) -> Language:
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    parts = {
        name: part if isinstance(part, str) else f"(?:{'|'.join(part)})"
        for name, part in table.get("parts", {}).items()
    }
    script = table.get("script")
    grammar: dict[str, Any] = {
        key: Patterns(Pattern(_phrase(text, parts)) for text in table.get(key, ())) for key in _GRAMMAR
    }
    words: dict[str, Any] = {
        key: _any_of([_phrase(text, parts) for text in table.get(key, ())], whole=True) for key in _WORDS
    }
    others: dict[str, Any] = {
        key: _any_of([_phrase(text, parts) for text in table.get(key, ())]) for key in ("stating", "turning")
    }
    lists: dict[str, Any] = {key: _patterns(table.get(key, ())) for key in _LISTS}
    refusal = {reason: _patterns(patterns) for reason, patterns in table["refusal"].items()}
    simpler = {_phrase(text, parts): plain for text, plain in table.get("restated", ())}
    share_index(grammar.values())
    share_index([*lists.values(), *refusal.values()])
    return Language(
        name=path.stem,
        words=frozenset((*table.get("words", ()), *table["answer"], *table["option"])),
        script=re.compile(script) if script else None,
        inflects=table.get("inflects", False),
        plain=frozenset(word for word in table["fillers"] if word.isalpha()),
        articles=table.get("articles", ()),
        after_label=table.get("after_label", ()),
        options=table["option"],
        answers=table["answer"],
        joining=table["joining"],
        positions=(Patterns(map(Pattern, table["first"])), Patterns(map(Pattern, table["second"]))),
        restated=Patterns(map(Pattern, simpler)),
        simpler=simpler,
        misspelt=_misspelt(table.get("misspelt", {})),
        refusal=refusal,
        hints={reason: _patterns(patterns) for reason, patterns in table["hints"].items()},
        **lists,
        **grammar,
        **words,
        **others,
    )


def _misspelt(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return wrong spellings with the right one; also those in which two neighbours within a word are swapped."""
    found = {wrong: right for right, wrongs in table.items() for wrong in wrongs}
    for right in table:
        for place in range(1, len(right) - 1) if len(right) >= _SWAPPED else ():
            swapped = f"{right[:place]}{right[place + 1]}{right[place]}{right[place + 2 :]}"
            found.setdefault(swapped, right)
    return {wrong: right for wrong, right in found.items() if wrong not in table}


def _phrase(text: str, parts: Mapping[str, str]) -> str:
    """Return the regular expression that a phrase stands for."""
    while _PART.search(text):
        text = _PART.sub(lambda match: parts[match[1]], text)
    text = _TOKEN.sub(lambda match: _APART if match[0] == r"\W" else match[0], text.replace(r"[\s\W]", r"\W"))
    text = text.replace("@", MARK).replace("~", f"(?:{MARK}|{FOIL})")
    # Letters are found in a pattern (see `Pattern.letters`) only where they are written as such.
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2] or match[3], 16)), text)


def _any_of(texts: Sequence[str], *, whole: bool = False) -> Pattern:
    """Return the pattern of any of several phrases, the longer ones first where they are words."""
    texts = sorted(texts, key=len, reverse=True) if whole else texts
    joined = "|".join(texts) or "(?!)"
    return Pattern(rf"(?<![{LATIN}])(?:{joined})(?![{LATIN}])" if whole else joined)


def _patterns(texts: Sequence[str]) -> Patterns:
    return Patterns(Pattern(_lowered(text).replace("@", MARK)) for text in texts)


def _lowered(text: str) -> str:
    """Return a pattern for texts in lower case; its escapes stay."""
    return re.sub(r"\\.|[^\\]+", lambda part: part[0] if part[0].startswith("\\") else part[0].lower(), text)
