"""What a reply says in brackets, or in the words of somebody else, which is not its own choice."""

import re

from pytest_llmpref.parsing.language import MARK, PAIR, QUOTE
from pytest_llmpref.parsing.stating import ONE, Grammar

_QUOTED = re.compile(
    r"\"[^\"\n]{2,300}\"|\u201c[^\u201c\u201d\n]{2,300}\u201d|\u201e[^\u201e\u201c\u201d\n]{2,300}[\u201c\u201d]"
    r"|\u00ab[^\u00ab\u00bb\n]{2,300}\u00bb|\u300c[^\u300c\u300d\n]{2,300}\u300d|\u300e[^\u300e\u300f\n]{2,300}\u300f"
)
_BY_SOMEBODY = re.compile(r"[,.]?[ \t]*[-\u2013\u2014]{1,2}[ \t]*\w")
"""What follows a quotation that has a source: a dash and a name, on the same line."""
_SOURCE = 20
"""Characters after a quotation in which a verb of saying would begin."""
_ASIDE = re.compile(r"\([^()\n]*\)")
_BOTH = re.compile(f"{MARK}|{PAIR}")


def without_asides(sentence: str) -> str:
    """Return a sentence with blanks for what it says of options in brackets, where it names one outside them too."""
    if "(" not in sentence or not ONE.search(_ASIDE.sub("", sentence)):
        return sentence
    return _ASIDE.sub(lambda match: " " * len(match[0]) if ONE.search(match[0]) else match[0], sentence)


def without_quotations(text: str, grammar: Grammar) -> str:
    """Return a text without what is quoted in it, unless that is all. What names its source is not the speaker's."""
    whole = len(text.strip())

    def replaced(match: re.Match[str]) -> str:
        after = text[match.end() : match.end() + _SOURCE]
        if _BY_SOMEBODY.match(after) or grammar.has("attributing", after):
            return QUOTE
        return match[0] if len(match[0]) >= whole - 2 or not _BOTH.search(match[0]) else QUOTE

    return _QUOTED.sub(replaced, text)
