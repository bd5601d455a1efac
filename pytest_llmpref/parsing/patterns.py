"""Regular expressions by the hundred, of which a text meets few."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache

_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!]|P<\w+>|P=\w+\))|\{[^}]*\}\??|[*?+]\??"
    r"|[^\\\[(){}|*?+.^$]+(?![*?+{])|.",
    re.DOTALL,
)
_MARKS = re.compile("\\[([\ue000-\uf8ff])-([\ue000-\uf8ff])\\]")
"""A class of letters for private use, which a text holds as rarely as a word."""
_IN_WORD = re.compile(r"\w\w")
_GRAM = 3
"""Letters by which runs are looked up."""
_FEW = 32
"""Runs up to which each is looked for by itself."""

Condition = tuple[str, ...]
"""Runs of letters of which every match of a pattern contains at least one."""


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
        return self.replaced(replacement, part) if self.may_match(part) else part

    def finditer(self, part: str) -> Iterator[re.Match[str]]:
        """Yield every match in a part of a text."""
        return self.matches(part) if self.may_match(part) else iter(())

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
            start = place + 1 if inside else end
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

    def may_match(self, part: str) -> bool:
        """Whether a part of a text holds letters of each condition."""
        for condition in self.conditions:
            for letters in condition:
                if letters in part:
                    break
            else:
                return False
        return True

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """What every match contains, the rarest first; short runs tell little, and only where nothing else does."""
        rarest, *others = sorted(conditions_of(self.text), key=_rarity) or [()]
        return (rarest, *(each for each in others if _tells(each))) if rarest else ()

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern as `re` knows it."""
        return re.compile(self.text[2:] if self._bounded else self.text)

    @cached_property
    def _bounded(self) -> bool:
        """Whether all that it matches begins at the beginning of a word."""
        return self.text.startswith(r"\b") and _begins_with_letters(self.text[2:])


