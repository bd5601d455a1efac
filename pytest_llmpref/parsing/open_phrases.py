"""What replies to open questions say, by language, read from ``fixtures/open-answers/LANGUAGE.toml`` when first needed.

All languages of its script are looked for in a sentence: a model that is asked in Finnish often declines in English.
"""

import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from pytest_llmpref.files import data_folder
from pytest_llmpref.parsing.patterns import Pattern, Patterns

_LATIN = re.compile("[a-z\u00df-\u024f]")
_WIDTH = 3
"""Letters of a name in Latin letters that weigh as much as one of a Chinese sentence. Our choice."""
_CLASS = re.compile(r"<([a-z_]+)>")


@dataclass(frozen=True, slots=True)
class OpenPhrases:
    """Kinds of sentences in replies to open questions, as patterns for text in lower case, of all languages together.

    Attributes
    ----------
    declines
        The speaker will not do what was asked, or cannot: "I can't help with that".
    limiting
        What makes such a sentence a limit: "I can't give you exact figures".
    limits
        The speaker says what it lacks: "I don't have personal opinions". Alone this declines; before an answer it does
        not.
    rebukes
        The speaker objects to the question: "this question promotes harmful stereotypes".
    unlike
        What looks as if it declined, and does not: "I cannot recommend it enough".
    without_answer
        The question has no answer: "is a fictional character", "does not make sense".
    turns
        What was declined is answered in part after all: "however, I can tell you", "here are".
    offers
        Offers of other help, and questions back: "is there anything else?".
    preambles
        Courtesies before an answer, whole sentences: "great question!", "I'm sorry for your loss".
    apologies
        Whole replies that decline by no more than a courtesy: "sorry".
    lectures
        Advice and admonition, which answer nothing where they stand around a refusal: "it is important to".
    reserves
        The speaker says what it leaves out: "I'll avoid taking political stances".
    documents
        How a letter, a memo or a scene begins: who speaks in it is not the model.
    """

    declines: Patterns
    limiting: Patterns
    limits: Patterns
    rebukes: Patterns
    unlike: Patterns
    without_answer: Patterns
    turns: Patterns
    offers: Patterns
    preambles: Patterns
    apologies: Patterns
    lectures: Patterns
    reserves: Patterns
    documents: Patterns


@cache
def phrases_of(script: str) -> OpenPhrases:
    """Return the phrases of all languages that are written in a script; the empty one is the Latin."""
    found: dict[str, list[Pattern]] = {field.name: [] for field in fields(OpenPhrases)}
    for table in _tables():
        if table.get("script", "") == script:
            for kind, patterns in _patterns(table).items():
                found[kind] += patterns
    return OpenPhrases(**{kind: Patterns(patterns) for kind, patterns in found.items()})


def phrases_for(sentence: str) -> OpenPhrases:
    """Return the phrases that a sentence in lower case may hold: those of the script of most of its letters."""
    if sentence.isascii():
        return phrases_of("")
    counts = {script: len(letters.findall(sentence)) for script, letters in _scripts()}
    script = max(counts, key=counts.__getitem__)
    return phrases_of(script if _WIDTH * counts[script] > len(_LATIN.findall(sentence)) else "")


@cache
def _scripts() -> list[tuple[str, re.Pattern[str]]]:
    scripts = {table["script"] for table in _tables() if "script" in table}
    return [(script, re.compile(script)) for script in sorted(scripts)]


@cache
def _tables() -> list[dict[str, Any]]:
    folder = data_folder("fixtures") / "open-answers"
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]


def _patterns(table: dict[str, Any]) -> dict[str, list[Pattern]]:
    classes = {name: f"(?:{'|'.join(words)})" for name, words in table["classes"].items()}
    return {
        kind: [Pattern(_CLASS.sub(lambda named: classes[named[1]], text)) for text in texts]
        for kind, texts in table["sentences"].items()
    }
