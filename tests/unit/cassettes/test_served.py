"""Who answered is kept with what was answered."""

import msgspec

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.models.chat import Message, Reply, Request

NAME = "openai/alias"


def test_it_is_kept_in_the_cassette_and_packed(tmp_path):
    cassette = Cassette.open(tmp_path, NAME)
    asked = Request(NAME, (Message("user", "Which?"),), 1.0, 8)
    cassette.append(asked, Reply("A", "stop", served="m-1", fingerprint="fp"))
    cassette.pack()
    (line,) = Cassette.open(tmp_path, NAME).lines()
    assert (line.reply.served, line.reply.fingerprint) == ("m-1", "fp")


def test_a_line_of_before_loads_and_is_not_rewritten_longer():
    old = b'{"text":"A","finish":"stop","prompt_tokens":7}'
    reply = msgspec.json.decode(old, type=Reply)
    assert (reply.served, reply.fingerprint, reply.reasoning_tokens) == ("", "", 0)
    assert b"served" not in msgspec.json.encode(reply)
