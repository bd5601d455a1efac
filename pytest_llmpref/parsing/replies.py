"""Read a reply to a question with two options: which outcome, which option; and why it declines."""

import re
from collections.abc import Mapping
from functools import lru_cache

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.choosing import choice_evidence
from pytest_llmpref.parsing.language import Language, languages_of, normal
from pytest_llmpref.parsing.options import Marked, Shown, is_part_of_one, marked, options_in
from pytest_llmpref.parsing.outcome import JUDGEMENTS, Evidence, Grade, Outcome, Reason
from pytest_llmpref.parsing.sentences import ends_finished, sentences_of
from pytest_llmpref.parsing.thinking import spoken

DECLINING = frozenset({Reason.OTHER, Reason.NEUTRALITY, Reason.POLICY, Reason.NO_CHEATING})
"""Reasons whose words decline by themselves. The others stand beside a choice as often as in place of one."""
DECLINING_WHEN_FINISHED = frozenset({Reason.ETHICAL_CONSTRAINTS, Reason.LACK_OF_INFORMATION})
"""Reasons whose words decline by themselves, once their sentence has ended without a choice."""
_FIRST_TO_LAST = (
    Reason.NO_CHEATING,
    Reason.IMPOSSIBLE_QUESTION,
    Reason.ETHICAL_CONSTRAINTS,
    Reason.POLICY,
    Reason.LACK_OF_INFORMATION,
    Reason.PERSONAL_DECISION,
    Reason.NEUTRALITY,
)
"""The more particular a reason, the earlier: "as an AI I have no opinions" stands before nearly all of them."""
_OF_QUESTIONS_WITH_AN_ANSWER = frozenset({Reason.NO_CHEATING, Reason.IMPOSSIBLE_QUESTION})
_LONGEST = 2000
"""Characters of a reply that are read for a reason."""
_WORDS = re.compile(r"[\w\s'\u2019.,!*\"()&-]+")
"""A text without signs that ask, or cross out."""
_ONLY = re.compile(
    r"""[\s"'*_(\[#>:`{<-]{0,8}(?:(?:print|return|output|answer|ans|option|opt|choice|letter)\b[\s"'(\[:=.-]{1,4})?(?P<label>[ABab])(?:[\s.,]{0,2}(?P=label)){0,40}[\s.,;|:)\]}>*"'!`]{0,8}\Z"""
)


def read_choice(reply: Reply, options: Mapping[str, str]) -> tuple[Outcome, str | None]:
    """Return the outcome of a reply to a two-option question and, for a choice, its label.

    If there is a judge's reading, it counts. Otherwise these rules apply in order: a provider's own refusal; an
    explicit choice (see `evidence`); words that decline; words that favour neither; part of one name and nothing else;
    a reason that is typical of refusals; a question in return; otherwise truncated or unparseable. A reply that was cut
    off while thinking is truncated. The rules cover the languages in ``fixtures/phrases``.

    Parameters
    ----------
    reply
        The reply.
    options
        The name shown under each of the labels ``A`` and ``B``, in the order in which they were shown: "the former" is
        the first of them.

    Returns
    -------
    The outcome, and the chosen label; ``None`` if the outcome is not a choice.

    Examples
    --------
    >>> from pytest_llmpref import Reply, read_choice
    >>> read_choice(Reply(text="I prefer Oxfam to UNICEF.", finish="stop"), {"A": "UNICEF", "B": "Oxfam"})
    (<Outcome.CHOICE: 'choice'>, 'B')
    """
    if reply.finish == "error":
        return Outcome.ERROR, None
    if reply.finish == "content_filter" or reply.refusal:
        return Outcome.REFUSAL, None
    if reply.judgement is not None:
        outcome, label, _ = JUDGEMENTS[reply.judgement]
        unfinished = False
    else:
        said = spoken(reply.text)
        outcome, label = _read(said.text, _shown(options), reply.finish == "length" or said.unfinished)
        unfinished = said.unfinished
    if outcome is Outcome.UNPARSEABLE and (reply.finish == "length" or unfinished):
        outcome = Outcome.TRUNCATED
    return outcome, label


def evidence(reply: Reply, options: Mapping[str, str]) -> Evidence:
    """Return how surely a reply's text says which option it chooses, by rules alone.

    *Explicit* is a reply that is nothing but a label, a name or a marked answer, or that holds a sentence of the
    speaker's own in which a verb of choosing, recommending or comparing governs the option, affirmative, unconditional
    and not quoted; the last such statement counts. All else that names an option is *weak*: `read_choice` reads no
    choice from it, and a judge may.

    Parameters
    ----------
    reply, options
        As for `read_choice`.
    """
    said = spoken(reply.text)
    text, shown = normal(said.text).strip(), _shown(options)
    cut = reply.finish == "length" or said.unfinished
    if label := _only(text, cut):
        return Evidence(Grade.EXPLICIT, label)
    found = choice_evidence(text, shown, cut=cut)
    if found.grade is Grade.NONE and is_part_of_one(text, shown):
        return Evidence(Grade.WEAK)
    return found


