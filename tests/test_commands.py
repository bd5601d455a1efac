"""The commands that lay out a project, and that look after recordings."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from pytest_llmpref.cli import main
from pytest_llmpref.commands.init import WORKFLOWS
from pytest_llmpref.resources import data_folder

ROOT = Path(__file__).parent.parent


def test_init_lays_what_users_edit_and_never_overwrites_unasked(tmp_path, capsys):
    assert main(["init", str(tmp_path)]) == 0
    laid = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    shipped = {Path("suites") / path.relative_to(data_folder("suites")) for path in data_folder("suites").rglob("*.py")}
    assert shipped <= laid
    assert {Path("suites/release_gate/policy.toml"), Path("entities/default.toml"), Path("profiles/smoke.toml")} <= laid
    assert "test_even_handed.py: written" in capsys.readouterr().out
    assert main(["init", str(tmp_path)]) == 0
    policy = tmp_path / "suites/release_gate/policy.toml"
    policy.write_text("# ours\n")
    assert main(["init", str(tmp_path)]) == 1
    assert "policy.toml" in capsys.readouterr().err
    assert policy.read_text() == "# ours\n"
    assert main(["init", str(tmp_path), "--force"]) == 0
    assert policy.read_text() != "# ours\n"


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_init_lays_the_workflow_that_is_shipped(tmp_path, service):
    assert main(["init", str(tmp_path), "--ci", service]) == 0
    shipped = data_folder("fixtures") / "ci" / f"{service}.yml"
    assert (tmp_path / WORKFLOWS[service]).read_bytes() == shipped.read_bytes()


@pytest.fixture
def cassettes(recorded, tmp_path):
    shutil.copytree(recorded / "cassettes", tmp_path / "cassettes")
    return tmp_path / "cassettes"


def test_recordings_are_listed_checked_and_scanned(cassettes, capsys):
    assert main(["cassettes", "list", f"--folder={cassettes}"]) == 0
    assert "sim/plain" in capsys.readouterr().out
    assert main(["cassettes", "check", f"--folder={cassettes}"]) == 0
    assert main(["cassettes", "scan", f"--folder={cassettes}"]) == 0
    assert "0 secrets found" in capsys.readouterr().out
    assert main(["cassettes", "list", "--folder=/nowhere/at/all"]) == 1


def test_a_secret_is_found_with_its_file_and_line_and_not_repeated(cassettes, capsys):
    path = cassettes / "sim--plain.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines()
    secret = "sk-proj-0123456789abcdefghij0123456789"
    line = json.loads(lines[2])
    line["reply"]["text"] = f"My key is {secret}"
    lines[2] = json.dumps(line).encode()
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    assert main(["cassettes", "scan", f"--folder={cassettes}"]) == 1
    said = capsys.readouterr().out
    assert f"{path}:3: OpenAI-like key" in said
    assert secret not in said


def test_a_changed_key_and_a_reply_that_its_response_does_not_hold_are_found(cassettes, capsys):
    shutil.copy(ROOT / "cassettes/local--smollm2-135m.jsonl.gz", cassettes)
    path = cassettes / "local--smollm2-135m.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines()[:3]
    line = json.loads(lines[1])
    line["reply"]["text"] = "Another answer."
    path.write_bytes(gzip.compress(b"\n".join([lines[0], json.dumps(line).encode(), lines[2]]) + b"\n"))
    assert main(["cassettes", "check", f"--folder={cassettes}"]) == 1
    assert f"{path}:2: the raw response does not hold the reply" in capsys.readouterr().out
    line["key"] = "0" * 32
    path.write_bytes(gzip.compress(b"\n".join([lines[0], json.dumps(line).encode(), lines[2]]) + b"\n"))
    assert main(["cassettes", "check", f"--folder={cassettes}"]) == 1
    assert "changed by hand" in capsys.readouterr().out
