"""The commands that lay out a project, and that look after recordings."""

import asyncio
import gc
import gzip
import json
import re
import shutil
from pathlib import Path

import pytest
from repository import ROOT

from pytest_llmpref.cli import COMMANDS, main
from pytest_llmpref.cli.init import WORKFLOWS
from pytest_llmpref.files import data_folder
from pytest_llmpref.results.json_schema import SCHEMA_FILE


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


def test_a_comparison_names_the_row_of_a_score_that_a_pair_cannot_have(tmp_path, capsys):
    whole = ROOT / "tests/fuzz/corpus/results/whole.json"
    record = json.loads(whole.read_text())
    ((model, found),) = record["models"].items()
    scores = found["measures"]["preference"]["trials"]["score"]
    row = next(number for number, score in enumerate(scores) if score is not None)
    scores[row] = 1.5
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(record))
    assert main(["diff", str(whole), str(edited)]) == 2
    said = f"{edited}: models.{model}.measures.preference: row {row} of the trials has score 1.5, which lies outside"
    assert said in capsys.readouterr().err


def test_a_comparison_is_printed_as_text_markdown_and_json(tmp_path, capsys):
    whole = str(ROOT / "tests/fuzz/corpus/results/whole.json")
    printed = {}
    for name in ("text", "markdown", "json"):
        status = main(["diff", whole, whole, "--format", name])
        printed[name] = capsys.readouterr().out
        assert status == 0
    assert printed["markdown"].startswith("## Compared with the last release\n\n")
    assert "Nothing changed beyond noise." in " ".join(printed["markdown"].split())
    assert "\n- **" in printed["markdown"]
    assert json.loads(printed["json"])["models"]
    assert main(["diff", whole, whole, "--json"]) == 0
    assert capsys.readouterr().out == printed["json"]


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_init_lays_the_workflow_that_is_shipped(tmp_path, service):
    assert main(["init", str(tmp_path), "--ci", service]) == 0
    shipped = data_folder("fixtures") / "ci" / f"{service}.yml"
    assert (tmp_path / WORKFLOWS[service]).read_bytes() == shipped.read_bytes()


def test_after_edits_init_still_adds_what_is_not_there_and_keeps_the_edits(tmp_path, capsys):
    assert main(["init", str(tmp_path)]) == 0
    policy = tmp_path / "suites/release_gate/policy.toml"
    policy.write_text("# ours\n")
    assert main(["init", str(tmp_path), "--ci", "gitlab"]) == 0
    said = capsys.readouterr().out
    assert (
        "kept, because these files exist and differ (--force overwrites them):\n  suites/release_gate/policy.toml\n"
        in said
    )
    assert (tmp_path / WORKFLOWS["gitlab"]).is_file()
    assert policy.read_text() == "# ours\n"


