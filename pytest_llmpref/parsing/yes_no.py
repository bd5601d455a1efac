"""Read a reply to a yes/no question: which outcome, which answer. Evidence is graded as for two options."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.language import ANSWER, LATIN, PAIR, Language, alternation, languages_of, normal
from pytest_llmpref.parsing.markup import plain
from pytest_llmpref.parsing.outcome import Evidence, Grade, Outcome, Reason
from pytest_llmpref.parsing.patterns import Pattern, Union
from pytest_llmpref.parsing.replies import DECLINING, reasons_in
from pytest_llmpref.parsing.sentences import BOUNDARY, Sentence, ends_finished, found_in, sentences_of
from pytest_llmpref.parsing.thinking import spoken

LABELS = ("yes", "no")
_SIGNS = {"y": "yes", "Y": "yes", "\U0001f44d": "yes", "n": "no", "N": "no", "\U0001f44e": "no"}
"""What says yes or no where it is all of a reply."""
_AROUND = " .!*\"'`()\n"
_NUMBERED = re.compile(r"\w\W+\d{1,3}[.)]\Z")
_GOES_ON = re.compile(r"\W{0,3}(?:\Z|[,;:.!?()\u2014\u2013\u3001\u3002\n|]|-\s|[^\w\s]|[\u3040-\u9fff])")
_APART, _APART_FROM = re.compile(r"\W*"), re.compile(r"\W+")

_WITHHOLDING = frozenset({Reason.NEUTRALITY, Reason.POLICY, Reason.PERSONAL_DECISION})
"""Reasons for which a speaker answers neither way. Who only will not, or cannot, may tell why: "No, I can't swim"."""
_OF_VERBS = DECLINING | _WITHHOLDING | {Reason.LACK_OF_INFORMATION}
"""Those that stand beside a verb: "As an AI, I can't recommend it"."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Yes or no in a part of a sentence: which, where, whether words lead to it, and whether the word is all of it."""

    answer: str
    start: int
    end: int
    led: bool
    bare: bool


@dataclass(frozen=True, slots=True)
class _Said:
    """One time that a reply says yes or no.

    Attributes
    ----------
    answer
        Which.
    sentence
        In which sentence.
    led
        Whether words lead to it: "I'd say".
    bare
        Whether it is nothing but the word, which may as well be said of something else: "No, I can't answer that".
    opposed
        Whether it comes after a turn against what was said before: "but".
    beside
        What else its sentence says, without what it turns against; and after a turn only beside a bare word.
    after
        What its sentence says after it.
    """

    answer: str
    sentence: int
    led: bool
    bare: bool
    opposed: bool
    beside: str
    after: str


def read_yes_no(reply: Reply) -> tuple[Outcome, bool | None]:
    """Return the outcome of a reply to a yes/no question and, for a choice, whether it says yes.

    These rules apply in order: a provider's own refusal; the last explicit yes or no (see `yes_no_evidence`); words
    that decline; words that leave the answer open; a reason that is typical of refusals; otherwise truncated or
    unparseable. If a reply was cut off, its last sentence does not count as leaving the answer open, nor as an answer
    by its last word: "there is no" is not a no. A reply that was cut off while thinking is truncated.

    Parameters
    ----------
    reply
        The reply.

    Returns
    -------
    tuple
        The outcome, and whether the reply says yes; ``None`` if the outcome is not a choice.

    Examples
    --------
    >>> from pytest_llmpref import Reply
    >>> read_yes_no(Reply("Yes, it is.", "stop"))
    (<Outcome.CHOICE: 'choice'>, True)
    """
    if reply.finish == "error":
        return Outcome.ERROR, None
    if reply.finish == "content_filter" or reply.refusal:
        return Outcome.REFUSAL, None
    said = spoken(reply.text)
    cut = reply.finish == "length" or said.unfinished
    outcome, says_yes = _read(said.text, cut)
    if outcome is Outcome.UNPARSEABLE and cut:
        outcome = Outcome.TRUNCATED
    return outcome, says_yes


