"""How one text may be written: escaped for JSON, URLs, HTML or scripts, on several lines, in base64; how it is found.

Each way is undone in a `View` of the text, which knows where each of its characters stands in the text itself. So what
a secret looks like is said once, whatever the way in which it is written.
"""

import base64
import binascii
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from urllib.parse import quote

Span = tuple[int, int]

MOST_PASSES = 3
"""How often escapes are undone: a tool's arguments are JSON in a body of JSON, in a line of JSON."""
SHORTEST_RUN = 6
"""Letters and digits that are enough to look for."""

_ESCAPES = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|\\+u(?P<high>[dD][89abAB][0-9A-Fa-f]{2})\\+u(?P<low>[dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|\\+u(?P<code>[0-9A-Fa-f]{4})"
    r"|\\+x(?P<byte>[0-9A-Fa-f]{2})"
    r"|&\#(?:[xX](?P<hexadecimal>[0-9A-Fa-f]{1,5})|(?P<decimal>[0-9]{1,6}));"
    r"|&(?P<entity>amp|quot|apos|lt|gt);"
    r"|\\+(?P<letter>[\"'/bfnrt])"
    r"|\\{2,}"
)
_ENTITIES = {"amp": "&", "quot": '"', "apos": "'", "lt": "<", "gt": ">"}
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BREAKS = re.compile(r"(?:(?<![ \t])[ \t]+)?(?:\r\n|\r|\n)[ \t]*")
_SHORTEST_BASE64 = 12
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST_BASE64},}}={{0,2}}")
_MOST_SLASHES = 12
_RUN = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class View:
    """A text, some of whose parts are replaced.

    Attributes
    ----------
    text
        What it reads like.
    """

    text: str
    _of: "View | None"
    _starts: list[int]
    _parts: list[tuple[int, int, bool]]

    def span(self, start: int, end: int) -> Span:
        """Return where a part of the view stands in the text itself; what was replaced counts as a whole."""
        if self._of is None:
            return start, end
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        begins, _, kept = self._parts[first]
        here = begins + (start - self._starts[first] if kept else 0)
        begins, ends, kept = self._parts[last]
        there = begins + end - self._starts[last] if kept else ends
        return self._of.span(here, there)

    def seams(self, start: int, end: int) -> list[int]:
        """Return where, between these places, something was cut out."""
        return [
            at
            for at, (_, _, kept), after in zip(self._starts, self._parts, self._starts[1:], strict=False)
            if not kept and at == after and start < at < end
        ]


def views(text: str) -> list[View]:
    """Return a text as it stands, without escapes, and without line breaks too; each only where it differs."""
    found = [View(text, None, [], [])]
    for _ in range(MOST_PASSES):
        decoded = _replaced(found[-1], _decoded(found[-1].text))
        if decoded is None:
            break
        # Between two passes nothing can be read that could not before, or after.
        found = [found[0], decoded]
    joined = _replaced(found[-1], ((*one.span(), "") for one in _BREAKS.finditer(found[-1].text)))
    return found if joined is None else [*found, joined]


def plain(text: str) -> str:
    """Return a text without escapes and line breaks: alike, however the same text is written."""
    return views(text)[-1].text


def in_base64(view: View) -> Iterator[tuple[str, Span]]:
    """Yield what reads as text when its base64 is decoded, and where that stands in the text itself."""
    for found in _BASE64.finditer(view.text):
        for start, end in _stretches(found.group()):
            if (said := _from_base64(found.group()[start:end])) is not None:
                yield said, view.span(found.start() + start, found.start() + end)


def _stretches(token: str) -> Iterator[Span]:
    """Yield what may be one piece of base64, in which a slash is a digit, and in a path of an address is none."""
    cuts = [-1, *(at for at, character in enumerate(token) if character == "/"), len(token)]
    # Of many slashes, as in the base64 of a picture, not each with each.
    ways = combinations(cuts, 2) if len(cuts) <= _MOST_SLASHES else [(-1, len(token)), *pairwise(cuts)]
    for before, end in ways:
        if end - before > _SHORTEST_BASE64:
            yield before + 1, end