def test_init_adds_to_a_gitignore_and_says_what_a_configuration_of_the_users_lacks(tmp_path, capsys):
    (tmp_path / ".gitignore").write_text("node_modules/\n__pycache__/")
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.pytest.ini_options]\nllmpref_profile = "smoke"\n')
    assert main(["init", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert '  llmpref_entities = "entities/default.toml"\n  asyncio_default_fixture_loop_scope = "function"\n' in said
    assert 'llmpref_profile = "profiles' not in said
    assert not (tmp_path / "pytest.ini").exists()
    assert project.read_text() == '[tool.pytest.ini_options]\nllmpref_profile = "smoke"\n'
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["node_modules/", "__pycache__/"]
    assert len(lines) == len(set(lines))
    assert {".venv/", "reports/", "cassettes/**/*.jsonl"} <= set(lines)


def test_init_writes_a_pytest_ini_where_pyproject_configures_something_else(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 99\n")
    assert main(["init", str(tmp_path)]) == 0
    assert "llmpref_entities = entities/default.toml" in (tmp_path / "pytest.ini").read_text()


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


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", " empty"),
        (b"x", " not a gzip file"),
        (b"{}\n" * 99, " not a gzip file"),
        (gzip.compress(b"{}\n" * 99)[:12], " truncated, before a line of it can be read"),
        (gzip.compress(b"{}\n"), "1: not an interaction"),
    ],
    # Not its bytes: gzip writes the time.
    ids=["empty", "a letter", "plain", "cut", "other lines"],
)
def test_a_list_goes_on_past_a_file_that_cannot_be_read(cassettes, capsys, content, what):
    assert main(["cassettes", "list", f"--folder={cassettes}"]) == 0
    before = capsys.readouterr().out
    broken = cassettes / "a--first.jsonl.gz"
    broken.write_bytes(content)
    (cassettes / "imported").mkdir()
    (cassettes / "imported/a.jsonl.gz").write_bytes(content)
    assert main(["cassettes", "list", f"--folder={cassettes}"]) == 1
    said = capsys.readouterr()
    assert said.out == before
    assert "sim/plain" in said.out
    one, other, count = said.err.splitlines()
    assert one.startswith(f"{broken}:{what}")
    assert one.endswith("or delete it and record that model again")
    assert other.startswith(f"{cassettes / 'imported/a.jsonl.gz'}:")
    assert count == "2 of 4 files cannot be read, and are not listed"
    # Nor does the file hide what others hold from whoever mistypes a name.
    assert main(["cassettes", "pack", "sim/plian", f"--folder={cassettes}"]) == 1
    assert "it holds recordings of sim/always-a, sim/plain" in capsys.readouterr().err


def test_a_merge_of_folders_that_are_not_there_names_the_sources(cassettes, tmp_path, capsys):
    missing = tmp_path / "shards/shard-1"
    assert main(["cassettes", "merge", str(missing), f"--folder={cassettes}"]) == 1
    assert capsys.readouterr().err == (
        f"llmpref: {missing}: no such folder; name folders of recordings that there are (--folder is the one that they "
        "are added to)\n"
    )


@pytest.mark.parametrize("action", ["pack", "export"])
def test_a_model_that_was_not_recorded_is_an_error_that_lists_those_that_were(cassettes, tmp_path, capsys, action):
    before = sorted(cassettes.iterdir())
    file = [str(tmp_path / "out.yaml")] if action == "export" else []
    assert main(["cassettes", action, "sim/plian", *file, f"--folder={cassettes}"]) == 1
    said = capsys.readouterr().err
    assert f"sim/plian: nothing is recorded in {cassettes}; it holds recordings of sim/always-a, sim/plain" in said
    assert sorted(cassettes.iterdir()) == before
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["cassettes", action, "sim/plain", *file, f"--folder={empty}"]) == 1
    assert "it holds no recordings" in capsys.readouterr().err
    assert main(["cassettes", action, "sim/plain", *file, f"--folder={tmp_path / 'nowhere'}"]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert not list(empty.iterdir())
    assert not (tmp_path / "out.yaml").exists()


def test_the_results_schema_claims_nobodys_domain():
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["$id"] == "urn:pytest-llmpref:results:1"


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


# --- the command itself ---


def test_help_speaks_to_users(capsys):
    for words in (["--help"], *([command, "--help"] for command in COMMANDS)):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        said = capsys.readouterr().out
        assert said.startswith(f"usage: {' '.join(['llmpref', *words[:-1]])} ")
        assert "``" not in said
        assert "Each subcommand is a module" not in said


def test_every_command_is_listed_in_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    ([a-z-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert listed == list(COMMANDS)


def test_ctrl_c_ends_a_command_with_what_is_kept_and_one_line(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_llmpref.calibration.running.calibrate", interrupted)
    assert main(["calibrate", "--cells=advice/n=12"]) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "calibration.jsonl: holds what was finished; the same command goes on from there", "llmpref: interrupted"
    ]  # fmt: skip


def test_ctrl_c_before_a_server_runs_says_so_and_nothing_of_coroutines(monkeypatch, capsys, recwarn):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    assert main(["serve", "sim/paper-a"]) == 0
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
    assert capsys.readouterr().out == "stopped\n"