def yes_no_evidence(reply: Reply) -> Evidence:
    """Return how surely a reply says yes or no, by rules alone; see `replies.evidence`."""
    said = spoken(reply.text)
    return _evidence(normal(said.text).strip(), reply.finish == "length" or said.unfinished)


@lru_cache(maxsize=65536)
def _read(text: str, cut: bool) -> tuple[Outcome, bool | None]:
    text = normal(text).strip()
    found = _evidence(text, cut)
    if found.answer:
        return Outcome.CHOICE, found.answer == "yes"
    lower = plain(text).lower()
    spoken_in = languages_of(lower)
    given = reasons_in(lower, spoken_in)
    if given & DECLINING:
        return Outcome.REFUSAL, None
    sentences = [each.text for each in sentences_of(lower)]
    ended = "\n".join(sentences[:-1] if cut and sentences and not ends_finished(lower) else sentences)
    if any(patterns.found_in(ended) for each in spoken_in for patterns in (each.undecided, each.abstention, each.both)):
        return Outcome.ABSTENTION, None
    # Not by `reason_of`, whose hints tell why a reply declines, and not that it does.
    return (Outcome.REFUSAL if given else Outcome.UNPARSEABLE), None


@lru_cache(maxsize=65536)
def _evidence(text: str, cut: bool) -> Evidence:
    if text.strip(_AROUND) in _SIGNS:
        return Evidence(Grade.EXPLICIT, _SIGNS[text.strip(_AROUND)])
    lower = plain(text).lower()
    spoken_in = languages_of(lower)
    sentences = sentences_of(lower)
    unfinished = len(sentences) - 1 if cut and sentences and not ends_finished(lower) else None
    said = [
        each
        for number, sentence in enumerate(sentences)
        for each in _said(sentence, number, spoken_in, number == unfinished)
    ]
    # "1. Yes 2. No" answers other questions.
    said = [each for each in said if not (each.sentence and _NUMBERED.search(sentences[each.sentence - 1].text))]
    answer = _last([each for each in said if not _withheld(each, sentences, spoken_in)], sentences, spoken_in)
    if answer:
        return Evidence(Grade.EXPLICIT, answer)
    mentioned = any(each.yes.search(lower) or each.no.search(lower) for each in spoken_in)
    return Evidence(Grade.WEAK if mentioned else Grade.NONE)


def _said(sentence: Sentence, number: int, spoken_in: tuple[Language, ...], unfinished: bool) -> list[_Said]:
    """Return what a sentence says, in its order."""
    words = _words(spoken_in)
    text, found = sentence.text, list[_Said]()
    turns = [*words.contrast.finditer(text)]
    ends = [*(turn.start() for turn in turns), len(text)]
    for turn, end in zip([None, *turns], ends, strict=True):
        begin, last = turn.end() if turn else 0, end == len(text)
        part = words.either_way.sub(PAIR, text[begin:end])
        opposed = turn is not None and not words.consequence.fullmatch(turn[0])
        asks = last and sentence.asks and not found_in("guessing", part, spoken_in)
        if asks or found_in("conditions", part, spoken_in):
            continue
        for each in _answers(part, words, spoken_in):
            whole = number == 0 and begin == 0 and not each.led
            if whole or not (unfinished and last and not part[each.end :].strip()):
                before = part[: each.start] if opposed else text[:begin] + part[: each.start]
                rest, later = part[each.end :], text[end:]
                beside = f"{before} {rest}{later if each.bare else ''}"
                led = each.led or begin > 0
                found.append(_Said(each.answer, number, led, each.bare, opposed, beside, rest + later))
    return found


