"""Foreign text is shown as it is: no name in a file speaks to the terminal, or to a CI service."""

import json
import re
from pathlib import Path

import pytest
from hostile_names import is_safe, results

from pytest_llmpref.cassettes import Cassette, CassetteWarning
from pytest_llmpref.characters import in_code, in_json, in_markdown, on_lines, on_one_line
from pytest_llmpref.cli import main
from pytest_llmpref.config.entities import EntityFileError
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import Message, Reply, Request

HOSTILE = [
    "::error::owned",
    "  ::add-mask::a",
    "x\n::error::owned",
    "x\r::error::owned",
    "x\u2028::error::owned",
    "x\x85::error::owned",
    "x\xa0::error::owned",
    "##[error]owned",
    "x ##[command]y",
    "##vso[task.setvariable variable=a]b",
    "##teamcity[buildProblem description='x']",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31mred",
    "\x1b[0Ksection_start:1:a\r\x1b[0K",
    "\x08\x08\x7f\x00\x0b",
    "a\u202egpj.exe",
    "a\u2066b\u2069",
    "a\ufeffb\u200bc\u00ad",
    "\ud800",
    f"{'a' * 79} ::error::wrapped",
    f"{'a ' * 38}::error::wrapped",
    f"{'a' * 76}::error::wrapped",
]
HARMLESS = [
    "tests/test_x.py::test_y[a-b]",
    "José, 日本 (NPO) & Söhne",
    "नागरिक",
    "می\u200cخواهم",
    "👩\u200d👩\u200d👧",
    "a: b :c #d",
    "C:\\x",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_not_obeyed(text):
    for shown in (on_one_line(text), on_lines(text), in_markdown(text), in_code(text)):
        assert is_safe(shown)
        assert on_lines(shown) == shown, "escaping twice changes nothing"
    assert "\n" not in on_one_line(text) + in_markdown(text) + in_code(text)
    assert text.isprintable() or on_one_line(text) != text


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays(text):
    assert on_one_line(text) == on_lines(text) == in_code(text) == text


def test_line_breaks_of_ours_stay():
    assert on_lines("a\nb\n  c") == "a\nb\n  c"


@pytest.mark.parametrize("text", HOSTILE)
def test_json_reads_the_same_and_is_safe_to_print(text):
    record = {text: [text, "é"]} if text != "\ud800" else {"a": 1}
    for indent in (None, 2):
        printed = in_json(json.dumps(record, ensure_ascii=False, indent=indent))
        assert json.loads(printed) == record
        assert is_safe(printed)


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[a](https://evil.example) ![b](https://evil.example/x.png)",
        "https://evil.example www.evil.example",
        "# *a* _b_ `c` ~~d~~ | e | @team $x$ &lt;",
        "\\*a\\*",
        *[text for text in HOSTILE if text.isprintable()],
    ],
)
def test_markdown_shows_what_the_text_says(text):
    markdown = (
        pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False}).enable(["table", "strikethrough"])
    )
    html = markdown.render(f"- {in_markdown(text)}\n")
    assert not re.search("<(?!/?(ul|li|p)>)", html)
    assert "https://" not in in_markdown(text)
    assert "www." not in in_markdown(text)


def test_every_error_and_warning_of_ours_is_safe_whoever_shows_it():
    for text in HOSTILE:
        for kind in (LLMPrefError, CassetteWarning):
            assert is_safe(str(kind(f"file: no {text}, but {text}\n{text}")))
        assert is_safe(str(EntityFileError(Path(text), [text, f"x\n{text}"])))


@pytest.mark.parametrize("name", [text for text in HOSTILE if text != "\ud800"])
def test_cassettes_are_listed_checked_and_scanned_safely(tmp_path, capsys, name):
    cassette = Cassette.open(tmp_path, name)
    cassette.append(Request(name, (Message("user", "?"),), 1.0, 8), Reply("A", "stop"))
    for action in ("list", "check", "scan"):
        assert main(["cassettes", action, f"--folder={tmp_path}"]) == 0
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"v":1', b'"v":9'))
    for action in ("list", "check", "scan"):
        assert main(["cassettes", action, f"--folder={tmp_path}"]) == 1
    said = capsys.readouterr()
    assert is_safe(said.out + said.err)


@pytest.mark.parametrize("name", [text for text in HOSTILE if text != "\ud800"])
def test_a_plan_and_conflicting_recordings_are_shown_safely(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", f"--model={name}", "--profile=smoke"]) == 0
    for folder in ("one", "other"):
        cassette = Cassette.open(tmp_path / folder, name)
        cassette.append(Request(name, (Message("user", name),), 1.0, 8), Reply(f"{folder}\n{name}", "stop"))
    assert main(["cassettes", "merge", "one", "other"]) == 1
    said = capsys.readouterr()
    assert "1 question has different replies" in said.err
    assert is_safe(said.out + said.err)


@pytest.mark.parametrize("name", ["a\x1b[2J\n::error::b", "\r::warning::b", "##vso[task]b", "b\u202e"])
def test_files_with_hostile_names_are_named_safely(tmp_path, capsys, name):
    (tmp_path / f"{name}.jsonl").write_text('{"v":1,"\x1b[31m":\n')
    (tmp_path / f"{name}.yaml").write_text("a: [\n  ::error::\x1b")
    for action in ("list", "check", "scan", "merge"):
        assert main(["cassettes", action, *([str(tmp_path)] * (action == "merge")), f"--folder={tmp_path}"]) == 1
    said = capsys.readouterr()
    assert is_safe(said.out + said.err)


@pytest.mark.parametrize("name", [text for text in HOSTILE if text != "\ud800"])
def test_releases_are_compared_safely(tmp_path, capsys, name):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_bytes(results(name, "supported"))
    new.write_bytes(results(name, "refuted"))
    assert main(["diff", str(old), str(new)]) == 1
    said = capsys.readouterr()
    assert "supported -> refuted" in said.out
    assert is_safe(said.out + said.err)
    assert main(["diff", "--json", str(old), str(new)]) == 1
    said = capsys.readouterr()
    assert name in json.loads(said.out)["models"]
    assert is_safe(said.out + said.err)
    new.write_text(json.dumps({"schema": 1, "run": {}, "models": {name: {"measures": {name: 1}}}}))
    assert main(["diff", str(old), str(new)]) == 2
    assert is_safe(capsys.readouterr().err)
