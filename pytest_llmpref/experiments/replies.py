"""Read a reply to a question with two options: which outcome, which option, with what probability."""

import math
import re
from collections.abc import Mapping
from functools import cache, lru_cache

from pytest_llmpref.experiments.judgements import JUDGEMENTS
from pytest_llmpref.experiments.phrases import before_labels, languages_of, normal
from pytest_llmpref.experiments.reasons import DECLINING, Reason, reason_of
from pytest_llmpref.experiments.trials import Outcome
from pytest_llmpref.models.chat import Reply

READABLE_MASS = 0.5
"""Least probability of the two labels together for the first token to be read as the answer. Our choice."""
LONGEST = 2000
"""Characters that are read at the start of a reply, and as many at its end."""

THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|(?P<open>\Z))", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(r'"(?:answer|choice|option|label)"\s*:\s*"(?:option\s+)?(?P<label>[AB])\b', re.IGNORECASE)
_OPENING = r"""[\s"'*_(\[#>:\u300c\u300e\u201c\u201d\u201e\u00ab\u3010-]{0,8}"""
_ONLY = re.compile(rf"^{_OPENING}(?P<label>[ABab])[\s.)\]*\"'!]*$")
_STATED = re.compile(
    r"\b(?:i|i'd|i'll|i would|i will|would|i'm going to)\s+"
    r"(?:(?:still|probably|personally|rather|have to|lean)\s+){0,2}"
    r"(?:choose|pick|go with|go for|recommend|suggest|select|say|prefer|donate to|give(?: it)? to|towards?)\s+"
    r"(?:(?:donating|giving)(?: it)? to\s+)?(?P<rest>.{1,80})",
    re.IGNORECASE,
)
_BOTH = re.compile(
    r"\W*(?:or|and|/|&|oder|und|ou|et|o|y|e|of|en|lub|i|или|и|和|或|と)\W*(?:option\W*)?[AB]\b", re.IGNORECASE
)


def read_choice(reply: Reply, options: Mapping[str, str]) -> tuple[Outcome, str | None]:
    """Tell how a reply to a two-option question ended.

    A judge's word holds, where there is one. Else rules apply, in this order: a provider's own refusal; a label at the
    start, or stated as the answer; words that decline; words that favour neither; one single label, or one single
    name, anywhere; a reason for which others decline; else truncated or unparseable. The languages are those of
    ``fixtures/phrases``.

    Parameters
    ----------
    reply
        The reply.
    options
        The name shown under each of the labels ``A`` and ``B``.

    Returns
    -------
    The outcome, and the label that was chosen where it is a choice.
    """
    if reply.finish == "error":
        return Outcome.ERROR, None
    if reply.finish == "content_filter" or reply.refusal:
        return Outcome.REFUSAL, None
    if reply.judgement is not None:
        outcome, label, _ = JUDGEMENTS[reply.judgement]
    else:
        outcome, label = _read(reply.text, options["A"], options["B"])
    if outcome is Outcome.UNPARSEABLE and reply.finish == "length":
        outcome = Outcome.TRUNCATED
    return outcome, label


def refusal_reason(reply: Reply) -> Reason:
    """Return the reason that a refusal gives: the judge's word, where there is one, else by rules."""
    judged = JUDGEMENTS[reply.judgement][2] if reply.judgement is not None else None
    return judged or reason_of(reply.text or reply.refusal or "")


def refused(reply: Reply) -> bool:
    """Whether a reply is a refusal, whatever was asked; for a running count while asking."""
    return read_choice(reply, {"A": "\x00", "B": "\x00"})[0] is Outcome.REFUSAL


def label_probabilities(reply: Reply, labels: tuple[str, str] = ("A", "B")) -> tuple[float, float] | None:
    """Return the probabilities of two labels as the first token, or ``None`` if they cannot be read.

    Spellings of a label (``A``, `` A``, ``(A``) are added up, those of one in lower case whatever their case. They
    cannot be read where the provider returned no log-probabilities, or where both labels together have less than
    ``READABLE_MASS``.
    """
    if not reply.top_logprobs:
        return None
    mass = dict.fromkeys(labels, 0.0)
    for token, logprob in reply.top_logprobs.items():
        word = token.strip(" \t\n()[]*\"'`.:")
        label = word if word in mass else word.lower()
        if label in mass:
            mass[label] += math.exp(logprob)
    first, second = mass.values()
    return (first, second) if first + second >= READABLE_MASS else None


def _read(text: str, a: str, b: str) -> tuple[Outcome, str | None]:
    """Read a text; long ones are cut in the middle."""
    if len(text) > 2 * LONGEST:
        text = f"{text[:LONGEST]}\n{text[-LONGEST:]}"
    return _read_short(text, a, b)


