"""Shows foreign text as it is: what a file or a provider says must not speak to the terminal, nor to the CI.

Foreign are names of models, entities, profiles and files, replies, and what results files and cassettes hold. Escaping
twice changes nothing, so a text is escaped where it is laid out, and the finished lines once more.
"""

import re
from itertools import chain

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
