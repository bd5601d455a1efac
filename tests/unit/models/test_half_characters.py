"""Half a character in a question or a reply."""

import json

import pytest

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.characters import whole_text
from pytest_llmpref.config.items import ItemFileError, load_items
from pytest_llmpref.models.chat import Message, Reply, Request, ToolCall

HALF = "\ud800"
MODEL = "openai/served"
ASKED = Request(MODEL, (Message("user", "Which one?"),), 1.0, 8)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(f"A {HALF}", f"stop{HALF}", HALF, {HALF: -0.1}, parameters={"user": HALF}),
        Reply("", "tool_calls", tool_calls=(ToolCall(HALF, HALF, HALF),)),
    ],
    ids=["texts", "calls"],
)
def test_another_packages_model_may_answer_so(tmp_path, reply):
    recorded = Cassette.open(tmp_path, MODEL).append(ASKED, reply)
    assert Cassette.open(tmp_path, MODEL).get(ASKED.key) == recorded
    assert "\ufffd" in str(recorded)


def test_a_question_with_half_a_character_is_named(tmp_path):
    row = {"question": "is it", "passage": f"It {HALF} is.", "answer": True}
    (tmp_path / "own.jsonl").write_text(json.dumps(row))
    with pytest.raises(ItemFileError, match="passage: holds half a character"):
        load_items(str(tmp_path / "own.jsonl"))


@pytest.mark.parametrize(
    ("text", "whole"),
    [("é\0A", "é\0A"), (HALF, "\ufffd"), ("\udc00\ud800", "\ufffd\ufffd"), ("\ud83d\ude00", "\U0001f600")],
)
def test_a_text_becomes_whole_once_and_for_all(text, whole):
    assert whole_text(text) == whole == whole_text(whole)