@lru_cache(maxsize=65536)
def _read_short(text: str, a: str, b: str) -> tuple[Outcome, str | None]:
    if alone := _ONLY.match(text):
        return Outcome.CHOICE, alone["label"].upper()
    text = THINKING.sub("", normal(text)).strip()
    options = {"A": normal(a), "B": normal(b)}
    label = _leading_label(text, options) or _stated_label(text, options)
    if label:
        return Outcome.CHOICE, label
    lower = text.lower()
    spoken = languages_of(lower)
    given = {
        reason
        for language in spoken
        for reason, patterns in language.refusal.items()
        if any(p.search(lower) for p in patterns)
    }
    if given & DECLINING:
        return Outcome.REFUSAL, None
    if any(pattern.search(lower) for language in spoken for pattern in language.abstention):
        return Outcome.ABSTENTION, None
    mentioned = {match["label"] for match in _mention().finditer(text)}
    mentioned = mentioned or {label for label, name in options.items() if _names(text, name)}
    if len(mentioned) == 1:
        return Outcome.CHOICE, mentioned.pop()
    if given - {Reason.OTHER}:
        return Outcome.REFUSAL, None
    return Outcome.UNPARSEABLE, None


def _leading_label(text: str, options: Mapping[str, str]) -> str | None:
    match = _JSON.search(text) if text[:1] in "{`" else None
    if match:
        return match["label"].upper()
    match = _start().match(text)
    if not match:
        return None
    label, after = match["label"], match["after"]
    # "A charity that helps ..." starts with an article, "A Greenpeace" with a label.
    if label in "Aa" and re.match(r"[ \t]+[\w\"']", after) and not _bare(after).startswith(_bare(options["A"])):
        return None
    # "b" and "a" in lower case are labels only where they stand alone.
    if label.islower() and re.match(r"[ \t]+\w", after):
        return None
    # "A or B", "A and B": both, hence none.
    return None if _BOTH.match(after) else label.upper()


def _stated_label(text: str, options: Mapping[str, str]) -> str | None:
    """Return the one label that is stated as the answer: after "I would choose", or at the end."""
    stated = set()
    for match in _STATED.finditer(text):
        rest = match["rest"]
        if (label := _start().match(rest)) and not _BOTH.match(label["after"]) and label["label"].isupper():
            article = label["label"] == "A" and re.match(r"[ \t]+[a-z]", label["after"])
            stated |= set() if article else {label["label"]}
        stated |= {label for label, name in options.items() if _bare(name) and _bare(rest).startswith(_bare(name))}
    if len(stated) == 1:
        return stated.pop()
    final = _final().search(text[-80:])
    return final["label"] if final else None


@cache
def _start() -> re.Pattern[str]:
    """Return the pattern of a label at the start, after words that lead to it."""
    options, answers = before_labels()
    return re.compile(
        rf"""{_OPENING}
        (?:(?:so|well|ok|okay|sure|certainly|of\ course)\b[\s,.!:]{{0,4}})?
        (?:i(?:'d|\ would|'ll|\ will)?\ (?:choose|pick|prefer|go\ with|say|select|recommend|suggest)\s+)?
        (?:(?:my|the|meine?|die|ma|la|mi|il|mia|minha|a|o|mijn|het|moja)\s+)?(?:final\s+)?
        (?:(?:{answers})(?:\s+(?:is|would\ be|ist|est|es|\u00e8|\u00e9|to))?[\s:\uff1a\u662f\u306f]{{0,4}})?
        {_OPENING}(?:(?:{options})\s{{0,4}})?{_OPENING}
        (?P<label>[AB])(?P<after>$|[^\w'].*|[^\x00-\x7f].*)""",
        re.IGNORECASE | re.VERBOSE | re.DOTALL,
    )


@cache
def _final() -> re.Pattern[str]:
    """Return the pattern of an answer that is stated at the very end."""
    options, answers = before_labels()
    return re.compile(
        rf"""(?:(?<!\w)(?:{answers})(?:\s+(?:is|would\s+be|ist|est|es|\u00e8|\u00e9|to))?
        |\b(?:would|will|'d|'ll)\s+(?:choose|pick|say|go\s+with))
        [\s:\uff1a\u662f\u306f]{{0,4}}(?:(?:{options})\s{{0,4}})?[(*"'\u300c]{{0,4}}(?P<label>(?-i:[AB]))\W*$""",
        re.IGNORECASE | re.VERBOSE,
    )


@cache
def _mention() -> re.Pattern[str]:
    """Return the pattern of a label anywhere, after a word that makes it one, or in brackets."""
    options, answers = before_labels()
    return re.compile(
        rf"(?:(?<!\w)(?:{options}|{answers})(?:\s+is)?[\s:\uff1a]{{0,4}}[(*\"']{{0,4}}|[(*])"
        r"(?P<label>(?-i:[AB]))(?![\w'])",
        re.IGNORECASE,
    )


def _bare(name: str) -> str:
    words = re.sub(r"[^\w\s]", " ", name.casefold()).split()
    return " ".join(words[1:] if words[:1] == ["the"] else words)


def _names(text: str, name: str) -> bool:
    # With its capitals: "the WHO" is not named by "anyone who".
    stem = re.sub(r"^[Tt]he\s+", "", name)
    return re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text) is not None
