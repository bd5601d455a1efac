"""Read a reply to a yes/no question: which outcome, which answer. Evidence is graded as for two options."""

import re
from dataclasses import dataclass
from functools import lru_cache

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.language import ANSWER, LATIN, PAIR, Language, alternation, languages_of, normal
from pytest_llmpref.parsing.markup import plain
from pytest_llmpref.parsing.outcome import Evidence, Grade, Outcome
from pytest_llmpref.parsing.replies import DECLINING, reasons_in
from pytest_llmpref.parsing.sentences import BOUNDARY, Sentence, ends_finished, found_in, sentences_of
from pytest_llmpref.parsing.thinking import spoken

LABELS = ("yes", "no")
_SIGNS = {"y": "yes", "Y": "yes", "\U0001f44d": "yes", "n": "no", "N": "no", "\U0001f44e": "no"}
"""What says yes or no where it is all of a reply."""
_AROUND = " .!*\"'`()\n"
_NO_I_CANNOT = re.compile(
    r"\W*no\b\W+(?:i'm |i am )?"
    r"(?:sorry\b|i (?:can't|cannot|won't|will not|would rather not)\b|(?:not )?(?:able|going) to)"
)
_NUMBERED = re.compile(r"\w\W+\d{1,3}[.)]\Z")
_GOES_ON = re.compile(r"\W{0,3}(?:\Z|[,;:.!?()\u2014\u2013\u3001\u3002\n|]|-\s|[^\w\s]|[\u3040-\u9fff])")


@dataclass(frozen=True, slots=True)
class _Said:
    """One time that a reply says yes or no: which, in which sentence, where, and whether words lead to it."""

    answer: str
    sentence: int
    end: int
    led: bool


