"""Who answered: read from what is recorded, old recordings included."""

from datetime import UTC, datetime, timedelta

import msgspec

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cassettes.interaction import Interaction
from pytest_llmpref.cassettes.served import Served, served_in
from pytest_llmpref.models.chat import Message, Reply, Request

NAME = "openai/alias"
START = datetime(2026, 11, 29, 12, tzinfo=UTC)


def recorded(number: int, served: str, fingerprint: str = "", finish: str = "stop", **of_request) -> Interaction:
    request = Request(NAME, (Message("user", f"Question {number}"),), 1.0, 8, **of_request)
    reply = Reply("A", finish, served=served, fingerprint=fingerprint)
    return Interaction(1, request.key, request, reply, START + timedelta(minutes=number))


def test_a_moved_alias_shows_with_dates():
    lines = [recorded(3, "m-2"), recorded(0, "m-1", "fp"), recorded(1, "m-1", "fp"), recorded(2, "m-1", "fp2")]
    assert served_in(lines) == [
        Served("m-1", "fp", 2, START, START + timedelta(minutes=1)),
        Served("m-1", "fp2", 1, START + timedelta(minutes=2), START + timedelta(minutes=2)),
        Served("m-2", "", 1, START + timedelta(minutes=3), START + timedelta(minutes=3)),
    ]


def test_what_no_model_answered_does_not_count():
    assert served_in([recorded(0, "", finish="error"), recorded(1, "", asked="agent")]) == []


def test_it_is_kept_in_the_cassette_and_packed(tmp_path):
    cassette = Cassette.open(tmp_path, NAME)
    one = recorded(0, "m-1", "fp")
    cassette.append(one.request, one.reply)
    cassette.pack()
    (line,) = Cassette.open(tmp_path, NAME).lines()
    assert (line.reply.served, line.reply.fingerprint) == ("m-1", "fp")


def test_a_line_of_before_loads_and_is_not_rewritten_longer():
    old = b'{"text":"A","finish":"stop","prompt_tokens":7}'
    reply = msgspec.json.decode(old, type=Reply)
    assert (reply.served, reply.fingerprint, reply.reasoning_tokens) == ("", "", 0)
    assert b"served" not in msgspec.json.encode(reply)
