"""``llmpref cassettes scan``: reads our recordings and vcrpy's, and says what it read and what it did not."""

import gzip
import json
import os
import shutil

import pytest
import vcr
from repository import ROOT

from pytest_llmpref.cassettes import Cassette, Exchange, WireRequest, WireResponse
from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml
from pytest_llmpref.cli import main
from pytest_llmpref.models.chat import Message, Reply, Request

KEY = "sk-proj-Zt5wQ8nB2xK7mR4vH9cJ3gL6"
SHAPELESS = "Zt5wQ8nB2xK7mR4vH9cJ3gL6"


@pytest.fixture
def scanned(tmp_path, capsys):
    """Scan a folder that holds a file; return the status and what was said."""

    def run(name: str = "", content: str | bytes = ""):
        if name:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        status = main(["cassettes", "scan", f"--folder={tmp_path}"])
        said = capsys.readouterr().out
        assert KEY not in said
        assert SHAPELESS not in said
        return status, said

    return run


def test_the_jobs_of_batches_are_read_too(scanned):
    status, said = scanned("m.batches", f'{{"line": "submitted", "job": "a", "id": "{KEY}"}}\n')
    assert status == 1
    assert "m.batches:1: " in said


def recorded(folder, body: str = "{}") -> Cassette:
    cassette = Cassette.open(folder, "m")
    exchange = Exchange(WireRequest("POST", "https://a.example/v1", {}, ""), WireResponse(200, "OK", {}, body))
    cassette.append(Request("m", (Message("user", "?"),), 1.0, 8), Reply("A", "stop"), exchange)
    return cassette


def test_nothing_at_all_is_no_success(scanned, tmp_path):
    status, said = scanned()
    assert status == 1
    assert f"{tmp_path}: no recordings, so nothing was scanned" in said
    assert "0 secrets" not in said
    status, said = scanned("notes.md", "notes")
    assert status == 1
    assert "notes.md: not read, no recording" in said


def test_a_folder_that_is_not_there_is_no_success(tmp_path, capsys):
    assert main(["cassettes", "scan", f"--folder={tmp_path / 'typo'}"]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_what_was_read_is_named(scanned, tmp_path):
    export_vcr_yaml(recorded(tmp_path), tmp_path / "exported.yaml")
    recorded(tmp_path / "deeper").pack()
    status, said = scanned()
    assert status == 0
    assert f"{tmp_path / 'm.jsonl'}: read, 1 interactions" in said
    assert f"{tmp_path / 'deeper/m.jsonl.gz'}: read, 1 interactions" in said
    assert f"{tmp_path / 'exported.yaml'}: read, " in said
    assert said.endswith("0 secrets found in 3 files\n")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.yaml", f"interactions:\n- request: {{headers: {{authorization: [Bearer {KEY}]}}}}\n", 2),
        ("a.yml", f"interactions:\n- request:\n    uri: https://a.example/?x={KEY}\n", 3),
        ("test_x/test_y.yaml", f'interactions:\n- response:\n    body:\n      string: \'{{"e": "bad {KEY}"}}\'\n', 4),
        ("a.yaml", f"- request:\n    headers:\n      X-Api-Password:\n      - {SHAPELESS}\n", 4),
        ("a.yaml", f"- request:\n    headers:\n      Cookie: [theme=dark; session={SHAPELESS}]\n", 3),
        ("a.yaml", f'- body: |\n    {{"client_secret": "{SHAPELESS}"}}\n', 1),
        ("a.yaml", f"a: *none\n{KEY}: 1\n", 2),
        ("a.yaml", f"a: 1\n---\nb: !!python/object:os.system {KEY}\n", 3),
        ("a.json", json.dumps({"interactions": [{"headers": {"a": f"Bearer {KEY}"}}]}), 1),
        ("a.jsonl.cut", '{"v":1,"reply":{"text":"' + KEY, 1),
    ],
)
def test_a_secret_in_a_recording_of_another_kind_is_found(scanned, tmp_path, name, content, line):
    status, said = scanned(name, content)
    assert status == 1
    assert f"{tmp_path / name}:{line}: " in said
    assert "1 secret found in 1 file; revoke them, and record again" in said


@pytest.mark.parametrize("compressed", [False, True])
def test_a_secret_that_vcrpy_recorded_is_found(scanned, tmp_path, monkeypatch, compressed):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    body = json.dumps({"error": f"bad key {KEY}"}).encode()
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    path = tmp_path / "theirs.yaml"
    content = gzip.compress(body) if compressed else body
    with vcr.use_cassette(path, record_mode="once") as cassette:
        request = vcr.request.Request("GET", "http://a.example/", b"", {"accept": "*/*"})
        lists = {name: [value] for name, value in headers.items()}
        response = {"status": {"code": 200, "message": "OK"}, "headers": lists, "body": {"string": content}}
        cassette.append(request, response)
    assert KEY.encode() not in path.read_bytes() or not compressed
    status, said = scanned()
    assert status == 1
    assert "OpenAI-like key" in said


def test_placeholders_are_no_secrets(scanned):
    content = "- headers:\n    authorization: [REDACTED]\n    cookie: [DUMMY]\n    x-api-key: ['[scrubbed]']\n"
    assert scanned("a.yaml", content)[0] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yaml", "a: [1, 2\n"),
        ("a.yaml", b"a: \xff\n"),
        ("a.yaml", "[" * 100),
        ("a.yaml", f"a: !!binary |\n  {'iVBORw0KGgoAAAANSUhEUgAA/9j/'}\n"),
        ("a.json", b"\xff"),
        ("m.jsonl", "{}\n"),
        ("m.jsonl.gz", b"nothing"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_read(scanned, tmp_path, name, content):
    recorded(tmp_path / "whole")
    status, said = scanned(name, content)
    assert status == 1
    assert f"{tmp_path / name}: NOT READ: " in said
    assert "whole/m.jsonl: read, 1 interactions" in said
    assert said.endswith("0 secrets found in 1 file, 1 NOT READ\n")


def test_what_is_no_regular_file_is_not_opened(scanned, tmp_path):
    recorded(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "link.yaml").symlink_to("/etc/passwd")
    (tmp_path / "folder.jsonl").mkdir()
    status, said = scanned()
    assert status == 1
    assert "pipe.jsonl: NOT READ: a named pipe" in said
    assert "link.yaml: NOT READ: a symbolic link" in said


def test_the_committed_recordings_hold_no_secret(capsys, tmp_path):
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    assert main(["cassettes", "scan", f"--folder={tmp_path / 'cassettes'}"]) == 0
    files = list((ROOT / "cassettes").rglob("*.jsonl*"))
    assert f"0 secrets found in {len(files)} file" in capsys.readouterr().out
