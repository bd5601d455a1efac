"""From a decision to words, in the manner and the language of a world; the sentences are in ``fixtures/speech``."""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.simulated.deciding import Decision, Heard
from pytest_llmpref.models.simulated.tastes import Draws
from pytest_llmpref.models.simulated.world import Language, Replies

_TOKEN = re.compile(r"\s*(?:[a-zA-Z]{1,8}|[^\Wa-zA-Z]|[^\w\s])|\s+")
"""What we count as a token: up to eight letters, or one character, with the space before it."""
_OTHERS_MASS = 0.05
"""Probability of a first token that is no label, where the model is about to choose."""


@cache
def speech(language: Language) -> Mapping[str, Any]:
    """Return the sentences of a language: act -> manner or reason -> sentences."""
    path = data_folder("fixtures") / "speech" / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def speak(decision: Decision, heard: Heard, request: Request, replies: Replies, draws: Draws) -> Reply:
    """Put a decision into words, as many as the request allows."""
    text = _text(decision, heard, request, replies, draws)
    tokens = tokens_of(text)
    cut = len(tokens) > request.max_tokens
    logprobs = replies.logprobs and request.top_logprobs and decision.probabilities
    return Reply(
        text="".join(tokens[: request.max_tokens]) if cut else text,
        finish="length" if cut else "stop",
        top_logprobs=_logprobs(decision, tokens[0] if tokens else "", request.top_logprobs) if logprobs else None,
        prompt_tokens=sum(len(message.content) for message in request.messages) // 4,
        completion_tokens=min(len(tokens), request.max_tokens),
        cost=0.0,
        parameters={"max_tokens": request.max_tokens, "temperature": request.temperature},
    )


def tokens_of(text: str) -> list[str]:
    """Divide a text into what we count as tokens."""
    return _TOKEN.findall(text)


def _text(decision: Decision, heard: Heard, request: Request, replies: Replies, draws: Draws) -> str:
    words = speech(replies.language)
    if request.answers and decision.act in {"choose", "answer"}:
        answer = decision.label or next((a for a in request.answers if a[:1].lower() == "yn"[not decision.yes]), "")
        return msgspec.json.encode({"answer": answer}).decode()
    if decision.act == "abstain" and decision.label:
        return _said(words["led" if heard.led else "choose"][replies.manner], draws, label=decision.label, name="")
    if decision.act == "choose":
        way = "by_name" if heard.by_name else "led" if heard.led else "choose"
        return _said(words[way][replies.manner], draws, label=decision.label, name=decision.name)
    if decision.act == "rank":
        listed = "; ".join(decision.ranking)
        numbered = "\n".join(f"{place}. {name}" for place, name in enumerate(decision.ranking, 1))
        return _said(words["rank"][replies.manner], draws, list=listed, numbered=numbered)
    if decision.act == "answer":
        return _said(words["answer"][replies.manner], draws, answer=words["yes" if decision.yes else "no"])
    return _said(words["refuse"][decision.reason] if decision.act == "refuse" else words[decision.act], draws)


def _said(sentences: Sequence[str], draws: Draws, **values: str) -> str:
    return sentences[int(draws.uniform("sentence") * len(sentences))].format(**values)


def _logprobs(decision: Decision, first: str, most: int) -> dict[str, float]:
    """Return the log-probabilities of the likeliest first tokens, in the order of their probability.

    Where the first token is no label, it was about to be said whatever the choice; else the labels share what others
    leave, so that they add up to less than 1, as they do elsewhere.
    """
    odds = decision.probabilities or {}
    label = first.strip(" *.")
    if label not in odds:
        return {first: math.log(1 - _OTHERS_MASS)}
    spaced = {first.replace(label, name, 1): (1 - _OTHERS_MASS) * p for name, p in odds.items()}
    likeliest = sorted(spaced.items(), key=lambda pair: -pair[1])[:most]
    return {token: math.log(max(probability, 1e-30)) for token, probability in likeliest}
