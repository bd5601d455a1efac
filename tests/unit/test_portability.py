"""What differs between systems: names of files, locks, bytes, and packages that may be absent."""

import ast
import os
import sys
from pathlib import Path

import pytest
from package_tree import MODULES, place, source

from pytest_llmpref.cassettes import Cassette, files
from pytest_llmpref.cassettes.files import slug
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.secrets import Secrets

POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
IN_THE_SANDBOX = {"experiments/agents/supervisor.py"}
"""Runs as a file of its own, under bubblewrap."""


def test_no_module_of_an_ordinary_run_imports_what_only_posix_has():
    found = {place(path): names for path in MODULES if (names := source(path).unguarded & POSIX_ONLY)}
    assert found.keys() <= IN_THE_SANDBOX, found


def test_strings_are_found_alike_with_and_without_ahocorasick(monkeypatch):
    needles = ("sk-", "Bearer ", "known secret", "nothing")
    texts = [f"{before}{needle}{after}".encode() for needle in needles for before in ("", "é") for after in ("", "b")]
    fast = Secrets(["known secret"])
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    plain = Secrets(["known secret"])
    assert [plain.suspected(text) for text in texts] == [fast.suspected(text) for text in texts]
    assert {plain.suspected(text) for text in texts} == {True, False}


def test_a_journal_is_closed_before_it_is_removed_where_no_file_locks_itself(tmp_path, monkeypatch):
    unlink = Path.unlink
    monkeypatch.setattr(files, "fcntl", None)

    def is_open(path):
        return any(os.path.realpath(descriptor) == str(path) for descriptor in Path("/proc/self/fd").iterdir())

    def as_windows(path, missing_ok=False):
        if path.suffix == ".jsonl" and is_open(path):
            raise PermissionError(13, "The process cannot access the file because it is being used")
        unlink(path, missing_ok)

    cassette = Cassette.open(tmp_path, "m")
    asked = Request("m", (Message("user", "?"),), temperature=0.0, max_tokens=1)
    cassette.append(asked, Reply("A", "stop"))
    with files.locked(cassette.journal), pytest.raises(PermissionError):
        as_windows(cassette.journal)
    monkeypatch.setattr(Path, "unlink", as_windows)
    cassette.pack()
    assert not cassette.journal.exists()
    assert Cassette.open(tmp_path, "m").get(asked.key) == Reply("A", "stop")


@pytest.mark.parametrize(
    "model",
    [
        "con", "CON", "con.x", "con:", "con/", "Nul", "aux", "COM1", "com1.gguf", "lpt9", "prn",
        "a:b", "a<b>", "a|c?*", "a.", "..",
    ],
)  # fmt: skip
def test_a_file_is_named_so_that_windows_can_have_it(model):
    for name in (f"{slug(model)}.jsonl", f"{slug(model)}.jsonl.gz", f"{slug(model)}.lock"):
        assert not set(name) & set('<>:"/\\|?*'), name
        assert name.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}, name
        assert not name.endswith((".", " "))


def test_no_two_names_share_a_file_where_capitals_are_not_told_apart():
    names = ["con", "CON", "Con", "con.x", "model-con", "a:b", "a-b", "A:B", "a--b", "a/b", "gpt-4", "GPT-4", "a.", "a"]
    assert len({slug(name).lower() for name in names}) == len(names)


def test_a_file_has_the_same_bytes_on_every_system():
    """Every text file is written with a newline of its own and an encoding of its own, or as bytes."""
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if "write_text" not in text and ".open(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            given = {keyword.arg for keyword in node.keywords}
            mode = next((arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)), "")
            writes = node.func.attr == "write_text" or (
                node.func.attr == "open" and isinstance(mode, str) and set(mode) & set("wax") and "b" not in mode
            )
            if writes and "pytest.ini" not in ast.unparse(node):
                assert {"encoding", "newline"} <= given, f"{place(path)}:{node.lineno}"
