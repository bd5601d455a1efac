"""Files that others may have laid traps for: nothing is followed, and nothing half-written stays."""

import os
import stat
from pathlib import Path

import pytest
from repository import CORPUS

from pytest_llmpref import files
from pytest_llmpref.cassettes import Cassette, CassetteWarning
from pytest_llmpref.cassettes.vcr_yaml import import_vcr_yaml
from pytest_llmpref.cli import main
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.items import load_items
from pytest_llmpref.config.policy import load_policy
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.simulated.world import load_world
from pytest_llmpref.report.page import ReportError, write_reports
from pytest_llmpref.results.loading import ResultsFileError, load_results
from pytest_llmpref.study.records import write_results

RESULTS = CORPUS / "results" / "whole.json"


@pytest.fixture(params=[True, False], ids=["O_NOFOLLOW", "without, emulated"])
def _no_follow(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(files, "_NO_FOLLOW", 0)
        monkeypatch.setattr(files, "_ALWAYS", files._ALWAYS & ~os.O_NOFOLLOW)


@pytest.mark.usefixtures("_no_follow")
@pytest.mark.parametrize("name", ["results.json.part", "results.json"])
def test_results_are_not_written_through_a_link(tmp_path, name):
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "reports" / "latest").mkdir(parents=True)
    (tmp_path / "reports" / "latest" / name).symlink_to(target)
    with pytest.raises(ResultsFileError, match=rf"{name}: a symbolic link.*remove it"):
        write_results(load_results(RESULTS), tmp_path / "reports" / "latest")
    assert target.read_text() == "mine"


def test_results_are_not_written_into_a_linked_folder(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "latest").symlink_to(tmp_path / "precious")
    with pytest.raises(ResultsFileError, match=r"latest: a symbolic link.*remove it"):
        write_results(load_results(RESULTS), tmp_path / "reports" / "latest")
    assert not list((tmp_path / "precious").iterdir())


@pytest.mark.parametrize("name", ["report.html.part", "summary.md.part", "summary.md"])
def test_reports_are_not_written_through_a_link(tmp_path, name):
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / name).symlink_to(target)
    with pytest.raises(ReportError, match=rf"{name}: a symbolic link"):
        write_reports(load_results(RESULTS), tmp_path / "latest")
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        ["cassettes", "pack", "sim/plain"],
        ["cassettes", "list"],
        ["cassettes", "scan"],
        ["cassettes", "check"],
        ["cassettes", "export", "sim/plain", "out.yaml"],
        ["cassettes", "import", "sim/plain", "in.yaml"],
        ["cassettes", "merge", "own"],
        ["cassettes", "merge", "cassettes", "--folder", "own"],
        ["plan", "--model", "sim/plain"],
        ["report", "cassettes/results.json"],
        ["report", "own/results.json", "--output", "cassettes/latest"],
    ],
    ids=lambda words: " ".join(words[:2] + words[-1:]),
)
def test_commands_refuse_a_folder_that_is_a_link(tmp_path, monkeypatch, capsys, words):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project" / "own").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    Path("own/results.json").write_bytes(RESULTS.read_bytes())
    Path("cassettes").symlink_to(tmp_path / "elsewhere")
    assert main(words) == 1
    assert f"llmpref: cassettes: a symbolic link to {tmp_path / 'elsewhere'}, and" in capsys.readouterr().err
    assert not list((tmp_path / "elsewhere").iterdir())


def test_commands_take_the_absolute_path_of_a_folder_elsewhere(tmp_path, monkeypatch, recorded, capsys):
    (tmp_path / "disk").symlink_to(recorded)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert main(["cassettes", "list", "--folder", str(tmp_path / "disk/cassettes")]) == 0
    assert "sim/plain" in capsys.readouterr().out


def test_an_export_is_not_written_through_a_link(tmp_path, recorded, capsys):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out.yaml").symlink_to(tmp_path / "precious")
    words = ["cassettes", "export", "sim/plain", str(tmp_path / "out.yaml"), "--folder", str(recorded / "cassettes")]
    with pytest.warns(CassetteWarning, match="have no HTTP"):
        assert main(words) == 1
    assert "out.yaml: a symbolic link" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.usefixtures("_no_follow")
def test_a_file_is_replaced_whole_and_new_ones_are_no_more_open_than_usual(tmp_path):
    path = tmp_path / "x"
    for content in (b"long and old", b"new"):
        files.write_whole(path, content, "x.part")
        assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


GIVEN = {
    "policy.toml": load_policy,
    "own.toml": load_entities,
    "own.csv": load_entities,
    "w.toml": load_world,
    "results.json": load_results,
    "c.yaml": lambda path: import_vcr_yaml(path, Cassette.open(path.parent / "own", "m")),
    "p.toml": lambda path: load_profile(str(path)),
    "q.jsonl": lambda path: load_items(str(path)),
}
"""Files that a project holds, or that its user names."""


@pytest.mark.parametrize("name", GIVEN)
def test_a_link_to_a_device_in_place_of_a_file_is_an_error_and_no_endless_read(tmp_path, name):
    """A pull request can commit such a link."""
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(LLMPrefError, match=rf"(?s){name}.*(a device, not a file|no such)"):
        GIVEN[name](tmp_path / name)


@pytest.mark.parametrize("name", sorted(GIVEN.keys() - {"results.json"}))
def test_a_pipe_in_place_of_a_file_is_an_error_and_no_endless_wait(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(LLMPrefError, match=rf"(?s){name}.*(a named pipe, not a file|no such)"):
        GIVEN[name](tmp_path / name)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "alpha = " + "9" * 5000, "a = " + "{a = " * 2000, "\xff"])
def test_an_absurd_policy_is_a_named_error(tmp_path, text):
    (tmp_path / "policy.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(LLMPrefError, match=r"policy\.toml: (is not valid TOML|is nested too|line 1 is not)"):
        load_policy(tmp_path / "policy.toml")


def test_an_endless_policy_is_a_named_error(tmp_path):
    with (tmp_path / "policy.toml").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(LLMPrefError, match=r"policy\.toml: has more than"):
        load_policy(tmp_path / "policy.toml")
