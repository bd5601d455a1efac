"""The workflow examples parse, and name commands and options that there are."""

import argparse
import re
import shlex
from pathlib import Path

import pytest
import yaml
from repository import ROOT

from pytest_llmpref.cli import COMMANDS
from pytest_llmpref.config.options import OPTIONS, RECORD_MODE
from pytest_llmpref.files import data_folder

FOLDER = data_folder("fixtures") / "ci"
KNOWN = {option.flag for option in (*OPTIONS, RECORD_MODE)} | {"--junitxml"}
EXAMPLES = ("github.yml", "github-shards.yml", "gitlab.yml")


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
    ours = [shlex.split(line.removesuffix("|| true")) for line in commands(name)]
    gates = [words for words in ours if words[0] == "pytest"]
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


@pytest.mark.parametrize("name", ["github.yml", "github-shards.yml"])
def test_a_job_that_is_run_again_can_upload_again(name):
    """The action refuses a second artifact of one name in a run, of which an attempt at it is a part."""
    bodies = yaml.safe_load((FOLDER / name).read_text())["jobs"].values()
    uploads = [step for body in bodies for step in body["steps"] if "upload-artifact" in step.get("uses", "")]
    assert uploads
    assert all(step["with"]["overwrite"] is True for step in uploads)


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
