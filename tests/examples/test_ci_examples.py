"""The workflow examples parse, and name commands and options that there are."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from repository import ROOT

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cli import COMMANDS
from pytest_llmpref.config.options import OPTIONS, RECORD_MODE
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Message, Reply, Request

FOLDER = data_folder("fixtures") / "ci"
KNOWN = {option.flag for option in (*OPTIONS, RECORD_MODE)} | {"--junitxml"}
EXAMPLES = ("github.yml", "github-nightly.yml", "github-shards.yml", "gitlab.yml")


def jobs(name):
    found = yaml.safe_load((FOLDER / name).read_text())
    if name.startswith("github"):
        assert True in found or "on" in found  # YAML 1.1 reads the key "on" as true
        return {job: [step["run"] for step in body["steps"] if "run" in step] for job, body in found["jobs"].items()}
    return {job: body["script"] for job, body in found.items() if "script" in body}


def variables(name):
    found = yaml.safe_load((FOLDER / name).read_text())
    return {"LLMPREF_PROFILE": ""} | (found["env"] if name.startswith("github") else found["variables"])


def commands(name):
    return [line for scripts in jobs(name).values() for script in scripts for line in script.splitlines()]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_the_gate_with_options_that_there_are(name):
    ours = [shlex.split(line.partition(" || ")[0]) for line in commands(name)]
    gates = [words for words in ours if words[0] == "pytest" and "--collect-only" not in words]
    assert len(gates) == 2
    assert [words[words.index("--record-mode") + 1] for words in gates].count("none") == 1
    for words in gates:
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        assert flags <= KNOWN, flags - KNOWN
        assert words[words.index("--record-mode") + 1] in RECORD_MODE.choices
        assert Path(words[1]) == Path("suites/release_gate")
        profile = words[words.index("--profile") + 1].replace("$LLMPREF_PROFILE", variables(name)["LLMPREF_PROFILE"])
        assert profile in {"gate", "paper"}  # those at which the gate can open


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_a_workflow_replays_what_the_page_records(name):
    page = (ROOT / "docs/how-to/first-gate.md").read_text()
    recorded = re.findall(r"^pytest .* --profile (\w+) --record-mode new_episodes$", page, re.MULTILINE)
    replayed = re.findall(r"^pytest .* --profile (\w+) --record-mode none", page, re.MULTILINE)
    assert {*recorded} == {*replayed} == {variables(name)["LLMPREF_PROFILE"]}
    texts = [line for line in commands(name) if line.startswith("pytest")]
    assert all('--profile "$LLMPREF_PROFILE"' in line for line in texts)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_head_says_what_to_set_which_secret_and_which_check_to_require(name):
    text = (FOLDER / name).read_text()
    head = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    for name_of_variable in yaml.safe_load(text)["env" if name.startswith("github") else "variables"]:
        assert name_of_variable in head
    secrets = set(re.findall(r"secrets\.(\w+)", text)) or {"OPENAI_API_KEY"}
    assert all(f"as {secret}" in head for secret in secrets)
    (required,) = re.findall(
        r'(?:status check|check to require is|the job) "([\w ]+)"(?:, the name| then counts|, of)', head
    )
    assert required in jobs("github.yml" if name.startswith("github") else name)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("github")])
def test_a_job_that_is_run_again_can_upload_again(name):
    """The action refuses a second artifact of one name in a run, of which an attempt at it is a part."""
    bodies = yaml.safe_load((FOLDER / name).read_text())["jobs"].values()
    uploads = [step for body in bodies for step in body["steps"] if "upload-artifact" in step.get("uses", "")]
    assert uploads
    assert all(step["with"]["overwrite"] is True for step in uploads)


def record(folder, *models):
    for model in models:
        request = Request(model, (Message("user", "Tea or mud?"),), 1.0, 8)
        Cassette.open(folder / "cassettes", model).append(request, Reply("tea", "stop"))
        Cassette.open(folder / "cassettes", model).pack()


@pytest.fixture
def look(tmp_path):
    """Return what runs a workflow's look for recordings, as the CI service would, with some model's name."""
    program = tmp_path / "bin/llmpref"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pytest_llmpref "$@"\n')
    program.chmod(0o755)

    def run(name, model):
        (script,) = [one for scripts in jobs(name).values() for one in scripts if "cassettes list" in one]
        env = os.environ | {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "LLMPREF_MODEL": model,
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        }
        # GitLab's shell is stricter than GitHub's; either holds for both.
        words = ["bash", "-eo", "pipefail", "-c", script]
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return run


@pytest.mark.skipif(os.name == "nt", reason="the workflows' shell is bash")
@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_a_look_for_recordings_finds_those_of_the_model_alone(name, look, tmp_path):
    record(tmp_path, "hosted_vllm/sim/paper-a", "openai/gpt-4.1-nano")
    # An old one, which nobody replays and nobody can read any more.
    (tmp_path / "cassettes/a--old.jsonl.gz").write_bytes(b"torn")
    for model in ("hosted_vllm/sim/paper-a", "openai/gpt-4.1-nano"):
        done = look(name, model)
        assert (done.returncode, done.stdout) == (0, "")
        assert "a--old.jsonl.gz: not a gzip file" in done.stderr
    for model in ("sim/paper-a", "paper-a", "hosted_vllm/sim/paper", "openai/gpt-4.1", "openai/gpt-4.1.nano", "model"):
        done = look(name, model)
        assert done.returncode == 1
        assert f"No recording of {model} can be read" in done.stdout
    assert "restore that from version control" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="the workflows' shell is bash")
@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_without_a_folder_of_recordings_the_look_says_how_to_record(name, look):
    done = look(name, "openai/gpt-4.1-nano")
    assert done.returncode == 1
    assert "If it was never recorded" in done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_job_that_records_takes_up_what_it_recorded_before(name):
    """What is recorded was paid for, and a job may end before all is."""
    found = yaml.safe_load((FOLDER / name).read_text())
    if name == "gitlab.yml":
        (kept,) = [one for one in found["record"]["cache"] if "cassettes/*.jsonl" in one["paths"]]
        assert kept["when"] == "always"
        return
    for body in found["jobs"].values():
        uses = [step.get("uses", "").partition("@")[0] for step in body["steps"]]
        for number, step in enumerate(body["steps"]):
            if "new_episodes" in step.get("run", ""):
                assert {"actions/download-artifact", "actions/cache/restore"} & {*uses[:number]}
                assert {"actions/upload-artifact", "actions/cache/save"} & {*uses[number:]}
                # The rest of the job needs time to keep it.
                assert step["timeout-minutes"] < body["timeout-minutes"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_job_installs_the_versions_that_were_committed_and_caches_them(name):
    text = (FOLDER / name).read_text()
    installs = text.count('pip install "$LLMPREF_PACKAGE"')
    assert installs == text.count("if [ -f constraints.txt ]; then export PIP_CONSTRAINT=") > 0
    assert text.count("cache: pip" if name.startswith("github") else "key: pip") >= installs
    assert "pip freeze --exclude-editable --exclude pytest-llmpref > constraints.txt" in text


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 0), (2, 0), (4, 4)])
@pytest.mark.skipif(os.name == "nt", reason="the workflow's shell is bash")
def test_a_night_that_reaches_its_limit_is_no_failure(status, code, tmp_path):
    steps = yaml.safe_load((FOLDER / "github-nightly.yml").read_text())["jobs"]["record"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "recorded"]
    (tmp_path / "pytest").write_text(f"#!/bin/sh\nexit {status}\n")
    (tmp_path / "pytest").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output")}
    done = subprocess.run(["bash", "-e", "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("The next night continues" in done.stdout) == (status == 2)
    assert status > 2 or (tmp_path / "output").read_text() == f"status={status}\n"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_subcommands_that_there_are(name):
    from importlib import import_module

    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for module in dict.fromkeys(COMMANDS.values()):
        import_module(f"pytest_llmpref.cli.{module}").add(subparsers)
    lines = [shlex.split(line) for line in commands(name) if line.startswith("llmpref")]
    assert lines
    for words in lines:
        parser.parse_args(words[1:])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_keeps_the_report_whatever_the_outcome(name):
    text = (FOLDER / name).read_text()
    assert "reports/latest/" in text
    assert re.search(r"if: always\(\)|when: always", text)
    assert "junit.xml" in text
