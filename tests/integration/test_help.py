"""What `pytest --help` and `llmpref plan --help` tell a user who looks for an option."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_llmpref.cli import main
from pytest_llmpref.config.options import OPTIONS, RECORD_MODE, WHERE_FILES_START, WHERE_FOLDERS_START
from pytest_llmpref.files import data_folder
from pytest_llmpref.plugin.settings import read_settings

PROFILES = {path.stem for path in (data_folder("fixtures") / "profiles").glob("*.toml")}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> str:
    import subprocess
    import sys

    command = [sys.executable, "-m", "pytest", "--help", "-p", "no:cacheprovider", "-p", "no:recording"]
    done = subprocess.run(command, cwd=tmp_path_factory.mktemp("help"), capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


def test_a_value_is_called_what_it_is(said):
    assert not re.findall(r"LLMPREF_\w+", said)
    assert "--model=NAME" in said
    assert "--llmpref-shard=NUMBER/COUNT" in said


@pytest.mark.parametrize("option", [one for one in (*OPTIONS, RECORD_MODE) if one.choices and one.kind is not bool])
def test_the_choices_are_listed_beside_the_option_and_beside_the_ini_key(said, option):
    assert f"{option.flag}={{{','.join(option.choices)}}}" in said
    assert re.search(rf"{option.ini} \(string\):.{{0,300}}\(one of {', '.join(option.choices)}; default: ", said)


def test_every_profile_is_named(said, capsys):
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    for text in (
        said.split("--llmpref-profile=PROFILE")[1][:160],
        capsys.readouterr().out.split("--profile PROFILE")[-1],
    ):
        assert set(re.findall(r"\w+", text)) >= PROFILES


@pytest.mark.parametrize("name", ["profile", "baseline", "entities", "boolq", "policy", "report_dir", "cassettes"])
def test_an_option_that_takes_a_path_says_where_a_relative_one_starts(said, name):
    start = WHERE_FOLDERS_START if name in {"report_dir", "cassettes"} else WHERE_FILES_START
    long = f"--llmpref-{name.replace('_', '-')}"
    for text in (said.split(f" {long}=")[1], said.split(f" llmpref_{name} (string): ")[1]):
        assert start in text.split(" --llmpref-")[0].split(" llmpref_")[0]


def test_relative_paths_start_where_the_help_says(pytester, monkeypatch):
    names = ("baseline", "entities", "boolq", "policy")
    lines = "".join(f"llmpref_{name} = {name}.csv\n" for name in names)
    pytester.makeini(f"[pytest]\n{lines}llmpref_report_dir = found\n")
    below = pytester.mkdir("below")
    monkeypatch.chdir(below)
    for words, folder in (
        ((), pytester.path),
        ([f"--llmpref-{name}={name}.csv" for name in names], below),
    ):
        settings = read_settings(pytester.parseconfig(*words), datetime.now(UTC), {})
        assert {name: Path(getattr(settings, name)) for name in names} == {
            name: folder / f"{name}.csv" for name in names
        }
        assert (settings.cassettes, settings.report_dir) == (pytester.path / "cassettes", pytester.path / "found")
