r"""Half a character (a lone surrogate, such as ``\\ud800``) in what a provider sends: JSON can hold it, no file can.

Wherever it stands, the paid reply is kept, or the trial ends in an error that is recorded; never in a traceback.
"""

import asyncio
import json

import pytest
from loopback import Answer, completion, failure, serving

from pytest_llmpref.cassettes import Cassette, RecordingModel
from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml, import_vcr_yaml
from pytest_llmpref.cassettes.wire import WireReplayModel
from pytest_llmpref.models.chat import Message, Reply, Request, ToolCall
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.results.loading import load_results

HALF = "\ud800"
MODEL = "openai/served"
ASKED = Request(MODEL, (Message("user", "Which one?"),), 1.0, 8)


def calling(**changes):
    called = {"id": "call_1", "name": "read", "arguments": "{}"} | changes
    body = completion(None, finish="tool_calls")
    body["choices"][0]["message"]["tool_calls"] = [{"type": "function", "id": called.pop("id"), "function": called}]
    return body


def deep():
    body = completion("A")
    body["choices"][0]["message"][f"extra{HALF}"] = {"inner": [HALF]}
    return body


def called(*call):
    return Reply("", "tool_calls", tool_calls=(ToolCall(*call),))


ANSWERS = {
    "text": (completion(f"A {HALF}!"), Reply("A \ufffd!", "stop")),
    "second half": (completion("A \udc00!"), Reply("A \ufffd!", "stop")),
    "nothing else": (completion(HALF), Reply("\ufffd", "stop")),
    "two halves of one, in two parts": (
        completion([{"type": "text", "text": "A \ud83d"}, {"type": "text", "text": "\ude00"}]),
        Reply("A \U0001f600", "stop"),
    ),
    "refusal": (completion("", refusal=f"no {HALF}"), Reply("", "stop", "no \ufffd")),
    "finish": (completion("A", finish=f"stop{HALF}"), Reply("A", "stop\ufffd")),
    "log-probabilities": (
        completion("A", top_logprobs={f"A{HALF}": -0.1, "A\ud801": -1.0, "B": -2.0}),
        Reply("A", "stop", None, {"A\ufffd": -0.1, "B": -2.0}),
    ),
    "name of a call": (
        calling(name=f"re{HALF}"),
        called("call_1", "re\ufffd", "{}"),
    ),
    "id of a call": (calling(id=f"c{HALF}"), called("c\ufffd", "read", "{}")),
    "arguments": (
        calling(arguments=f'["{HALF}"]'),
        called("call_1", "read", '["\ufffd"]'),
    ),
    "escaped in arguments": (
        calling(arguments=json.dumps([HALF])),
        called("call_1", "read", '["\\ud800"]'),
    ),
    "model": ({**completion("A"), "model": HALF}, Reply("A", "stop")),
    "id": ({**completion("A"), "id": HALF}, Reply("A", "stop")),
    "name of a field": ({**completion("A"), HALF: 1}, Reply("openai/served: 'utf-8' codec", "error")),
    "name of a deep field": (deep(), Reply("openai/served: 'utf-8' codec", "error")),
    "message of an error": (failure(400, f"bad {HALF}"), Reply("openai/served: bad", "error")),
}
"""Where it stands -> what the provider sends, and what the reply is; of an error's text, how it begins."""


def ask(model):
    async def run():
        try:
            return await model.ask(ASKED)
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.mark.parametrize("place", ANSWERS)
def test_a_reply_with_half_a_character_is_the_same_live_recorded_replayed_and_exported(tmp_path, place):
    body, expected = ANSWERS[place]
    with serving() as server:
        server.default = body if isinstance(body, Answer) else Answer(body)
        options = {"api_base": server.api_base, "api_key": "sk-none-00000000", "timeout": 10, "max_tries": 2}
        live = ask(LiveModel(MODEL, **options)) if expected.finish != "error" else None
        reply = ask(RecordingModel(LiveModel(MODEL, **options), Cassette.open(tmp_path, MODEL)))
        before = len(server.received)
        cassette = Cassette.open(tmp_path, MODEL)
        assert ask(WireReplayModel(LiveModel(MODEL, **options, only_recorded=True), cassette)) == reply
        assert len(server.received) == before

    def said(one):
        return one.text, one.finish, one.refusal, one.top_logprobs, one.tool_calls

    if expected.finish == "error":
        assert reply.finish == "error"
        assert reply.text.startswith(expected.text)
    else:
        assert said(live) == said(reply) == said(expected)
        assert before == 2, "no reply is asked, and paid for, twice"
    assert cassette.get(ASKED.key) == reply
    export_vcr_yaml(cassette, tmp_path / "out.yaml")
    read_again = Cassette.open(tmp_path / "imported", MODEL)
    import_vcr_yaml(tmp_path / "out.yaml", read_again)
    assert read_again.get(ASKED.key) == reply


def test_a_study_of_such_replies_is_reported_and_replays_alike(live, pytester, server):
    """Every third reply ends in half a character: none is lost or asked again, and the reports are written."""
    planted = type(server).default.fget

    class Answering(type(server)):
        @property
        def default(self):
            answer = planted(self)
            if len(self.received) % 3 == 0:
                answer.body["choices"][0]["message"]["content"] += f" \U0001f600{HALF}"
            return answer

    server.__class__ = Answering
    ran = live("--record-mode=new_episodes", "--profile=smoke")
    asked = len(server.received)
    written = pytester.path / "reports" / "latest"
    first = load_results(written / "results.json")
    assert (written / "report.html").is_file()
    assert (written / "summary.md").is_file()
    assert "Traceback" not in ran.stdout.str() + ran.stderr.str()
    assert "\U0001f600\ufffd" in (written / "results.json").read_text(encoding="utf-8")
    for depth in ("reply", "wire"):
        replayed = live(f"--llmpref-replay={depth}", "--profile=smoke")
        assert replayed.ret == ran.ret
        again = load_results(written / "results.json")
        assert again.models == first.models
    live("--record-mode=new_episodes", "--profile=smoke")
    assert len(server.received) == asked
