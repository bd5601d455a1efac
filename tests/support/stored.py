"""Questions and replies for tests of the store, and a folder that holds some."""

from pathlib import Path

from pytest_llmpref.cassettes import (
    Cassette,
    Exchange,
    WireRequest,
    WireResponse,
)
from pytest_llmpref.models.chat import Message, Reply, Request

MODEL = "local/gemma-3-270m"
REPLY = Reply("A", "stop", None, {" A": -0.1, " B": -2.5}, 12, 1, 0.0, 0.25, {"temperature": 1.0, "seed": None})
EXCHANGE = Exchange(
    WireRequest(
        "POST", "http://127.0.0.1:8080/v1/chat/completions", {"content-type": ["application/json"]}, '{"a": 1}'
    ),
    WireResponse(200, "OK", {"content-type": ["application/json"]}, '{"choices": []}'),
)


def question(number: int, model: str = MODEL) -> Request:
    return Request(model, (Message("user", f"Question {number}?"),), 1.0, 8, repetition=number % 3, top_logprobs=5)


def recorded(folder: Path, count: int) -> Cassette:
    cassette = Cassette.open(folder, MODEL)
    for number in range(count):
        cassette.append(question(number), Reply(str(number), "stop"), EXCHANGE)
    return cassette