def from_base64(token: str) -> str:
    """Return what base64 says; empty if it is none of a text."""
    return _from_base64(token) or ""


def base64_beginning(text: str) -> str:
    """Return how base64 begins of whatever begins with a text."""
    return base64.b64encode(text.encode()).decode()[: len(text) * 8 // 6]


def signs(value: str) -> set[bytes]:
    """Return fixed strings, one of which any line holds that holds a value, however it is written there.

    Escapes leave letters and digits as they are, so the longest run of them is looked for: in halves, one of which is
    whole where a line is broken inside the other. A value without such a run is looked for in each of its forms.
    """
    runs = sorted(_RUN.findall(plain(value)), key=len)
    run = runs[-1] if runs else ""
    if len(run) < SHORTEST_RUN:
        found = _forms(value)
    elif len(run) < 2 * SHORTEST_RUN:
        found = {run}
    else:
        found = {run[: len(run) // 2], run[len(run) // 2 :]}
    return {sign.encode("utf-8", "surrogatepass") for sign in found | _cores(value)}


def _replaced(view: View, parts: Iterable[tuple[int, int, str]]) -> View | None:
    """Return the view with each of these parts replaced; ``None`` if there are none."""
    pieces, starts, places, length, done = list[str](), list[int](), list[tuple[int, int, bool]](), 0, 0
    for start, end, reads in parts:
        for piece, place in ((view.text[done:start], (done, start, True)), (reads, (start, end, False))):
            if piece or not place[2]:
                pieces.append(piece)
                starts.append(length)
                places.append(place)
                length += len(piece)
        done = end
    if not places:
        return None
    if done < len(view.text):
        pieces.append(view.text[done:])
        starts.append(length)
        places.append((done, len(view.text), True))
    return View("".join(pieces), view, starts, places)


def _decoded(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _ESCAPES.finditer(text):
        start, end = found.span()
        if (percent := found["percent"]) is not None:
            for character in bytes.fromhex(percent.replace("%", "")).decode("utf-8", "surrogateescape"):
                after = start + 3 * len(character.encode("utf-8", "surrogateescape"))
                yield start, after, character
                start = after
        elif found["high"] is not None:
            pair = bytes.fromhex(found["high"] + found["low"]).decode("utf-16-be", "replace")
            yield start, end, pair
        elif (code := found["code"] or found["byte"] or found["hexadecimal"]) is not None:
            yield start, end, chr(int(code, 16))
        elif found["decimal"] is not None:
            yield start, end, chr(int(found["decimal"]))
        elif found["entity"] is not None:
            yield start, end, _ENTITIES[found["entity"]]
        elif (letter := found["letter"]) is not None:
            yield start, end, _LETTERS.get(letter, letter)
        else:
            yield start, end, "\\"


def _from_base64(token: str) -> str | None:
    standard = token.rstrip("=").replace("-", "+").replace("_", "/")
    if len(standard) % 4 == 1:
        standard = standard[:-1]
    try:
        said = base64.b64decode(standard + "=" * (-len(standard) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return said if said.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else None


def _forms(value: str) -> set[str]:
    """Return a value plain, in a URL, and in JSON of either kind, once and twice."""
    ways: tuple[Callable[[str], str], ...] = (
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    )
    found = {value, plain(value), quote(value, safe="")}
    for _ in range(MOST_PASSES):
        found |= {way(one) for one in found for way in ways}
    return found


def _cores(value: str) -> set[str]:
    """Return what base64 of a text must hold if the value is in it, at each of the three places of its first bit."""
    found = set()
    content = value.encode("utf-8", "surrogatepass")
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + content).decode()
        core = encoded[(0, 2, 3)[shift] : (shift + len(content)) * 8 // 6]
        longest = max(_RUN.findall(core), key=len, default="")
        found.add(longest if len(longest) >= SHORTEST_RUN else core)
        if len(longest) < SHORTEST_RUN:
            found.add(core.replace("+", "-").replace("/", "_"))
    return found