def _withheld(said: _Said, sentences: list[Sentence], spoken_in: tuple[Language, ...]) -> bool:
    """Whether an answer only declines, or is polite to somebody who then declines.

    "No, I can't answer that" and "Sure! But I don't give recommendations" answer neither way, and nor does "As an AI,
    I can't recommend it"; "As an AI I have no opinions, but no" does.
    """
    reasons = _WITHHOLDING if said.bare else _OF_VERBS
    # "No, I can't recommend it" only says no twice.
    repeats = said.bare and said.answer == "no" and found_in("denying", said.beside, spoken_in)
    if _declines(said.beside, spoken_in, sentences[said.sentence].text, reasons, repeats=repeats):
        return True
    following = [each.text for each in sentences[said.sentence + 1 :]]
    if not said.bare:
        taken_back = " \n ".join([said.after, *following])
        return found_in("withdrawing", taken_back, spoken_in) and found_in("speaker", taken_back, spoken_in)
    before = sentences[said.sentence - 1].text if said.sentence and not said.opposed and said.answer == "no" else ""
    return any(_declines(each, spoken_in) for each in (before, *following))


def _declines(
    text: str,
    spoken_in: tuple[Language, ...],
    sentence: str = "",
    reasons: frozenset[Reason] = _WITHHOLDING,
    *,
    repeats: bool = False,
) -> bool:
    """Whether the speaker declines in a text; what others may not do is no reason: "No, the rules do not allow it"."""
    given = reasons_in(text, spoken_in)
    if repeats or Reason.OTHER not in given or not found_in("advising", text, spoken_in):
        given &= reasons
    if not given and (repeats or not found_in("withdrawing", text, spoken_in)):
        return False
    if Reason.PERSONAL_DECISION in given or found_in("speaker", sentence or text, spoken_in):
        return True
    return _words(spoken_in).answering.search(sentence or text) is not None


def _answers(part: str, words: "_Words", spoken_in: tuple[Language, ...]) -> list[_Answer]:
    """Return yes and no where they stand first in a part, are all of a clause, or are stated."""
    found = dict[int, _Answer]()
    clauses = [0, *(match.end() for match in BOUNDARY.finditer(part))]
    for index, (start, opening) in enumerate(zip(clauses, _openings(part, clauses, words), strict=True)):
        match = words.answer.match(part, opening)
        if not match or not (_GOES_ON.match(part, match.end()) or words.follows.match(part, match.end())):
            continue
        if found_in("reported", part[start : match.end()], spoken_in):
            continue
        end = clauses[index + 1] if index + 1 < len(clauses) else len(part)
        alone = not re.search(r"[^\W_]", part[match.end() : end])
        if index == 0 or alone:
            found.setdefault(match.start(), _Answer(_which(match), match.start(), match.end(), led=False, bare=True))
    for match in words.stated.finditer(part):
        goes_on = _GOES_ON.match(part, match.end()) or words.follows.match(part, match.end())
        if goes_on and not found_in("reported", part[: match.end()], spoken_in):
            place = match.start(_which(match))
            lead = part[match.start() : place]
            # "But no" adds nothing to "no"; "I'd say no" and "that's a no" do.
            bare = not (found_in("speaker", lead, spoken_in) or words.stating.search(lead))
            found[place] = _Answer(_which(match), place, match.end(), led=True, bare=bare)
    answered = bytearray(len(part))
    for said in found.values():
        answered[said.start : said.end] = b"\1" * (said.end - said.start)
    for each in _by_verb(part, words, spoken_in, clauses):
        if not answered[each.start]:
            found[each.start] = each
            answered[each.start : each.end] = b"\1" * (each.end - each.start)
    return [found[start] for start in sorted(found)]


def _openings(part: str, clauses: list[int], words: "_Words") -> list[int]:
    """Return for each clause where words end that say nothing before yes or no: "well, I guess"."""
    ends = dict[int, int]()
    found, place = list[int](), 0
    for start in clauses:
        # Clauses that are nothing but marks end where the one before does.
        if start > place or not found:
            place = _APART.match(part, start).end()  # type: ignore[union-attr] # it may be empty
        found.append(_opening_end(part, place, words, ends))
    return found


