"""Characters that cannot be seen, and where they belong to a name: joiners, word boundaries, and the tags of flags.

A zero-width joiner (ZWJ) or non-joiner (ZWNJ) changes how its neighbours are drawn in some scripts, and does nothing
elsewhere. It is accepted where Unicode gives it a meaning, and is stray, as in a text copied from a web page, anywhere
else:

- ZWNJ and ZWJ after a virama, and ZWNJ between letters that would join: contexts A1, A2 and B of UAX #31, "Unicode
  Identifiers and Syntax", section 2.3, as RFC 5892 (appendices A.1 and A.2) states them for words that may end there.
- ZWJ after a letter of a script that is cursive or forms conjuncts, whose joining form it asks for: The Unicode
  Standard, section 23.2, "Cursive Connection and Ligatures".
- ZWJ between emoji, and tags in the flag of a region: UTS #51, "Unicode Emoji", definitions ED-14a and ED-16.
- Zero-width space between letters of a script that is written without spaces (Khmer, Lao, Myanmar, Thai, ...), where it
  marks the boundary of words: The Unicode Standard, section 23.2; line breaking class SA of UAX #14.
"""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

# Controls, formats (bidirectional overrides, zero-width characters), surrogates, line and paragraph separators. Some
# formats belong where they are.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Unicode counts these as letters, marks or symbols, yet they are drawn as nothing.
_UNSEEN_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
DROPPED = dict.fromkeys(map(ord, "\u200b\u200c\u200d"))
"""For ``str.translate``: what two names are compared without (UAX #31 advises it), since readers cannot see it."""
_SCRIPTS = ("Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh")
_CONJUNCT = "".join(rf"\p{{Script={name}}}" for name in _SCRIPTS)
_PICTURE = r"\p{Extended_Pictographic}"
_MEANINGFUL = rf"""
    (?<=\p{{ccc=9}}) [\u200c\u200d]
  | (?<=[\p{{Jt=L}}\p{{Jt=D}}] \p{{Jt=T}}*) \u200c (?=\p{{Jt=T}}* [\p{{Jt=R}}\p{{Jt=D}}])
  | (?<=[\p{{Jt=L}}\p{{Jt=D}}] \p{{Mn}}*) \u200d
  | (?<=[\p{{L}}\p{{M}}&&[{_CONJUNCT}]]) \u200d
  | (?<={_PICTURE} [\ufe0f\p{{Emoji_Modifier}}]?) \u200d (?={_PICTURE})
  | (?<=\U0001f3f4) [\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,6}} \U000e007f
  | (?<=\p{{Line_Break=SA}}) \u200b (?=\p{{Line_Break=SA}})
"""


def unseen_problem(text: str) -> str:
    """Name the first character that a reader of the file would not see, and that does not belong there; or nothing."""
    unseen = [
        place
        for place, character in enumerate(text)
        if unicodedata.category(character) in _UNSEEN_CATEGORIES or character in _UNSEEN_CHARACTERS
    ]
    stray = sorted({*unseen} - meaningful(text)) if unseen else []
    if not stray:
        return ""
    place = stray[0]
    title = unicodedata.name(text[place], "control character")
    return f"character {place + 1} is U+{ord(text[place]):04X} ({title}), which cannot be seen; delete it"


def meaningful(text: str) -> set[int]:
    """Return the places, from 0, of characters that cannot be seen and yet belong where they are."""
    return {place for found in _pattern().finditer(text) for place in range(*found.span())}


@cache
def _pattern() -> "regex.Pattern[str]":
    import regex  # noqa: PLC0415 - it knows Unicode's properties; few names need it, and most sets load without

    return regex.compile(_MEANINGFUL, regex.VERBOSE | regex.VERSION1)
