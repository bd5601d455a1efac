"""Files that others may have laid traps for: nothing is followed, and nothing half-written stays."""

import os
import shutil
import stat
import subprocess
import sys
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
        write_results(load_results(RESULTS), tmp_path / "reports")
    assert target.read_text() == "mine"


def test_results_are_not_written_into_a_linked_folder(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "latest").symlink_to(tmp_path / "precious")
    with pytest.raises(ResultsFileError, match=r"latest: a symbolic link.*remove it"):
        write_results(load_results(RESULTS), tmp_path / "reports")
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


REPLAYED = """
from pytest_llmpref import spearman
def test_two_measures(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0.5
"""


def replay(pytester, recorded, *words, model="sim/plain"):
    pytester.makepyfile(test_it=REPLAYED)
    named = [f"--model={model}"] if model else []
    return pytester.runpytest_subprocess(
        *named, f"--llmpref-entities={recorded / 'twelve.csv'}", "-pno:cacheprovider", *words
    )


@pytest.mark.parametrize("link", ["cassettes", "cassettes/openai", "cassettes/openai/deep", "up/../cassettes"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_recordings_are_not_replayed_through_a_link_inside_the_project(pytester, recorded, tmp_path, link, absolute):
    elsewhere = tmp_path / "else\x1b[31mwhere"
    shutil.copytree(recorded / "cassettes", elsewhere)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in elsewhere.iterdir())
    planted = pytester.path / link.partition("/..")[0]
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.symlink_to(elsewhere)
    folder = pytester.path / link if absolute else link
    done = replay(pytester, recorded, f"--llmpref-cassettes={folder}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (said,) = [line for line in done.errlines if "a symbolic link" in line]
    assert f"--llmpref-cassettes: {planted}: a symbolic link to {tmp_path}/else\\x1b[31mwhere, and links" in said
    assert "give its absolute path" in said
    assert sorted((path.name, path.stat().st_mtime_ns) for path in elsewhere.iterdir()) == before


@pytest.mark.parametrize("link", ["reports", "reports/latest", "reports/latest/agentic"])
def test_no_report_is_written_through_a_link_inside_the_project(pytester, recorded, tmp_path, link):
    (tmp_path / "elsewhere").mkdir()
    (pytester.path / link).parent.mkdir(parents=True, exist_ok=True)
    (pytester.path / link).symlink_to(tmp_path / "elsewhere")
    done = replay(pytester, recorded, f"--llmpref-cassettes={recorded / 'cassettes'}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--report-dir: {pytester.path / link}: a symbolic link to {tmp_path / 'elsewhere'}" in done.stderr.str()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_links_that_lead_to_the_project_or_elsewhere_are_the_users_own(pytester, recorded, tmp_path, monkeypatch):
    """As on macOS, where /tmp is a link, or where recordings are kept on another disk."""
    (tmp_path / "disk").symlink_to(recorded)
    (tmp_path / "results").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "results")
    folders = f"--llmpref-cassettes={tmp_path / 'disk/cassettes'}", f"--report-dir={tmp_path / 'reports'}"
    assert replay(pytester, recorded, *folders).ret == 0
    assert (tmp_path / "results/latest/results.json").is_file()

    shutil.copytree(recorded / "cassettes", pytester.path / "cassettes")
    (tmp_path / "project").symlink_to(pytester.path)
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    for words in ((f"-c{tmp_path / 'project/pytest.ini'}",), (f"--rootdir={tmp_path / 'project'}",)):
        assert replay(pytester, recorded, *words, str(pytester.path)).ret == 0
    monkeypatch.chdir(pytester.path)
    through = f"--llmpref-cassettes={tmp_path / 'project/cassettes'}"
    assert replay(pytester, recorded, through).ret == 0
    (pytester.path / "cassettes").rename(pytester.path / "kept")
    (pytester.path / "cassettes").symlink_to("kept")
    assert replay(pytester, recorded, through).ret == pytest.ExitCode.USAGE_ERROR


def test_other_projects_may_have_links_of_such_names(pytester, recorded, tmp_path):
    for name in ("reports", "cassettes"):
        (pytester.path / name).symlink_to(tmp_path)
    pytester.makepyfile(test_theirs="def test_theirs(): pass")
    replay(pytester, recorded, model="").assert_outcomes(passed=1, skipped=1)


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


FULL = """
import resource, signal, sys
from pathlib import Path
import msgspec
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.results.loading import load_results
from pytest_llmpref.results.schema import EntityRecord
from pytest_llmpref.study.records import write_results
from pytest_llmpref.report.page import write_reports
results, folder = load_results(Path(sys.argv[1])), Path(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
large = msgspec.structs.replace(results, entities={"x": EntityRecord("y" * 30_000, "")})
for write in (lambda: write_reports(results, folder / "latest"), lambda: write_results(large, folder)):
    try:
        write()
    except LLMPrefError as error:
        print(error)
"""


def test_a_full_disk_names_the_file_and_leaves_no_draft(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(RESULTS), str(tmp_path)], capture_output=True, text=True, check=True
    )
    report, again, results = done.stdout.splitlines()
    assert "report.html: cannot write (" in report
    assert "llmpref report" in again
    assert "results.json: cannot write (" in results
    # The other report is small enough, and is written.
    assert [path.name for path in (tmp_path / "latest").iterdir()] == ["summary.md"]


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


def test_results_may_come_through_a_pipe_of_the_shell():
    compare = f"{sys.executable} -m pytest_llmpref diff"
    through = subprocess.run(
        ["bash", "-c", f"{compare} <(cat {RESULTS}) {RESULTS}"], capture_output=True, text=True, check=False
    )
    itself = subprocess.run([*compare.split(), RESULTS, RESULTS], capture_output=True, text=True, check=False)
    assert (through.returncode, through.stderr) == (itself.returncode, "")
    assert through.stdout.replace("/dev/fd/63", str(RESULTS)) == itself.stdout


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "alpha = " + "9" * 5000, "a = " + "{a = " * 2000, "\xff"])
def test_an_absurd_policy_is_a_named_error(tmp_path, text):
    (tmp_path / "policy.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(LLMPrefError, match=r"policy\.toml: not valid TOML"):
        load_policy(tmp_path / "policy.toml")


def test_an_endless_policy_is_a_named_error(tmp_path):
    with (tmp_path / "policy.toml").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(LLMPrefError, match=r"policy\.toml: more than"):
        load_policy(tmp_path / "policy.toml")