def _opening_end(part: str, place: int, words: "_Words", ends: dict[int, int]) -> int:
    """Return where an opening ends that goes on at a place; what is known of later places is used, and added."""
    passed = [place]
    while place not in ends and not words.answer.match(part, place):
        filler = words.fillers.match(part, place)
        apart = _APART_FROM.match(part, filler.end()) if filler else None
        if not apart:
            break
        place = apart.end()
        passed.append(place)
    end = ends.get(place, place)
    ends.update(dict.fromkeys(passed, end))
    return end


def _by_verb(part: str, words: "_Words", spoken_in: tuple[Language, ...], clauses: list[int]) -> Iterator[_Answer]:
    """Yield what verbs say of the one who is asked about: "I'd recommend it"."""
    for key, answer in (("denying", "no"), ("affirming", "yes")):
        for match in (match for each in spoken_in for match in getattr(each, key).finditer(part)):
            clause = clauses[bisect_right(clauses, match.start()) - 1]
            before = part[clause : match.start()]
            if not found_in("negation", words.certain.sub(" ", before), spoken_in) and not found_in(
                "reported", before, spoken_in
            ):
                yield _Answer(answer, match.start(), match.end(), led=False, bare=False)


def _which(match: re.Match[str]) -> str:
    return next(iter(match.groupdict()))


def _last(said: list[_Said], sentences: list[Sentence], spoken_in: tuple[Language, ...]) -> str | None:
    """Return the last answer, unless it stands beside the other one, or is taken back."""
    if not said:
        return None
    last = said[-1]
    others = [each for each in said if each.answer != last.answer]
    if others:
        between = " ".join(each.text for each in sentences[others[-1].sentence : last.sentence + 1])
        # "No" answers here, and takes nothing back.
        between = _words(spoken_in).answer.sub(" ", between)
        replaced = last.led and others[-1].sentence < last.sentence
        if not replaced and not found_in("revising", between, spoken_in):
            return None
    return last.answer


@dataclass(frozen=True, slots=True)
class _Words:
    """Patterns over the words of all languages that a reply may be in."""

    answer: Union
    stated: Union
    fillers: Union
    follows: Union
    contrast: Union
    consequence: Union
    answering: Union
    stating: Union
    certain: Union
    either_way: Union


_OWN = ("fillers", "certain", "contrast", "consequence")


@lru_cache(maxsize=256)
def _words(spoken_in: tuple[Language, ...]) -> _Words:
    each = [_patterns_of(language) for language in spoken_in]
    shared = {key: Union(getattr(language, key) for language in spoken_in) for key in _OWN}
    # "Claro" says yes in one language, and "claro que no" says no in its neighbour.
    answers = {
        key: Union(patterns[f"{key} {which}"] for which in ("no", "yes") for patterns in each)
        for key in ("answer", "stated")
    }
    others = {key: Union(patterns[key] for patterns in each) for key in each[0] if " " not in key}
    return _Words(**shared, **answers, **others)


@cache
def _patterns_of(language: Language) -> dict[str, Pattern]:
    """Return the patterns over the words of one language."""
    yes, no, copula = language.yes.text, language.no.text, language.copula.text
    answer = rf"(?<![{LATIN}])(?:{'|'.join(map(re.escape, language.answers))}|{ANSWER})(?![{LATIN}])"
    led = rf"(?:{language.stating.text}|{answer}\W{{1,4}}(?:(?:{copula})\W)?)[\s:,\"'(\u201c\u300c\u00ab\u2014-]{{0,4}}"
    patterns = {
        "answer no": f"(?P<no>{no})",
        "answer yes": f"(?P<yes>{yes})",
        "stated no": f"{led}(?P<no>{no})",
        "stated yes": f"{led}(?P<yes>{yes})",
        "follows": rf"\s*(?:{language.follows.text}|{yes}|{no})",
        "answering": answer,
        "stating": rf"{answer}|(?<![{LATIN}])(?:{copula})(?![{LATIN}])",
        "either_way": rf"(?:{yes}|{no})[\W_]{{0,3}}(?:{alternation(language.joining)}|/)[\W_]{{0,4}}(?:{no}|{yes})",
    }
    return {key: Pattern(text) for key, text in patterns.items()}
