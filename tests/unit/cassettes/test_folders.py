"""Folders of recordings as others may leave them: merged, checked and scanned; whatever lies in them has a name."""

import json
import os
import re
from pathlib import Path

import pytest

from pytest_llmpref.cassettes import Cassette, CassetteError, Exchange, WireRequest, WireResponse
from pytest_llmpref.cassettes.folders import merge, models_in
from pytest_llmpref.cli import main
from pytest_llmpref.models.chat import Message, Reply, Request

QUESTION = Request("m", (Message("user", "Tea or mud?"),), 1.0, 8)


def recorded(folder: Path, *texts: str) -> Cassette:
    """Record the same question again and again, packed each time but the last."""
    cassette = Cassette.open(folder, "m")
    for number, text in enumerate(texts, 1):
        cassette.append(QUESTION, Reply(text, "stop"))
        if number < len(texts):
            cassette.pack()
    return cassette


def text(folder: Path) -> str:
    found = Cassette.open(folder, "m").get(QUESTION.key)
    assert found is not None
    return found.text


def test_a_folder_does_not_conflict_with_itself(tmp_path):
    recorded(tmp_path / "job", "packed", "recorded again")
    for added in (1, 0):
        (done,) = merge([tmp_path / "job"], tmp_path / "all")
        assert (done.added, done.known) == (added, 1 - added)
        assert text(tmp_path / "all") == "recorded again"


def test_the_same_merge_twice_changes_nothing(tmp_path):
    recorded(tmp_path / "all", "old")
    Cassette.open(tmp_path / "all", "m").pack()
    recorded(tmp_path / "job", "new")
    merge([tmp_path / "job"], tmp_path / "all", "latest")
    (again,) = merge([tmp_path / "job", tmp_path / "all"], tmp_path / "all")
    assert (again.added, again.known) == (0, 1)
    assert text(tmp_path / "all") == "new"


def test_a_folder_merges_with_itself_under_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded(Path("job"), "packed", "recorded again", "and again")
    (tmp_path / "same").symlink_to(tmp_path / "job")
    names = [Path("job"), tmp_path / "job", Path("job/../job"), tmp_path / "same"]
    for folder, added in ((Path("job"), 0), (Path("all"), 1), (Path("all"), 0)):
        (done,) = merge(names, folder)
        assert (done.added, done.known) == (added, 1 - added)
        assert text(folder) == "and again"


def test_a_failure_never_replaces_an_answer_whichever_comes_first(tmp_path):
    recorded(tmp_path / "answered", "tea")
    Cassette.open(tmp_path / "failed", "m").append(QUESTION, Reply("it broke", "error"))
    merge([tmp_path / "answered", tmp_path / "failed"], tmp_path / "one")
    merge([tmp_path / "failed", tmp_path / "answered"], tmp_path / "other")
    merge([tmp_path / "failed"], tmp_path / "answered", "latest")
    assert {text(tmp_path / folder) for folder in ("one", "other", "answered")} == {"tea"}


NAMES = ("hosted_vllm/sim/even-handed", "a--b", "a/b", "gpt--4--nano/x", "Org/Model-7B", "ollama/qwen3:8b")


def test_models_are_named_as_they_were_recorded_whatever_lies_beside_them(tmp_path):
    assert models_in(tmp_path / "nowhere") == []
    for number, name in enumerate(NAMES):
        cassette = Cassette.open(tmp_path, name)
        cassette.append(Request(name, QUESTION.messages, 1.0, 8), Reply("tea", "stop"))
        if number % 2:
            cassette.pack()
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "folder.jsonl").mkdir()
    assert models_in(tmp_path) == sorted(NAMES)


def test_folders_that_differ_still_conflict(tmp_path):
    recorded(tmp_path / "one", "tea")
    recorded(tmp_path / "other", "tea", "mud")
    with pytest.raises(CassetteError, match="1 question has different replies"):
        merge([tmp_path / "one", tmp_path / "other"], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
@pytest.mark.parametrize(
    ("make", "what"), [(make_folder, "a folder"), (os.mkfifo, "a named pipe"), (make_link, "a symbolic link")]
)
@pytest.mark.parametrize("action", ["check", "scan", "list"])
def test_what_is_no_file_is_named(tmp_path, capsys, action, make, what, name):
    make(tmp_path / name)
    assert main(["cassettes", action, "--folder", str(tmp_path)]) == 1
    said = "".join(capsys.readouterr())
    assert f"{name}: {'NOT READ: ' * (action == 'scan')}{what}" in said
    assert action == "scan" or "remove it, or put the file itself there" in said


@pytest.mark.parametrize("action", ["check", "scan"])
def test_deep_nesting_is_no_traceback(tmp_path, capsys, action):
    deep = "[" * 100_000
    exchange = Exchange(WireRequest("POST", "http://a/v1", {}, "{}"), WireResponse(200, "OK", {}, f"{deep}tea"))
    Cassette.open(tmp_path, "m").append(QUESTION, Reply("tea", "stop"), exchange)
    assert main(["cassettes", action, "--folder", str(tmp_path)]) == 0
    (tmp_path / "m.jsonl").write_text(f'{{"request": {deep}\n')
    assert main(["cassettes", action, "--folder", str(tmp_path)]) == 1
    assert "m.jsonl:1: not an interaction" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("part", "field"), [("reply", "prompt_tokens"), ("reply", "completion_tokens"), ("request", "max_tokens")]
)
@pytest.mark.parametrize("number", [10**400, 10**20, 2**64], ids=["10**400", "10**20", "2**64"])
def test_absurd_numbers_are_named(tmp_path, part, field, number):
    journal = recorded(tmp_path, "tea").journal
    line = json.loads(journal.read_bytes())
    line[part][field] = number
    journal.write_text(json.dumps(line) + "\n")
    with pytest.raises(CassetteError, match=rf"m\.jsonl:1: not an interaction \(.*\$\.{part}\.{field}"):
        Cassette.open(tmp_path, "m")


def test_absurd_numbers_in_a_tool_are_named(tmp_path):
    journal = recorded(tmp_path, "tea").journal
    line = json.loads(journal.read_bytes())
    line["request"]["tools"] = [{"name": "t", "description": "d", "parameters": {"n": 10**400}}]
    journal.write_text(json.dumps(line) + "\n")
    with pytest.raises(CassetteError, match=r"m\.jsonl:1: .* was changed by hand"):
        Cassette.open(tmp_path, "m")


def test_check_names_a_line_that_lost_a_number_and_the_others_are_read(tmp_path, capsys):
    journal = recorded(tmp_path, "tea").journal
    line = json.loads(journal.read_bytes())
    line["reply"]["top_logprobs"] = {"A": None}
    other = Request("m", (Message("user", "Milk?"),), 1.0, 8)
    journal.write_text(json.dumps(line) + "\n")
    with pytest.warns(match="asked again"):
        Cassette.open(tmp_path, "m").append(other, Reply("yes", "stop"))
    assert main(["cassettes", "check", "--folder", str(tmp_path)]) == 1
    assert re.search(r"m\.jsonl:1: .*top_logprobs.*asked again", capsys.readouterr().out)
    with pytest.warns(match="asked again"):
        assert main(["cassettes", "list", "--folder", str(tmp_path)]) == 0
    with pytest.warns(match="asked again"):
        (done,) = merge([tmp_path], tmp_path / "all")
    assert done.added == 1
