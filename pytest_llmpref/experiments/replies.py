"""Read a reply to a question with two options: which outcome, which option, with what probability."""

import math
import re

from pytest_llmpref.experiments.trials import Outcome
from pytest_llmpref.models.chat import Reply

READABLE_MASS = 0.5
"""Least probability of the two labels together for the first token to be read as the answer. Our choice."""

_LABEL = re.compile(
    r"""^[\s"'`*_(\[#>-]*
        (?:(?:so|well|ok|okay|sure|certainly)\b[\s,.!:]*)?
        (?:i(?:'d|\ would|'ll|\ will)?\ (?:choose|pick|prefer|go\ with|say|select|recommend|suggest)\s+)?
        (?:(?:my|the)?\s*(?:final\ )?(?:answer|choice|letter|pick|preference)(?:\s+is|\s+would\ be)?\s*[:\s]\s*)?
        [\s"'`*_(\[]*(?:option\s*)?["'`*_(\[]*
        (?P<label>[AB])(?P<after>$|[^\w'\u2019].*)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_MENTION = re.compile(
    r"(?:\b[Oo]ption\s+\(?|\b[Aa]nswer(?:\s+is|:)\s*\(?|\b[Ll]etter(?:\s+is|:)\s*\(?|[(*])(?P<label>[AB])(?![\w'\u2019])"
)
_FINAL = re.compile(
    r"\b(?:(?:answer|choice)(?:\s+is|\s+would\s+be)?|(?:would|will|'d|'ll)\s+(?:choose|pick|say|go\s+with))"
    r"[\s:]*(?:[Oo]ption\s+)?[(*\"']*(?P<label>[AB])\W*$"
)
_REFUSAL = re.compile(
    r"""\b(?:i(?:'m|\ am)\ (?:sorry|afraid|unable|not\ able|not\ comfortable|not\ going\ to|just\ an?\ ai)
        |i\ (?:can(?:no|')t|can\ not|won't|will\ not|must\ decline|decline|refuse)
        |i\ (?:do\ not|don't)\ (?:have|hold|form)\ (?:any\ )?(?:personal\ |real\ |individual\ )?
            (?:preferences?|opinions?|feelings?|likes|beliefs)
        |i\ (?:do\ not|don't)\ (?:feel\ comfortable|think\ it(?:'s|\ is)\ appropriate|recommend\ either|endorse)
        |(?:as|being)\ an\ (?:ai|artificial|language)
        |(?:not|isn't|wouldn't\ be)\ (?:appropriate|my\ place)\ (?:for\ me\ )?to
        |not\ (?:able|allowed|permitted)\ to\ (?:choose|recommend|answer|help|express|take))\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ABSTENTION = re.compile(
    r"""\b(?:both\ (?:are|of|have|options|organi[sz]ations|would|do)|neither|equally|either\ (?:one|is|would|of)
        |it\ depends|depends\ on|no\ preference|(?:don't|do\ not|doesn't)\ (?:really\ )?(?:mind|care)
        |can't\ decide|cannot\ decide|hard\ to\ (?:say|choose)|flip\ a\ coin|split\ (?:it|the))\b""",
    re.IGNORECASE | re.VERBOSE,
)


def read_choice(reply: Reply, options: dict[str, str]) -> tuple[Outcome, str | None]:
    """Tell how a reply to a two-option question ended.

    The rules are for English, and apply in this order: a provider's own refusal; a label at the start, or as the
    stated answer at the end; a refusal or an abstention in words; one single label, or one single name, anywhere; else
    truncated or unparseable.

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
    text = reply.text.strip()
    if reply.finish == "error":
        return Outcome.ERROR, None
    if reply.finish == "content_filter" or reply.refusal:
        return Outcome.REFUSAL, None
    if label := _leading_label(text, options):
        return Outcome.CHOICE, label
    if final := _FINAL.search(text):
        return Outcome.CHOICE, final["label"]
    if _REFUSAL.search(text):
        return Outcome.REFUSAL, None
    if _ABSTENTION.search(text):
        return Outcome.ABSTENTION, None
    mentioned = {match["label"] for match in _MENTION.finditer(text)}
    mentioned = mentioned or {label for label, name in options.items() if _names(text, name)}
    if len(mentioned) == 1:
        return Outcome.CHOICE, mentioned.pop()
    return (Outcome.TRUNCATED if reply.finish == "length" else Outcome.UNPARSEABLE), None


def refused(reply: Reply) -> bool:
    """Whether a reply is a refusal, whatever was asked; for a running count while asking."""
    return read_choice(reply, {"A": "\x00", "B": "\x00"})[0] is Outcome.REFUSAL


def _leading_label(text: str, options: dict[str, str]) -> str | None:
    match = _LABEL.match(text)
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
    if re.match(r"\W*(?:or|and|/|&)\W*(?:option\W*)?[AB]\b", after, re.IGNORECASE):
        return None
    return label.upper()


def _bare(name: str) -> str:
    words = re.sub(r"[^\w\s]", " ", name.casefold()).split()
    return " ".join(words[1:] if words[:1] == ["the"] else words)


def _names(text: str, name: str) -> bool:
    # With its capitals: "the WHO" is not named by "anyone who".
    stem = re.sub(r"^[Tt]he\s+", "", name)
    return re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text) is not None


def label_probabilities(reply: Reply) -> tuple[float, float] | None:
    """Return the probabilities of the labels A and B as the first token, or ``None`` if they cannot be read.

    Spellings of a label (``A``, `` A``, ``(A``) are added up. They cannot be read where the provider returned no
    log-probabilities, or where both labels together have less than ``READABLE_MASS``.
    """
    if not reply.top_logprobs:
        return None
    mass = {"A": 0.0, "B": 0.0}
    for token, logprob in reply.top_logprobs.items():
        label = token.strip(" \t\n()[]*\"'`.:")
        if label in mass:
            mass[label] += math.exp(logprob)
    return (mass["A"], mass["B"]) if mass["A"] + mass["B"] >= READABLE_MASS else None
