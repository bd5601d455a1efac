"""What ticks, crosses, medals and numbers beside options, and labels before what is said, tell of them."""

import re
from collections.abc import Iterable

from pytest_llmpref.parsing.language import MARK
from pytest_llmpref.parsing.options import OPTION_OF
from pytest_llmpref.parsing.stating import SET_OFF

_BESIDE = rf"[^\w\n{MARK[1:-1]}]{{0,4}}"
_TICKED = re.compile(rf"({MARK}){_BESIDE}[\u2705\u2714\u2611\U0001f44d\U0001f3c6\U0001f947\U0001f451\U0001f448]")
_CHECKED, _UNCHECKED = re.compile(rf"\[x\]\s*({MARK})"), re.compile(rf"(?:\[ ?\]|[\u2b1c\u2610])\ufe0f?\s*{MARK}")
_CROSSED = re.compile(rf"{MARK}{_BESIDE}[\u274c\u2716\u2718\U0001f44e]")
_FIRST = re.compile(rf"\U0001f947{_BESIDE}({MARK})")
_SECOND = re.compile(rf"[\U0001f948\U0001f949]{_BESIDE}{MARK}")
_RANKED = re.compile(
    rf"(?<!\w)1[.)\uff09]?[^\w\n\ue000-\ue005]{{1,4}}({MARK}).*?(?<!\w)2[.)\uff09]?[^\w\n\ue000-\ue005]{{1,4}}{MARK}",
    re.DOTALL,
)
"""Options in the order of a ranking; the best is the group."""
ONLY_LABEL = re.compile(r"[\s\"'*(\[]*([\ue000\ue001])[\s.!)\]\"'*]*")
"""A line that is nothing but a label."""
_THIRD = re.compile(r"\W*[c-f][:.)]\s")
"""The label of a third option."""


def ticked(text: str) -> set[str]:
    """Return the options that have a tick, a thumb up, a crown or the like."""
    return {OPTION_OF[mark] for mark in _TICKED.findall(text) + _CHECKED.findall(text)}


def crossed(text: str) -> bool:
    """Whether an option has a cross, a thumb down, or an empty box."""
    return _CROSSED.search(text) is not None or _UNCHECKED.search(text) is not None


def put_second(text: str) -> bool:
    """Whether an option has a medal that puts it behind another."""
    return _SECOND.search(text) is not None


def firsts_by_medal(text: str) -> set[str]:
    """Return the options with a gold medal."""
    return {OPTION_OF[mark] for mark in _FIRST.findall(text)}


def firsts_by_number(text: str) -> set[str]:
    """Return the options with number 1, of which the other one has number 2 after it."""
    return {OPTION_OF[match[1]] for match in _RANKED.finditer(text)}


def labels_ahead(lines: Iterable[str]) -> set[str]:
    """Return the options whose label begins a line, and is all of it or set off; none where there is a third."""
    lines = list(lines)
    if any(_THIRD.match(line) for line in lines):
        return set()
    found = (ONLY_LABEL.fullmatch(line) or SET_OFF.match(line) for line in lines)
    return {OPTION_OF[label[1]] for label in found if label}
