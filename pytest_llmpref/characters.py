"""Characters of foreign text: those that cannot be seen, and those that must not speak to a terminal or to the CI.

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

Foreign are names of models, entities, profiles and files, replies, and what results files and cassettes hold. Escaping
twice changes nothing, so a text is escaped where it is laid out, and the finished lines once more.
"""

import re
import unicodedata
from functools import cache
from itertools import chain
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


# Bidirectional overrides turn what is read; invisible ones hide in names. Not the joiners U+200C and U+200D, which
# names in Persian or Malayalam need, and emoji.
_INVISIBLE = chain(
    (0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF),
    range(0x2028, 0x202F),
    range(0x2060, 0x2070),
    range(0xFFF9, 0xFFFC),
)
_CONTROLS = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff{''.join(map(chr, _INVISIBLE))}]")
# GitHub trims a line, and takes it as a command if it begins with "::"; any text may be wrapped into a new line. It
# takes "##[" anywhere, Azure "##vso[", TeamCity "##teamcity[".
_COMMAND = re.compile(r"(?:(?<=\s)|^):(?=:)|(?<=#)#(?=(?:vso|teamcity)?\[)")
_MARKUP = re.compile(r"[\\`*_\[\]<>#|~&$@!]|:(?=:|//)|(?<=\bwww)\.")


def clipped(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters; an ellipsis stands for what is cut off.

    Examples
    --------
    >>> clipped("a long name", 7)
    'a long\u2026'
    """
    return text if len(text) <= longest else f"{text[: max(longest - 1, 0)]}\u2026"


def on_one_line(text: str) -> str:
    r"""Return text for a terminal, on one line: control characters and marks of direction as ``\x1b`` or ``\u202e``.

    What would be a command to a CI service begins with ``\x3a`` or ``\x23``.
    """
    return _COMMAND.sub(_code, _CONTROLS.sub(_code, text))


def on_lines(text: str) -> str:
    """Return text for a terminal whose line breaks are ours; the rest as `on_one_line`."""
    return "\n".join(map(on_one_line, text.split("\n")))


def in_markdown(text: str) -> str:
    """Return text as Markdown that shows it as it is, on one line, without links, mentions or HTML."""
    return _MARKUP.sub(r"\\\g<0>", _CONTROLS.sub(_code, " ".join(text.split())))


def in_code(text: str) -> str:
    """Return text for a code span of Markdown, where a backslash is one, on one line."""
    return on_one_line(" ".join(text.split())).replace("`", "'")


def in_json(text: str) -> str:
    """Return a JSON text that reads the same, and that is safe to print."""
    return _COMMAND.sub(_json_code, _CONTROLS.sub(_json_code, text))


def _code(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _json_code(found: re.Match[str]) -> str:
    # Between its strings, JSON has no such characters but line breaks.
    return found.group() if found.group() == "\n" else f"\\u{ord(found.group()):04x}"


def whole_text(text: str) -> str:
    r"""Return a text with each half of a character replaced by U+FFFD; halves that belong together become whole.

    JSON can hold half a character (a lone surrogate, such as ``\ud800``). No file, log or command can.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