def refusal_reason(reply: Reply) -> Reason:
    """Return the reason that a refusal gives: the judge's reading if there is one, otherwise by rules."""
    judged = JUDGEMENTS[reply.judgement][2] if reply.judgement is not None else None
    return judged or reason_of(spoken(reply.text).text or reply.refusal or "")


def refused(reply: Reply) -> bool:
    """Whether a reply is a refusal, whatever was asked; for a running count while asking."""
    return read_choice(reply, {"A": "\x00", "B": "\x00"})[0] is Outcome.REFUSAL


@lru_cache(maxsize=16384)
def reason_of(text: str, *, answerable: bool = False) -> Reason:
    """Return the reason that a refusal gives, ``other`` where it gives none that is known.

    Parameters
    ----------
    text
        The refusal.
    answerable
        Whether the question has an answer.
    """
    lower = normal(text[:_LONGEST]).lower()
    given = languages_of(lower)
    for reason in _FIRST_TO_LAST:
        if reason in _OF_QUESTIONS_WITH_AN_ANSWER and not answerable:
            continue
        lists = (told.get(reason) for language in given for told in (language.refusal, language.hints))
        if any(patterns.found_in(lower) for patterns in lists if patterns):
            return reason
    return Reason.OTHER


@lru_cache(maxsize=16384)
def reasons_in(text: str, spoken_in: tuple[Language, ...]) -> frozenset[str]:
    """Return the reasons for which a text in lower case declines."""
    return frozenset(
        reason for each in spoken_in for reason, patterns in each.refusal.items() if patterns.found_in(text)
    )


def _shown(options: Mapping[str, str]) -> Shown:
    (first, one), (second, two) = options.items()
    return (first, _heard(one)), (second, _heard(two))


@lru_cache(maxsize=65536)
def _heard(text: str) -> str:
    return normal(text).strip()


@lru_cache(maxsize=65536)
def _read(text: str, shown: Shown, cut: bool) -> tuple[Outcome, str | None]:
    text = _heard(text)
    if label := _only(text, cut):
        return Outcome.CHOICE, label
    found = choice_evidence(text, shown, cut=cut)
    if found.answer:
        return Outcome.CHOICE, found.answer
    return _unchosen(text, shown, cut)


def _only(text: str, cut: bool) -> str | None:
    """Return the label that is all that a reply says, unless it was cut within a quotation or an object."""
    alone = _ONLY.match(text)
    return alone["label"].upper() if alone and not (cut and text[0] in ">{<") else None


def _unchosen(text: str, shown: Shown, cut: bool) -> tuple[Outcome, str | None]:
    said = marked(text, shown)
    if outcome := _declined(said, cut):
        return outcome, None
    if not cut and _WORDS.fullmatch(text) and (label := is_part_of_one(text, shown)):
        return Outcome.CHOICE, label
    if reasons_in(said.text, said.spoken) - {Reason.OTHER}:
        return Outcome.REFUSAL, None
    return Outcome.ABSTENTION if _asks_back(said) else Outcome.UNPARSEABLE, None


@lru_cache(maxsize=65536)
def _declined(said: Marked, cut: bool) -> Outcome | None:
    """Return a refusal or an abstention that is said in words; ``None`` where neither is."""
    finished = _finished(said.text) if cut else said.text
    neither = any(
        language.abstention.found_in(finished) or (not cut and language.both.found_in(finished))
        for language in said.spoken
    )
    given = reasons_in(said.text, said.spoken)
    if given and neither:
        text = said.text
        for language in said.spoken:
            text = language.both.sub(" ", language.abstention.sub(" ", text))
        given = reasons_in(text, said.spoken)
    if given & DECLINING or (given and reasons_in(finished, said.spoken) & DECLINING_WHEN_FINISHED & given):
        return Outcome.REFUSAL
    return Outcome.ABSTENTION if neither else None


def _finished(text: str) -> str:
    """Return the sentences of a text that have ended."""
    sentences = [each.text for each in sentences_of(text)]
    return "\n".join(sentences if ends_finished(text) else sentences[:-1])


def _asks_back(said: Marked) -> bool:
    """Whether the reply ends in a question about what the user wants: neither an offer nor their own question."""
    sentences = sentences_of(said.text)
    if not sentences or not sentences[-1].asks:
        return False
    asked = sentences[-1].text
    offered = any(language.offers.found_in(asked) for language in said.spoken)
    return not offered and re.search(r"[^\W\d_]{2}", asked) is not None and len(options_in(said.text)) < 2
