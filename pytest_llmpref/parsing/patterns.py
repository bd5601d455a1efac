"""Regular expressions by the hundred, of which a text meets few."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!])|\{[^}]*\}\??|[*?+]\??|.", re.DOTALL)
_IN_WORD = re.compile(r"\w\w")
_GRAM = 3
"""Letters by which patterns are looked up."""
_DEARER = 2
"""What looking for letters in a text costs, in letters of the text whose runs would be looked up instead."""


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
        return next(self.finditer(part), None)

    def sub(self, replacement: str, part: str) -> str:
        """Return a part of a text with every match replaced."""
        return self.replaced(replacement, part) if self._may_match(part) else part

    def finditer(self, part: str) -> Iterator[re.Match[str]]:
        """Yield every match in a part of a text."""
        return self.matches(part) if self._may_match(part) else iter(())

    def matches(self, part: str) -> Iterator[re.Match[str]]:
        """Yield every match in a part of a text that holds the letters.

        `re` looks at every place of a text for a pattern that begins with a boundary, and only at some for one that
        begins with letters. So a boundary at the beginning is looked for last.
        """
        if not self._bounded:
            yield from self.compiled.finditer(part)
            return
        search, start = self.compiled.search, 0
        while match := search(part, start):
            place, end = match.span()
            inside = place > 0 and _IN_WORD.match(part, place - 1)
            start = place + 1 if inside else max(end, place + 1)
            if not inside:
                yield match

    def replaced(self, replacement: str, part: str) -> str:
        """Return a part of a text that holds the letters with every match replaced."""
        if not self._bounded:
            return self.compiled.sub(replacement, part)
        pieces, done = [], 0
        for match in self.matches(part):
            pieces.append(part[done : match.start()])
            done = match.end()
        return replacement.join([*pieces, part[done:]]) if pieces else part

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
        return re.compile(self.text[2:] if self._bounded else self.text)

    @cached_property
    def _bounded(self) -> bool:
        """Whether all that it matches begins at the beginning of a word."""
        return self.text.startswith(r"\b") and _begins_with_letters(self.text[2:])


class Patterns(tuple[Pattern, ...]):
    """Patterns that say the same."""

    def found_in(self, part: str) -> bool:
        """Whether any of them matches somewhere in a part of a text."""
        for pattern in self._possible(part):  # noqa: SIM110 - any() would take half as long again
            if next(pattern.matches(part), None):
                return True
        return False

    def sub(self, replacement: str, part: str) -> str:
        """Return a part of a text with every match of each, one pattern after another, replaced."""
        possible = set(self._possible(part))
        for pattern in self if possible else ():
            if pattern in possible:
                part = pattern.replaced(replacement, part)
        return part

    def finditer(self, part: str) -> Iterator[re.Match[str]]:
        """Yield every match of each that may match, one pattern after another."""
        for pattern in self._possible(part):
            yield from pattern.matches(part)

    def _possible(self, part: str) -> Iterable[Pattern]:
        """Return the patterns that may match in a part of a text."""
        if len(self._by_letters) * _DEARER < len(part):
            return dict.fromkeys(pattern for letters, pattern in self._by_letters if letters in part)
        found = [pattern for letters, pattern in self._by_few if letters in part]
        for gram in _grams(part) & self._by_gram.keys():
            found += [pattern for letters, pattern in self._by_gram[gram] if letters in part]
        return dict.fromkeys(found) if len(found) > 1 else found

    @cached_property
    def _by_letters(self) -> list[tuple[str, Pattern]]:
        return [(letters, pattern) for pattern in self for letters in pattern.letters]

    @cached_property
    def _by_gram(self) -> dict[str, list[tuple[str, Pattern]]]:
        """The last `_GRAM` letters of each run -> letters, pattern."""
        found: dict[str, list[tuple[str, Pattern]]] = {}
        for letters, pattern in self._by_letters:
            if len(letters) >= _GRAM:
                found.setdefault(letters[-_GRAM:], []).append((letters, pattern))
        return found

    @cached_property
    def _by_few(self) -> list[tuple[str, Pattern]]:
        """Runs of fewer letters, and none for patterns of which nothing is sure."""
        return [(letters, pattern) for letters, pattern in self._by_letters if len(letters) < _GRAM]


@lru_cache(maxsize=256)
def _grams(part: str) -> frozenset[str]:
    """Return all runs of `_GRAM` letters in a text."""
    return frozenset(part[start : start + _GRAM] for start in range(len(part) - _GRAM + 1))


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


def _begins_with_letters(text: str) -> bool:
    """Whether a pattern is one sequence, and begins with letters in each of its branches."""
    depth, begins = 0, True
    for piece in _TOKEN.findall(text):
        if piece == "|" and not depth:
            return False
        if begins and not (piece == "(?:" or (len(piece) == 1 and piece.isalpha())):
            return False
        depth += (piece[0] == "(") - (piece == ")")
        begins = piece == "(?:" if begins else False
    return True


def _shortest(letters: tuple[str, ...]) -> int:
    return min(map(len, letters), default=0)
