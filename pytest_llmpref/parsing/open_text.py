"""A reply to an open question, divided: sentences in the speaker's own voice, and what is built rather than said."""

import re
from collections.abc import Iterator
from functools import cached_property

from pytest_llmpref.parsing.language import normal
from pytest_llmpref.parsing.open_phrases import OpenPhrases, phrases_for
from pytest_llmpref.parsing.patterns import Patterns

_QUOTED = re.compile(
    '"[^"\n]{1,400}"|\u201c[^\u201d\n]{1,400}\u201d|\u00ab[^\u00bb\n]{1,400}\u00bb|\u201e[^\u201c\u201d\n]{1,400}[\u201c\u201d]'
    "|\u300c[^\u300d\n]{1,400}\u300d|\u300e[^\u300f\n]{1,400}\u300f"
)
_CODE = re.compile(r"^```.*?(?:^```[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_BUILT = re.compile(
    r"""\s*(?:
        (?: \(?\d{1,3}(?:[.)]\s|\u3001) | [*+\u2013-]\s | [\u2022\u00b7] | [\u4e00-\u5341]{1,3}\u3001 )\s*(?=\S)
        | \#{1,6}\s | > | \| | (?:-{3,}|\*{3,}|_{3,})\s*$ | \*\*[^*\n]{0,79}[^*\n.!?\u3002\uff01\uff1f]\*\*:?\s*$
        | \ue000
    )""",
    re.VERBOSE,
)
"""A line that is an item of a list, a heading, a quotation, a row of a table, a rule, or code."""
_SPEAKER = re.compile(r"\s*\**([A-Z\u0410-\u042f\u4e00-\u9fff][\w .'\u2019-]{0,30})\**[:\uff1a]\**\s*\S")
_END = re.compile(r"[.!?\u2026]+[\"'\u2019\u201d)\]*_]*(?=\s|\Z)|[\u3002\uff01\uff1f!?]+[\u300d\u300f\u201d\"'\uff09]*")
_ABBREVIATED = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|bzw|ca|sr|sra|approx|[^\W\d_]))\.\Z", re.IGNORECASE)
_MARKED = re.compile(r"[*_`]+")
_COMMA = re.compile(r"[,;\uff0c\uff1b\u2014]")
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_LONGEST = 1000
"""Characters of a sentence in which phrases are looked for: a text without full stops is one."""
_WIDTH = 2
"""Letters that a Chinese or Japanese character says more than one letter of another script. Our choice."""


class Part:
    """A part of a reply, and what it is. Each property is looked for when it is first asked for.

    Parameters
    ----------
    text
        In lower case, quotations left out.
    built
        Whether it is an item of a list, a heading, code or another speaker's line, and not a sentence.
    ended
        Whether the sentence has an end; the last one of a reply that was cut has none.
    """

    def __init__(self, text: str, *, built: bool, ended: bool = True) -> None:
        self.said = text
        self.built = built
        self.ended = ended

    @cached_property
    def phrases(self) -> OpenPhrases:
        """The phrases that it may hold, by its script."""
        return phrases_for(self.said)

    @cached_property
    def text(self) -> str:
        """What it says, without what only looks as if it declined: "I cannot recommend it enough"."""
        said = self.said[:_LONGEST]
        if not self.phrases.unlike.found_in(said):
            return said
        # A word is left in its place, so that no other sentence comes about.
        return self.phrases.unlike.sub(" _ ", said)

    @cached_property
    def refuses(self) -> bool:
        """Whether it declines what was asked, or objects to the question."""
        if self.phrases.declines.found_in(self.text):
            return not self.phrases.limiting.found_in(self.text)
        return self.phrases.rebukes.found_in(self.text)

    @cached_property
    def lacks(self) -> bool:
        """Whether the speaker says what it lacks, or cannot do exactly."""
        return self.phrases.limits.found_in(self.text) or self.phrases.declines.found_in(self.text)

    @cached_property
    def offers(self) -> bool:
        """Whether it offers other help, or asks back."""
        return self.phrases.offers.found_in(self.text)

    @cached_property
    def is_courtesy(self) -> bool:
        """Whether it is a greeting, thanks or an offer, and does not decline."""
        return (self.phrases.preambles.found_in(self.text) or self.offers) and not (self.refuses or self.lacks)

    @cached_property
    def admonishes(self) -> bool:
        """Whether it is advice, or an admonition."""
        return self.phrases.lectures.found_in(self.text)

    @cached_property
    def apologises(self) -> bool:
        """Whether it is no more than an apology."""
        return self.phrases.apologies.found_in(self.text)

    @cached_property
    def leaves_out(self) -> bool:
        """Whether the speaker says what it leaves out."""
        return self.phrases.reserves.found_in(self.text)

    @cached_property
    def has_no_answer(self) -> bool:
        """Whether it says that the question has no answer."""
        return self.phrases.without_answer.found_in(self.text)

    @cached_property
    def turn(self) -> re.Match[str] | None:
        """Where it turns to what can be said after all: "however, I can tell you"."""
        return self._first(self.phrases.turns)

    @cached_property
    def begins_document(self) -> bool:
        """Whether a letter, a memo or a scene begins with it."""
        return self.phrases.documents.found_in(self.text)

    @cached_property
    def introduces(self) -> bool:
        """Whether something follows of which this is the introduction."""
        return self.said.rstrip(" *_").endswith((":", "\uff1a"))

    @property
    def size(self) -> int:
        """How much it says, in letters of a script that writes words apart."""
        return size(self.said)

    def after_limit(self) -> str:
        """Return what follows a limit in the same sentence: "I have no opinions, but many like it"."""
        limits = [self._first(patterns) for patterns in (self.phrases.limits, self.phrases.declines)]
        comma = _COMMA.search(self.text, min((found.end() for found in limits if found), default=0))
        return self.text[comma.end() :] if comma else ""

    def _first(self, patterns: Patterns) -> re.Match[str] | None:
        return next((found for pattern in patterns if (found := pattern.search(self.text))), None)


def parts_of(text: str) -> list[Part]:
    """Divide a reply; a reply that is one quotation counts as said."""
    text = normal(text).strip()
    if (whole := _QUOTED.fullmatch(text)) is not None:
        text = whole[0][1:-1].strip()
    text = _QUOTED.sub('""', _CODE.sub("\ue000", text))
    lines = [line for line in text.splitlines() if line.strip()]
    speakers = {found[1] for line in lines if (found := _SPEAKER.match(line))}
    parts = list[Part]()
    for line in lines:
        lower = line.strip().lower()
        if _BUILT.match(line) or (len(speakers) > 1 and _SPEAKER.match(line)):
            parts.append(Part(lower, built=True))
        else:
            parts += (Part(sentence, built=False) for sentence in _sentences(_MARKED.sub("", lower)))
    if parts:
        last = parts[-1].said
        parts[-1].ended = any(found.end() == len(last) for found in _END.finditer(last))
    return parts


def size(text: str) -> int:
    """Return how much a text says, in letters of a script that writes words apart."""
    return len(text) + _WIDTH * len(_WIDE.findall(text))


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for found in _END.finditer(line):
        if not _ABBREVIATED.search(line, start, found.end()):
            yield line[start : found.end()].strip()
            start = found.end()
    if rest := line[start:].strip():
        yield rest