def read_yes_no(reply: Reply) -> tuple[Outcome, bool | None]:
    """Tell how a reply ended, and whether it says yes where it is a choice.

    The rules apply in this order: a provider's own refusal; yes or no in so many words, the last of them (see
    `yes_no_evidence`); words that decline; words that leave it open; a reason for which others decline; else truncated
    or unparseable. Where a reply was cut, its last sentence neither leaves it open nor answers by its last word: "there
    is no" is none. A reply that ended while it was thinking is truncated.

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
    lower = plain(text).lower()
    spoken_in = languages_of(lower)
    given = reasons_in(lower, spoken_in)
    found = _evidence(text, cut)
    if found.answer and not (given & DECLINING and _declines_with(found.answer, lower, spoken_in)):
        return Outcome.CHOICE, found.answer == "yes"
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
    answer = _last(said, sentences, spoken_in)
    if answer:
        return Evidence(Grade.EXPLICIT, answer)
    mentioned = any(each.yes.search(lower) or each.no.search(lower) for each in spoken_in)
    return Evidence(Grade.WEAK if mentioned else Grade.NONE)


def _said(sentence: Sentence, number: int, spoken_in: tuple[Language, ...], unfinished: bool) -> list[_Said]:
    """Return what a sentence says, in its order."""
    words = _words(spoken_in)
    text, found, start = sentence.text, list[_Said](), 0
    turns = [*words.turn.finditer(text)]
    for begin, end in zip(
        [0, *(turn.end() for turn in turns)], [*(turn.start() for turn in turns), len(text)], strict=True
    ):
        part, start = text[begin:end], begin
        last = end == len(text)
        part = words.either_way.sub(PAIR, part)
        if found_in("conditions", part, spoken_in):
            continue
        if last and sentence.asks and not found_in("guessing", part, spoken_in):
            continue
        for answer, place, led in _answers(part, words, spoken_in):
            if not (unfinished and last and not part[place:].strip()) or (number == 0 and begin == 0 and not led):
                found.append(_Said(answer, number, start + place, led or begin > 0))
    return found


def _answers(part: str, words: "_Words", spoken_in: tuple[Language, ...]) -> list[tuple[str, int, bool]]:
    """Return yes and no where they stand first in a part, are all of a clause, or are stated; each with its place."""
    found = dict[int, tuple[str, int, bool]]()
    clauses = [0, *(match.end() for match in BOUNDARY.finditer(part))]
    for index, start in enumerate(clauses):
        opening = words.opening.match(part, start)
        match = words.answer.match(part, opening.end() if opening else start)
        if not match or not (_GOES_ON.match(part, match.end()) or words.follows.match(part, match.end())):
            continue
        end = clauses[index + 1] if index + 1 < len(clauses) else len(part)
        alone = not re.search(r"[^\W_]", part[match.end() : end])
        if index == 0 or alone:
            found.setdefault(match.start(), (_which(match), match.end(), False))
    for match in words.stated.finditer(part):
        goes_on = _GOES_ON.match(part, match.end()) or words.follows.match(part, match.end())
        if goes_on and not found_in("reported", part[: match.end()], spoken_in):
            found[match.start("said")] = (_which(match), match.end(), True)
    for key, answer in (("denying", "no"), ("affirming", "yes")):
        for match in (match for each in spoken_in for match in getattr(each, key).finditer(part)):
            clause = max((start for start in clauses if start <= match.start()), default=0)
            denied = found_in("negation", words.certain.sub(" ", part[clause : match.start()]), spoken_in)
            if not any(start <= match.start() < end for start, (_, end, _) in found.items()) and not denied:
                negated = answer == "yes" or found_in("negation", match[0], spoken_in) or key == "denying"
                if negated:
                    found.setdefault(match.start(), (answer, match.end(), False))
    return [found[start] for start in sorted(found)]


def _which(match: re.Match[str]) -> str:
    return "no" if match["no"] else "yes"


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


def _declines_with(answer: str, lower: str, spoken_in: tuple[Language, ...]) -> bool:
    """Whether "no" only declines: "No, I can't help you with a quiz"; "No, the ferry does not" answers."""
    if answer == "yes":
        return False
    head = lower[:120]
    first = re.split(r"[.!\n\u3002]", head)[0]
    # "No, I wouldn't recommend it" answers whether to.
    declines = found_in("withdrawing", first, spoken_in) and not found_in("denying", first, spoken_in)
    return bool(_NO_I_CANNOT.match(head)) or declines


@dataclass(frozen=True, slots=True)
class _Words:
    """Patterns over the words of all languages that a reply may be in."""

    answer: re.Pattern[str]
    opening: re.Pattern[str]
    stated: re.Pattern[str]
    follows: re.Pattern[str]
    turn: re.Pattern[str]
    certain: re.Pattern[str]
    either_way: re.Pattern[str]


@lru_cache(maxsize=256)
def _words(spoken_in: tuple[Language, ...]) -> _Words:
    def union(key: str) -> str:
        return "|".join(getattr(each, key).text for each in spoken_in)

    joining = alternation(word for each in spoken_in for word in each.joining)
    either = rf"(?P<said>(?P<no>{union('no')})|(?P<yes>{union('yes')}))"
    answers = "|".join(re.escape(word) for each in spoken_in for word in each.answers)
    answer = rf"(?<![{LATIN}])(?:{answers}|{ANSWER})(?![{LATIN}])"
    led = rf"(?:{union('stating')}|{answer}\W{{1,4}}(?:(?:{union('copula')})\W)?)"
    return _Words(
        answer=re.compile(either),
        opening=re.compile(rf"\W*(?:(?!(?:{union('no')}|{union('yes')}))(?:{union('fillers')})\W+)*"),
        stated=re.compile(rf"{led}[\s:,\"'(\u201c\u300c\u00ab\u2014-]{{0,4}}{either}"),
        follows=re.compile(rf"\s*(?:{union('follows')}|{union('yes')}|{union('no')})"),
        turn=re.compile(union("contrast")),
        certain=re.compile(union("certain")),
        either_way=re.compile(
            rf"(?:{union('yes')}|{union('no')})[\W_]{{0,3}}(?:{joining}|/)[\W_]{{0,4}}(?:{union('no')}|{union('yes')})"
        ),
    )
