"""What a reply that was cut may have gone on to say."""

import re

from pytest_llmpref.parsing.options import Shown

_LED = re.compile(r"(?:option|answer|choice|choose|pick|with|[:(]) ?[AB]\Z", re.IGNORECASE)
_NUMBER = re.compile(r"[\s>*#(-]{0,8}\d{1,2}[.)]?[\s*]{0,4}\w{0,40}\Z")
_LABELLED = re.compile(r"[\s>*#(-]{0,8}(?P<label>[AB])(?:\)|\.|:)[*\s]{1,4}(?P<name>\w[^\n]*)\Z")
_ARTICLE = re.compile(r"\A(?:the|la|le|les|el|los|las|die|der|das)\s+", re.IGNORECASE)


def may_go_on(text: str, shown: Shown, option: str) -> bool:
    """Whether a cut reply may end within the name of the other option: "Inter", or "A", where that is "Inter Miami"."""
    other = next(name for label, name in shown if label != option)
    end, other = text.rstrip(), _ARTICLE.sub("", other)
    for length in range(1, len(other)):
        start = len(end) - length
        within_word = start > 0 and end[start - 1].isalpha() and end[start - 1].isascii()
        if start > 0 and not within_word and end[start:].lower() == other[:length].lower():
            # "Option A" is no beginning of a name; "Inter" is, also where it is all that is said.
            return length > 1 or _LED.search(end) is None
        if start == 0 and length > 1 and end.lower() == other[:length].lower():
            return True
    return False


def repeats(text: str, shown: Shown) -> bool:
    """Whether a cut reply begins a list, or quotes: a number, or a label and its name, or a part of that."""
    if _NUMBER.match(text) or (text.startswith(">") and "\n\n" not in text):
        return True
    said = _LABELLED.match(text)
    return said is not None and dict(shown)[said["label"]].lower().startswith(said["name"].strip().lower())
