"""Finds secrets in a text, and replaces them."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from pytest_llmpref.searching import Found, search_for
from pytest_llmpref.secrets.shapes import (
    BEGINNINGS,
    NAMED,
    NAMED_ANCHORS,
    SECRET_FIELDS,
    SHAPES,
    environment_secrets,
    unlike_words,
    variants,
)
from pytest_llmpref.secrets.writings import (
    Span,
    View,
    base64_beginning,
    from_base64,
    in_base64,
    plain,
    signs,
    views,
)

SCRUBBED = "[scrubbed]"
"""What stands in a secret's place."""

_SHORTEST = 8
"""Shorter values ("none", "test") are no secrets, and replacing them would spoil ordinary words."""
_SHOWN = 6
"""Characters of a found secret that a message may show: enough to know which key to revoke."""
_MOST_PASSING = 32
"""Values of single calls that are known at a time."""
_SHORTEST_LINE = 6
"""Characters of a key that continue it on another line."""

_PATTERNS = tuple((kind, re.compile(shape, re.ASCII)) for kind, _, shape in SHAPES)
_SHAPE = re.compile("|".join(shape for _, _, shape in SHAPES), re.ASCII)
_USER_INFO = re.compile(rb"(?::|%3[Aa])(?:\\*/|%2[Ff]){2}[^\s/@\"'<>]{1,200}(?::|%3[Aa])[^\s/@\"'<>]{1,200}(?:@|%40)")


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """Something in the shape of a secret.

    Attributes
    ----------
    kind
        What it looks like.
    start
        Where it begins in the text, in characters.
    shown
        What a message may show of it: its first characters, and its length.
    """

    kind: str
    start: int
    shown: str


def find_secrets(text: str) -> list[FoundSecret]:
    """Return what looks like a secret in a text, by its shape alone, in the order in which it stands there."""
    found = []
    for start, end in _merged(_Search(text, None, named=False).spans()):
        read = plain(text[start:end])
        kinds = (kind for kind, pattern in _PATTERNS if pattern.match(text, start) or pattern.match(read))
        kind = next(kinds, "secret in another notation")
        found.append(FoundSecret(kind, start, f"{text[start : start + _SHOWN]}... ({end - start} characters)"))
    return found


class Secrets:
    """Replaces secrets by ``[scrubbed]``: known values, and whatever has a key's shape, however they are written.

    Parameters
    ----------
    values
        The known ones; those of fewer than eight characters are left out.
    named
        Whether to replace, too, what is known by a name beside it alone, such as ``X-Api-Key: ...``. For logs and
        errors: what models say and do must stay as it is.
    """

    def __init__(self, values: Iterable[str] = (), *, named: bool = False) -> None:
        self._values: dict[str, set[bytes]] = {}
        self._named = named
        self._passing: list[str] = []
        self._known: re.Pattern[str] | None = None
        self._places: Callable[[bytes], list[Found]] | None = None
        self._lasts = True
        self.learn(values)

    def learn(self, values: Iterable[str], *, for_now: bool = False) -> None:
        """Add known values.

        Parameters
        ----------
        values
            These.
        for_now
            Whether the oldest that were learned so are forgotten as new ones come: each call may have one of its own.
        """
        new = {value for value in values if len(value) >= _SHORTEST and value != SCRUBBED} - self._values.keys()
        if not new:
            return
        self._values |= {value: signs(value) for value in new}
        if for_now:
            self._passing += sorted(new)
        forgotten, self._passing = self._passing[:-_MOST_PASSING], self._passing[-_MOST_PASSING:]
        for value in forgotten:
            del self._values[value]
        # Made when first needed; the second, most runs never need.
        self._places = self._known = None
        self._lasts = not forgotten

    def suspected(self, line: bytes) -> bool:
        """Tell whether JSON or plain text may hold a secret; never wrongly false.

        A regular expression of this many alternatives takes longer than all the rest of recording. Searching for all
        fixed strings at once takes microseconds, and settles nearly every interaction.
        """
        places = self._places
        if places is None and self._values:
            known = sorted(set[bytes]().union(*self._values.values()))
            places = self._places = search_for(known, lasting=self._lasts)
        if places is not None and places(line):
            return True
        for sign, start, _ in _search_for_shapes()(line):
            if sign >= len(_FIRST) or _begins_a_word(line, start):
                return True
        if (b"@" in line or b"%40" in line) and _USER_INFO.search(line) is not None:
            return True
        lower = line.lower() if self._named else b""
        return any(anchor in lower for anchor in _ANCHORS)

    def scrub(self, text: str) -> str:
        """Replace each secret in a text."""
        if not self.suspected(text.encode("utf-8", "surrogatepass")):
            return text
        pieces, done = [], 0
        for start, end in _merged(_Search(text, self._known_values(), named=self._named).spans()):
            pieces += [text[done:start], SCRUBBED]
            done = end
        return "".join([*pieces, text[done:]])

    def scrub_values(self, record: Any) -> Any:  # noqa: ANN401 - JSON is recursive
        """Replace each secret in the strings of a JSON-like record, names of fields apart."""
        if isinstance(record, str):
            return self.scrub(record)
        if isinstance(record, Mapping):
            return {name: self.scrub_values(value) for name, value in record.items()}
        if isinstance(record, list | tuple):
            return [self.scrub_values(value) for value in record]
        return record

    def _known_values(self) -> re.Pattern[str] | None:
        if self._known is None and self._values:
            # Longest first, so that no rest of a longer secret is left standing.
            literal = set(self._values) | {plain(value) for value in self._values}
            ordered = sorted((value for value in literal if value), key=lambda value: (-len(value), value))
            self._known = re.compile("|".join(map(re.escape, ordered)))
        return self._known


