"""Regular expressions by the hundred, of which a text meets few."""

import re
from collections.abc import Iterator
from functools import cached_property

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!])|\{[^}]*\}\??|[*?+]\??|.", re.DOTALL)


class Pattern:
    """A pattern that is compiled when a text first holds letters without which nothing can match.

    Compiling takes a thousand times as long as looking for these letters, and matching ten times.

    Parameters
    ----------
    text
        The regular expression, for texts in lower case, in which case does not count.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def search(self, part: str) -> re.Match[str] | None:
        """Return the first match in a part of a text."""
        return self.compiled.search(part) if self._may_match(part) else None

    def sub(self, replacement: str, part: str) -> str:
        """Return a part of a text with every match replaced."""
        return self.compiled.sub(replacement, part) if self._may_match(part) else part

    def _may_match(self, part: str) -> bool:
        for letters in self.letters:  # noqa: SIM110 - any() would take half as long again
            if letters in part:
                return True
        return False

    @cached_property
    def letters(self) -> tuple[str, ...]:
        """Runs of letters of which every match contains at least one; the empty one where none is sure."""
        return required_letters(self.text) or ("",)

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern as `re` knows it."""
        return re.compile(self.text)


class Patterns(tuple[Pattern, ...]):
    """Patterns that say the same."""

    def found_in(self, part: str) -> bool:
        """Whether any of them matches somewhere in a part of a text."""
        for letters, pattern in self._by_letters:  # noqa: SIM110
            if letters in part and pattern.compiled.search(part):
                return True
        return False

    def sub(self, replacement: str, part: str) -> str:
        """Return a part of a text with every match of each, one pattern after another, replaced."""
        for pattern in self:
            part = pattern.sub(replacement, part)
        return part

    @cached_property
    def _by_letters(self) -> list[tuple[str, Pattern]]:
        # Flat, since few texts hold any: a loop over these is most of what reading costs.
        return [(letters, pattern) for pattern in self for letters in pattern.letters]


def required_letters(text: str) -> tuple[str, ...]:
    """Return runs of letters of which every match of a pattern contains at least one; none where that is not sure."""
    return _required(iter(_TOKEN.findall(text)))


def _required(pieces: Iterator[str]) -> tuple[str, ...]:
    """Read a pattern, or a group up to its end: each of its branches by the part that is longest."""
    branches = list[list[tuple[str, ...]]]([[]])
    run = False
    for piece in pieces:
        parts, was_run, run = branches[-1], run, False
        if piece == ")":
            break
        if piece == "|":
            branches.append([])
        elif piece.startswith("("):
            inner = _required(pieces)
            parts.append(() if piece[-1] in "=!" else inner)
        elif piece[0] in "*?{" and parts:
            parts[-1] = (parts[-1][0][:-1],) if was_run else ()
        elif len(piece) > 1 or piece in ".^$+":
            # What was said before a "+" stays; all else may match different texts.
            parts += [] if piece[0] == "+" else [()]
        else:
            run = True
            if was_run:
                parts[-1] = (parts[-1][0] + piece,)
            else:
                parts.append((piece,))
    best = [max(parts, key=_shortest, default=()) for parts in branches]
    return tuple(letters for found in best for letters in found) if all(map(_shortest, best)) else ()


def _shortest(letters: tuple[str, ...]) -> int:
    return min(map(len, letters), default=0)