class Union:
    """Patterns that together match as one alternation of them would, each of them compiled by itself.

    Texts come in many sets of languages, and an alternation for each set would have to be compiled.

    Parameters
    ----------
    patterns
        The patterns, none of which begins with a boundary, or matches where there is nothing.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self._possible = lru_cache(maxsize=64)(self._possible_in)

    def match(self, part: str, place: int = 0) -> re.Match[str] | None:
        """Return what the first pattern that matches at a place of a text matches there."""
        for pattern in self._possible(part):
            if found := pattern.compiled.match(part, place):
                return found
        return None

    def fullmatch(self, part: str) -> re.Match[str] | None:
        """Return the match of a whole part of a text."""
        return next((found for each in self.patterns if (found := each.compiled.fullmatch(part))), None)

    def search(self, part: str) -> re.Match[str] | None:
        """Return the first match in a part of a text."""
        return next(self.finditer(part), None)

    def finditer(self, part: str) -> Iterator[re.Match[str]]:
        """Yield every match in a part of a text, none of which overlaps with another."""
        possible = [pattern.compiled for pattern in self._possible(part)]
        if len(possible) == 1:
            yield from possible[0].finditer(part)
            return
        place = 0
        while found := [match for pattern in possible if (match := pattern.search(part, place))]:
            first = min(found, key=re.Match.start)
            yield first
            place = first.end()

    def sub(self, replacement: str, part: str) -> str:
        """Return a part of a text with every match replaced."""
        pieces, done = [], 0
        for match in self.finditer(part):
            pieces.append(part[done : match.start()])
            done = match.end()
        return replacement.join([*pieces, part[done:]]) if pieces else part

    def _possible_in(self, part: str) -> list[Pattern]:
        """Return the patterns that may match in a part of a text, which is asked of at many places."""
        return [pattern for pattern in self.patterns if pattern.may_match(part)]


class Patterns(tuple[Pattern, ...]):
    """Patterns that say the same."""

    def found_in(self, part: str) -> bool:
        """Whether any of them matches somewhere in a part of a text."""
        for pattern in self.possible(part):  # noqa: SIM110 - any() would take half as long again
            if next(pattern.matches(part), None):
                return True
        return False

    def sub(self, replacement: str, part: str) -> str:
        """Return a part of a text with every match of each, one pattern after another, replaced."""
        for pattern in self.possible(part):
            part = pattern.replaced(replacement, part)
        return part

    def finditer(self, part: str) -> Iterator[re.Match[str]]:
        """Yield every match of each that may match, one pattern after another."""
        for pattern in self.possible(part):
            yield from pattern.matches(part)

    def possible(self, part: str) -> Sequence[Pattern]:
        """Return the patterns that may match in a part of a text, in their order."""
        if self._few:
            return [pattern for pattern in self if pattern.may_match(part)]
        return self.lookup.possible(part).get(id(self), ())

    @cached_property
    def _few(self) -> bool:
        """Whether looking for all their letters is less work than looking a text up."""
        return sum(len(pattern.conditions[0]) if pattern.conditions else 1 for pattern in self) <= _FEW

    @cached_property
    def lookup(self) -> "Index":
        """Where they are looked up; tables that read the same texts share one (see `share_index`)."""
        return Index([self])


def share_index(tables: Iterable[Patterns]) -> None:
    """Look up the patterns of several tables together: each text is looked through once for all of them."""
    tables = list(tables)
    index = Index(tables)
    for table in tables:
        table.lookup = index


class Index:
    """The patterns of several tables by the letters without which none of them matches.

    Parameters
    ----------
    tables
        The tables, each of which is known by its identity.
    """

    def __init__(self, tables: Sequence[Patterns]) -> None:
        self.tables = tables
        self.possible = lru_cache(maxsize=256)(self._possible)

    def _possible(self, part: str) -> dict[int, list[Pattern]]:
        """Return the patterns that may match in a part of a text, by the identity of their table."""
        met = set[int]()
        for letters, conditions in self._by_few:
            if letters in part:
                met.update(conditions)
        grams = {part[start : start + _GRAM] for start in range(len(part) - _GRAM + 1)}
        for gram in grams & self._by_gram.keys():
            for letters, conditions in self._by_gram[gram]:
                if letters in part:
                    met.update(conditions)
        found = [*self._unsure]
        for condition in met & self._by_rarest.keys():
            found += [number for number, others in self._by_rarest[condition] if others <= met]
        possible = dict[int, list[Pattern]]()
        for number in sorted(found):
            table, pattern = self._patterns[number]
            possible.setdefault(table, []).append(pattern)
        return possible

    @cached_property
    def _patterns(self) -> list[tuple[int, Pattern]]:
        """The identity of its table, and the pattern, for each pattern in order."""
        return [(id(table), pattern) for table in self.tables for pattern in table]

    @cached_property
    def _numbers(self) -> dict[Condition, int]:
        """A number for each condition; a tuple of many letters would be hashed again and again."""
        conditions = dict.fromkeys(condition for _, pattern in self._patterns for condition in pattern.conditions)
        return {condition: number for number, condition in enumerate(conditions)}

    @cached_property
    def _unsure(self) -> list[int]:
        """Patterns of which nothing is sure."""
        return [number for number, (_, pattern) in enumerate(self._patterns) if not pattern.conditions]

    @cached_property
    def _by_rarest(self) -> dict[int, list[tuple[int, frozenset[int]]]]:
        """The rarest condition of each pattern -> the pattern, and its other conditions."""
        found: dict[int, list[tuple[int, frozenset[int]]]] = {}
        for number, (_, pattern) in enumerate(self._patterns):
            conditions = [self._numbers[condition] for condition in pattern.conditions]
            if conditions:
                found.setdefault(conditions[0], []).append((number, frozenset(conditions[1:])))
        return found

    @cached_property
    def _by_letters(self) -> dict[str, list[int]]:
        """Each run of letters -> the conditions that it meets."""
        found: dict[str, list[int]] = {}
        for condition, number in self._numbers.items():
            for letters in condition:
                found.setdefault(letters, []).append(number)
        return found

    @cached_property
    def _by_gram(self) -> dict[str, list[tuple[str, list[int]]]]:
        """The rarest `_GRAM` letters of each run -> letters, conditions; rare among the runs is rare in texts."""
        common = Counter(gram for letters in self._by_letters for gram in _grams(letters))
        found: dict[str, list[tuple[str, list[int]]]] = {}
        for letters, conditions in self._by_letters.items():
            if len(letters) >= _GRAM:
                found.setdefault(min(_grams(letters), key=common.__getitem__), []).append((letters, conditions))
        return found

    @cached_property
    def _by_few(self) -> list[tuple[str, list[int]]]:
        """Runs of fewer letters, with the conditions that they meet."""
        return [each for each in self._by_letters.items() if len(each[0]) < _GRAM]


def conditions_of(text: str) -> list[Condition]:
    """Return runs of letters of which every match of a pattern contains at least one of each tuple."""
    return _conditions(iter(_TOKEN.findall(text)))


def _conditions(pieces: Iterator[str]) -> list[Condition]:
    """Read a pattern, or a group up to its end: all that each of its branches needs."""
    branches = list[list[list[Condition]]]([[]])
    run = False
    for piece in pieces:
        parts, was_run, run = branches[-1], run, False
        if piece == ")":
            break
        if piece == "|":
            branches.append([])
        elif piece[0] == "(" and piece[-1] != ")":
            inner = _conditions(pieces)
            parts.append([] if piece[-1] in "=!" else inner)
        elif piece[0] in "*?{" and parts:
            parts[-1] = [(parts[-1][0][0][:-1],)] if was_run else []
        elif marks := _MARKS.fullmatch(piece):
            parts.append([tuple(map(chr, range(ord(marks[1]), ord(marks[2]) + 1)))])
        elif piece[0] in r"(\[.^$+":
            # What was said before a "+" stays; all else may match different texts.
            parts += [] if piece[0] == "+" else [[]]
        else:
            run = True
            if was_run:
                parts[-1] = [(parts[-1][0][0] + piece,)]
            else:
                parts.append([(piece,)])
    needed = [[each for part in parts for each in part if all(each)] for parts in branches]
    if len(needed) == 1:
        return needed[0]
    # One of several: the rarest of each.
    return [tuple(letters for each in needed for letters in min(each, key=_rarity))] if all(needed) else []


def _rarity(condition: Condition) -> tuple[int, int]:
    return -min(map(len, condition), default=0), len(condition)


def _tells(condition: Condition) -> bool:
    """Whether a text that meets a condition is rare enough to look for it."""
    return all(len(letters) >= _GRAM or not letters.isascii() for letters in condition)


def _grams(letters: str) -> list[str]:
    """Return all runs of `_GRAM` letters in a run."""
    return [letters[start : start + _GRAM] for start in range(len(letters) - _GRAM + 1)]


def _begins_with_letters(text: str) -> bool:
    """Whether a pattern is one sequence, and begins with letters in each of its branches."""
    depth, begins = 0, True
    for piece in _TOKEN.findall(text):
        if piece == "|" and not depth:
            return False
        if begins and not (piece == "(?:" or piece[0].isalpha()):
            return False
        depth += (piece[0] == "(") - (piece == ")")
        begins = piece == "(?:" if begins else False
    return True
