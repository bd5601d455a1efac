"""Answers by the log-probabilities of two labels: whether they can be read, and what they say."""

import math
from collections.abc import Sequence
from typing import Literal

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Attempt, Outcome

Answers = Literal["auto", "text", "logprobs"]
"""How two-option questions are answered: by the text, by log-probabilities, or by these where there are any."""
TOP_LOGPROBS = 5
"""How many log-probabilities of the first token to ask for: the two labels, and room for other spellings."""
READABLE_MASS = 0.5
"""Least probability of the two labels together for the first token to be read as the answer. Our choice."""
LOGPROBS_NEEDED = 0.95
"""Under ``auto``, the share of trials with readable log-probabilities from which on they are the answers."""

JUNK = frozenset({Outcome.UNPARSEABLE, Outcome.TRUNCATED})
"""Outcomes of a sampled text that do not spoil readable probabilities: the text is a single draw from them. A refusal
or an abstention in words stays one."""


_BESIDE = " \t\n()[]*\"'`.:\u0120\u010a\u0109\u2581"
"""What stands beside a label in a token; the last are byte-pair encodings' and SentencePiece's signs of blanks."""


def label_probabilities(reply: Reply, labels: tuple[str, str] = ("A", "B")) -> tuple[float, float] | None:
    """Return the probabilities of two labels as the first token, or ``None`` if they cannot be read.

    Spellings of a label (``A``, `` A``, ``(A``, ``\u0120A``) are added up, those of one in lower case whatever their
    case. They cannot be read where the provider returned no log-probabilities, or that of the sampled token alone:
    this is a text and no distribution. Nor where both labels together have less than ``READABLE_MASS``.
    """
    if not reply.top_logprobs or len(reply.top_logprobs) == 1:
        return None
    mass = dict.fromkeys(labels, 0.0)
    for token, logprob in reply.top_logprobs.items():
        word = token.strip(_BESIDE)
        label = word if word in mass else word.lower()
        if label in mass:
            mass[label] += math.exp(logprob)
    first, second = mass.values()
    return (first, second) if first + second >= READABLE_MASS else None


def use_logprobs(answers: Answers, replies: Sequence[Sequence[Reply]], labels: tuple[str, str]) -> bool:
    """Tell whether log-probabilities of the labels are the answers; under ``auto``, if nearly all can be read."""
    if answers != "auto":
        return answers == "logprobs"
    answered = [attempts[-1] for attempts in replies if attempts[-1].finish != "error"]
    readable = sum(label_probabilities(reply, labels) is not None for reply in answered)
    return bool(answered) and readable >= LOGPROBS_NEEDED * len(answered)


def settle_by_logprobs(
    attempts: list[Attempt], replies: Sequence[Reply], labels: tuple[str, str]
) -> tuple[float, float] | None:
    """Settle a trial whose answers are log-probabilities, and return the labels' shares of their common probability.

    The outcome of the last attempt becomes a choice where they can be read. Where they cannot, a label that was
    sampled is not one: a letter would count as 0 or 1 among probabilities. ``None`` then, and for what was said in
    words: a refusal, an abstention, a failed call.
    """
    last = attempts[-1]
    if last.outcome not in {Outcome.CHOICE, *JUNK}:
        return None
    found = label_probabilities(replies[-1], labels)
    unread = last.outcome if last.outcome in JUNK else Outcome.UNPARSEABLE
    attempts[-1] = Attempt(last.key, Outcome.CHOICE if found else unread, last.text)
    return (found[0] / sum(found), found[1] / sum(found)) if found else None
