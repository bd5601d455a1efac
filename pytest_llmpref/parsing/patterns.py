"""Regular expressions by the hundred, of which a text meets few."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from operator import itemgetter

from pytest_llmpref.searching import Found, search_for

_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!]|P<\w+>|P=\w+\))|\{[^}]*\}\??|[*?+]\??"
    r"|[^\\\[(){}|*?+.^$]+(?![*?+{])|.",
    re.DOTALL,
)
_MARKS = re.compile("\\[([\ue000-\uf8ff])-([\ue000-\uf8ff])\\]")
"""A class of letters for private use, which a text holds as rarely as a word."""
_IN_WORD = re.compile(r"\w\w")
_TELLING = 3
"""Letters of a run from which on it is rare enough to be looked for beside another."""

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
        return (rarest, *(each for each in others if _tells(each, _TELLING))) if _tells(rarest, 2) and rarest else ()

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

    def possible(self, part: str) -> list[Pattern]:
        """Return the patterns that may match in a part of a text, in their order."""
        met = self.lookup.met(part)
        found = [*self._unsure]
        for condition in self._rarest & met:
            found += [number for number, others in self._by_rarest[condition] if others <= met]
        return [self[number] for number in sorted(found)]

    @cached_property
    def _rarest(self) -> frozenset[int]:
        """The rarest condition of each pattern; two sets meet faster than a set and the keys of a dictionary."""
        return frozenset(self._by_rarest)

    @cached_property
    def _unsure(self) -> list[int]:
        """The places of patterns of which nothing is sure."""
        return [number for number, pattern in enumerate(self) if not pattern.conditions]

    @cached_property
    def _by_rarest(self) -> dict[int, list[tuple[int, frozenset[int]]]]:
        """The rarest condition of each pattern -> the place of the pattern, and its other conditions."""
        found: dict[int, list[tuple[int, frozenset[int]]]] = {}
        for number, pattern in enumerate(self):
            if pattern.conditions:
                rarest, *others = (self.lookup.numbers[condition] for condition in pattern.conditions)
                found.setdefault(rarest, []).append((number, frozenset(others)))
        return found

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


_NUMBER = itemgetter(0)
"""The number of what a search has found."""


class Index:
    """The runs of letters without which no pattern of several tables matches.

    Parameters
    ----------
    tables
        The tables.
    """

    def __init__(self, tables: Sequence["Patterns"]) -> None:
        self.tables = tables
        self.met = lru_cache(maxsize=256)(self._met)

    def _met(self, part: str) -> set[int]:
        """Return the numbers of the conditions that a part of a text meets."""
        runs = set(map(_NUMBER, self._search(part.encode("utf-8", "surrogatepass"))))
        return set().union(*map(self._met_by.__getitem__, runs))

    @cached_property
    def numbers(self) -> dict[Condition, int]:
        """A number for each condition; a tuple of many letters would be hashed again and again."""
        patterns = (pattern for table in self.tables for pattern in table)
        conditions = dict.fromkeys(condition for pattern in patterns for condition in pattern.conditions)
        return {condition: number for number, condition in enumerate(conditions)}

    @cached_property
    def _by_letters(self) -> dict[str, list[int]]:
        """Each run of letters -> the conditions that it meets."""
        found: dict[str, list[int]] = {}
        for condition, number in self.numbers.items():
            for letters in condition:
                found.setdefault(letters, []).append(number)
        return found

    @cached_property
    def _met_by(self) -> list[list[int]]:
        """The conditions that each run of letters meets, in the order of runs."""
        return list(self._by_letters.values())

    @cached_property
    def _search(self) -> Callable[[bytes], list[Found]]:
        """The search for all runs of letters at once."""
        return search_for([letters.encode() for letters in self._by_letters])


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


def _tells(condition: Condition, least: int) -> bool:
    """Whether each run has so many letters that a text that meets a condition is rare enough to look for it."""
    return all(len(letters) >= least or not letters.isascii() for letters in condition)


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
