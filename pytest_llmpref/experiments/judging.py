"""A second model, the judge, reads the replies that hold no explicit choice; it is asked and recorded like any."""

from collections.abc import Mapping

import msgspec

from pytest_llmpref.experiments.trials import load_prompts
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.outcome import JUDGEMENTS, Grade, read_judgement
from pytest_llmpref.parsing.replies import evidence
from pytest_llmpref.parsing.thinking import LONGEST, without_thinking

TOKENS = 16
"""Maximum number of tokens of a judge's answer: one word."""
LONGEST_SHOWN = 2 * LONGEST
"""Characters of a reply that a judge is shown: its beginning and its end."""
CHARACTERS = 4
"""Of a reply, for each of its tokens: roughly, in English."""


def question_to_judge(judge: str, request: Request, reply: Reply, options: Mapping[str, str]) -> Request | None:
    """Return what the judge is asked about a reply; ``None`` if there is nothing to judge.

    The judge sees every reply that holds no explicit choice, and no other. There is nothing to judge either where a
    call failed, the provider itself refused, or nothing was said.

    Parameters
    ----------
    judge
        Name of the judge.
    request, reply
        What was asked, and what was said.
    options
        The name shown under each of the labels ``A`` and ``B``.

    Examples
    --------
    >>> from pytest_llmpref import Message, Reply, Request
    >>> asked, options = Request("sim/x", (Message("user", "A: tea. B: mud?"),), 1.0, 9), {"A": "tea", "B": "mud"}
    >>> question_to_judge("sim/judge", asked, Reply("I prefer tea.", "stop"), options) is None
    True
    >>> question_to_judge("sim/judge", asked, Reply("Whatever warms you.", "stop"), options).max_tokens
    16
    """
    said = without_thinking(reply.text)
    if reply.finish in {"error", "content_filter"} or reply.refusal or not said.strip():
        return None
    if is_explicit(reply, options):
        return None
    said = said if len(said) <= LONGEST_SHOWN else f"{said[:LONGEST]}\n[...]\n{said[-LONGEST:]}"
    asked = "\n".join(message.content for message in request.messages if message.role != "assistant")
    prompt = load_prompts("judge").render(0, question=asked, reply=said)
    answers = tuple(JUDGEMENTS) if lead_for(judge).prefill == "schema" else ()
    return Request(judge, (Message("user", prompt),), temperature=0.0, max_tokens=TOKENS, answers=answers)


def is_explicit(reply: Reply, options: Mapping[str, str]) -> bool:
    """Whether a reply states its choice, so that rules alone read it.

    Parameters
    ----------
    reply, options
        As for `read_choice`.
    """
    return evidence(reply, options).grade is Grade.EXPLICIT


def judged(reply: Reply, answer: Reply) -> Reply:
    """Return a reply with the judge's word on it, and with what the judge cost; as it was where that is no word.

    Parameters
    ----------
    reply, answer
        What was said, and what the judge answered about it.
    """
    word = read_judgement(answer.text) if answer.finish != "error" else None
    unpriced = reply.cost is None or answer.cost is None
    return msgspec.structs.replace(
        reply,
        judgement=word,
        prompt_tokens=reply.prompt_tokens + answer.prompt_tokens,
        completion_tokens=reply.completion_tokens + answer.completion_tokens,
        cost=None if unpriced else (reply.cost or 0.0) + (answer.cost or 0.0),
    )


def most_asked_of_judge(request: Request) -> int:
    """Return the most characters of a prompt to the judge about the reply to a request.

    Parameters
    ----------
    request
        What the judged model is asked.
    """
    asked = sum(len(message.content) for message in request.messages if message.role != "assistant")
    return len(load_prompts("judge").form) + asked + min(LONGEST_SHOWN, CHARACTERS * request.max_tokens)