class _Search:
    """One search of one text, in each way in which it may be written."""

    def __init__(self, text: str, known: re.Pattern[str] | None, *, named: bool) -> None:
        self._views = views(text)
        self._known = known
        self._named = named

    def spans(self) -> Iterator[Span]:
        """Yield where secrets stand; some more than once."""
        for view in self._views:
            if self._known is not None:
                yield from (view.span(*found.span()) for found in self._known.finditer(view.text))
            yield from self._shapes(view)
            if self._named:
                yield from _named(view)
            for said, span in in_base64(view):
                if _SHAPE.search(said) or (self._known is not None and self._known.search(said)):
                    yield span

    def _shapes(self, view: View) -> Iterator[Span]:
        for found in _SHAPE.finditer(view.text):
            start, end = found.span()
            # Where lines are joined, a word that begins the next one is not the rest of a key.
            seams = [*view.seams(start, end), end]
            cuts = (seam for seam, after in pairwise(seams) if not unlike_words(view.text[seam:after], _SHORTEST_LINE))
            cut = next(cuts, None)
            whole = found if cut is None else _SHAPE.match(view.text, start, cut)
            if whole is not None:
                yield view.span(*whole.span())


def _named(view: View) -> Iterator[Span]:
    for pattern in NAMED:
        for found in pattern.finditer(view.text):
            if any(unlike_words(word) or unlike_words(from_base64(word)) for word in found["value"].split()):
                yield view.span(*found.span("value"))


def _merged(spans: Iterable[Span]) -> list[Span]:
    found = list[Span]()
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _signs_of_shapes() -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the fixed strings that begin a word, and those that may stand inside one."""
    first, inside = set[str](), set[str]()
    for beginning in BEGINNINGS:
        starts_word = any(shape.startswith(rf"\b{re.escape(beginning)}") for _, _, shape in SHAPES)
        (first if starts_word else inside).update(variants(beginning))
        if starts_word:
            first.add(base64_beginning(beginning))
    # As names of fields, in JSON and in JSON of JSON; what a value is, is seen where they are read.
    inside |= {f"{name}{end}" for name in SECRET_FIELDS for end in ('"', '\\"')}
    return tuple(sorted(one.encode() for one in first)), tuple(sorted(one.encode() for one in inside))


@cache
def _search_for_shapes() -> Callable[[bytes], list[Found]]:
    """Return the search for what every text is looked through for: made once, as it takes a millisecond to make."""
    return search_for((*_FIRST, *_INSIDE))


def _begins_a_word(line: bytes, start: int) -> bool:
    """Tell whether no letter or digit stands before this place, unless an escape ends there."""
    before = line[max(0, start - 6) : start]
    return not before[-1:].isalnum() or b"\\" in before or b"%" in before


_FIRST, _INSIDE = _signs_of_shapes()
_ANCHORS = tuple(anchor.encode() for anchor in NAMED_ANCHORS)


_logged: Secrets | None = None


def scrub_log_records() -> None:
    """Take secrets out of whatever this process logs from now on: HTTP clients log addresses, headers and errors.

    pytest shows what was logged beside a failure, or while tests run, and writes it to files and to JUnit's XML. To be
    called again when the environment may have got more of them.
    """
    global _logged  # noqa: PLW0603 - the log of a process is one thing
    if _logged is not None:
        _logged.learn(environment_secrets())
        return
    make = logging.getLogRecordFactory()
    secrets = _logged = Secrets(environment_secrets(), named=True)

    def scrubbed(*arguments: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401 - whatever logging passes
        record = make(*arguments, **named)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # The logger of a wrong format hears of it from logging itself, which shows what it passed.
            record.args = secrets.scrub_values(record.args)
            return record
        if record.exc_info:
            # A formatter shows this text instead of making one of its own.
            record.exc_text = secrets.scrub(logging.Formatter().formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = secrets.scrub(record.stack_info)
        if (clean := secrets.scrub(said)) != said:
            record.msg, record.args = clean, None
        return record

    logging.setLogRecordFactory(scrubbed)
