"""A reply to a question with two options as rules read it: options marked, in lower case, in sentences and clauses."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pytest_llmpref.parsing.labels import MARK, marked, options_in
from pytest_llmpref.parsing.phrases import LATIN, Language, joining_words, languages_of
from pytest_llmpref.parsing.reasons import Reason

_SENTENCE = re.compile(r"(?<=[!?\u3002\u061f\u0964])|(?<=[.\u2026])(?=[\s\"')*_\]\u00bb\u201d\u300d])|\n+")
_ENDED = re.compile(r"[.!?\u2026\u3002\u061f\u0964][\"')*_\]\u00bb\u201d\u300d\s]*\Z")
_CLAUSE = r"[,;:(\u2014\u2013\u3001\u060c]|\s-\s"
_SHORT = 3
"""Words of a clause that is about the option right before it: ", a hate group,"."""
_QUESTION = re.compile(r"[?\u061f][^\w]*\Z")


@dataclass(frozen=True, eq=False)
class Said:
    """What a reply says. Texts that are alike once they are marked are one object, read once.

    Attributes
    ----------
    text
        The whole, marked (see `labels.marked`), in lower case.
    sentences
        Its sentences, none of them empty.
    unfinished
        The last one, where the reply was cut within it; else empty.
    spoken
        The languages that it may be in.
    """

    text: str
    sentences: Sequence[str]
    unfinished: str
    spoken: tuple[Language, ...]

    @classmethod
    def of(cls, text: str, a: str, b: str, *, cut: bool) -> "Said":
        """Read a text, as `phrases.normal` returns it, about options of these names."""
        inflected = any(language.inflects for language in _languages_of(text.lower()))
        lower = marked(text, a, b, inflected=inflected).lower()
        # Names are words of a language too, and tell nothing of the reply's.
        return _said(lower, _languages_of(lower), cut)

    @property
    def finished(self) -> Sequence[str]:
        """The sentences that were ended."""
        return self.sentences[:-1] if self.unfinished else self.sentences

    def announces_ranking(self, part: str) -> bool:
        """Whether a part of the reply says that a ranking follows, and does not deny it."""
        announced = self.chooses(part) or any(language.ranking.found_in(part) for language in self.spoken)
        return announced and not self.denies(part)

    def chooses(self, part: str) -> bool:
        """Whether a part of the reply says that the speaker chooses."""
        return any(language.choose.found_in(part) for language in self.spoken)

    @cached_property
    def declined(self) -> set[str]:
        """The reasons for which the reply declines somewhere; read once, since most parts ask for it."""
        return self.declines(self.text)

    @cached_property
    def hedged(self) -> bool:
        """Whether the reply declines or favours neither somewhere."""
        return bool(self.declined) or self.favours_neither(self.text, praise=True)

    @cached_property
    def spoken_against(self) -> set[str]:
        """The options that the reply speaks against: by label or name, as "it", or right after: "A: a hate group"."""
        against, last = set[str](), set[str]()
        for sentence in self.sentences:
            here = set[str]()
            for clause in self.clauses(sentence):
                options = options_in(clause)
                if self.rejects(clause):
                    short = len(clause.split()) <= _SHORT
                    against |= options or (here if short else set()) or (last if self._means_last(clause) else set())
                here = last = options or last
        return against

    def _means_last(self, clause: str) -> bool:
        """Whether a clause has a word for the option that was named before."""
        return _words(re.escape(word) for each in self.spoken for word in each.pronouns).search(clause) is not None

    def rejects(self, part: str) -> bool:
        """Whether a part of the reply speaks against an option."""
        return any(language.rejecting.found_in(part) for language in self.spoken)

    def denies(self, part: str) -> bool:
        """Whether a part of the reply says no, speaks against an option, or declines."""
        if self.rejects(part) or any(language.negation.search(part) for language in self.spoken):
            return True
        # "You should choose B" is advice, though "you should choose" leaves it to the user.
        return bool(self.declined) and bool(self.declines(part) - {Reason.PERSONAL_DECISION})

    def declines(self, part: str) -> set[str]:
        """Return the reasons for which a part of the reply declines."""
        return {
            reason
            for language in self.spoken
            for reason, patterns in language.refusal.items()
            if patterns.found_in(part)
        }

    def favours_neither(self, part: str, *, praise: bool) -> bool:
        """Whether a part of the reply favours neither option, or, with ``praise``, praises both."""
        return any(
            language.abstention.found_in(part) or (praise and language.both.found_in(part)) for language in self.spoken
        )

    def without_neither(self, part: str) -> str:
        """Return a part of the reply without the words that favour neither option."""
        for language in self.spoken:
            part = language.both.sub(" ", language.abstention.sub(" ", part))
        return part

    def without_others(self, part: str) -> str:
        """Return a part without options that are mentioned only as the other one: "rather than B"."""
        for language in self.spoken:
            part = language.against.sub(" ", part)
        return part

    def main(self, sentence: str) -> str:
        """Return a sentence without options that are not it, and without the reasons that follow one that is."""
        sentence = self.without_others(sentence)
        reason = _because(self.spoken).search(sentence)
        return sentence[: reason.start()] if reason and options_in(sentence[: reason.start()]) else sentence

    def clauses(self, sentence: str) -> list[str]:
        """Return the clauses of a sentence, none of them empty."""
        return [clause for part in _boundary(self.spoken).split(sentence) if (clause := part.strip())]

    def after_contrast(self, sentence: str) -> str | None:
        """Return what follows the last "but" or "so" of a sentence; ``None`` without one."""
        parts = _contrast(self.spoken).split(sentence)
        return parts[-1] if len(parts) > 1 else None

    def asks_back(self) -> bool:
        """Whether the reply ends in a question about what the user wants: neither an offer nor their own question."""
        if not self.sentences or self.unfinished or not is_question(self.sentences[-1]):
            return False
        asked = self.sentences[-1]
        offered = any(language.offers.found_in(asked) for language in self.spoken)
        return not offered and re.search(r"[^\W\d_]{2}", asked) is not None and len(options_in(self.text)) < 2


@lru_cache(maxsize=16384)
def _languages_of(lower: str) -> tuple[Language, ...]:
    return tuple(languages_of(lower))


@lru_cache(maxsize=16384)
def _said(lower: str, spoken: tuple[Language, ...], cut: bool) -> Said:
    sentences = [sentence for part in _SENTENCE.split(lower) if (sentence := part.strip())]
    unfinished = sentences[-1] if cut and sentences and not _ENDED.search(lower) else ""
    return Said(lower, sentences, unfinished, spoken)


def is_question(sentence: str) -> bool:
    """Whether a sentence ends in a question mark."""
    return _QUESTION.search(sentence) is not None


def hangs_on(part: str) -> bool:
    """Whether a part of a marked text breaks off at "A and", so that more than its last option is meant."""
    return re.search(rf"{MARK}[\s,*\"']*(?:(?:{joining_words()})[\s*\"']*)?\Z", part) is not None


@lru_cache(maxsize=256)
def _contrast(spoken: tuple[Language, ...]) -> re.Pattern[str]:
    return _words(word for language in spoken for word in language.contrast)


@lru_cache(maxsize=256)
def _because(spoken: tuple[Language, ...]) -> re.Pattern[str]:
    return _words(re.escape(word) for language in spoken for word in (*language.because, *language.relative))


@lru_cache(maxsize=256)
def _boundary(spoken: tuple[Language, ...]) -> re.Pattern[str]:
    return re.compile(f"{_CLAUSE}|{_contrast(spoken).pattern}")


def _words(patterns: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(set(patterns), key=lambda pattern: (-len(pattern), pattern))
    return re.compile(rf"(?<![{LATIN}])(?:{'|'.join(longest_first)})(?![{LATIN}])")
