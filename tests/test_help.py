"""What `pytest --help` and `llmpref plan --help` tell a user who looks for an option."""

import re

import pytest

from pytest_llmpref.cli import main
from pytest_llmpref.options import OPTIONS, RECORD_MODE
from pytest_llmpref.resources import data_folder

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
