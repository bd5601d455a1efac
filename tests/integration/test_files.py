"""Links inside a project, a full disk and a pipe, as runs and commands of their own meet them."""

import shutil
import subprocess
import sys

import pytest
from repository import CORPUS

RESULTS = CORPUS / "results" / "whole.json"
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


@pytest.mark.parametrize("link", ["reports", "reports/latest"])
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
for write in (lambda: write_reports(results, folder / "latest"), lambda: write_results(large, folder / "latest")):
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


def test_results_may_come_through_a_pipe_of_the_shell():
    compare = f"{sys.executable} -m pytest_llmpref diff"
    through = subprocess.run(
        ["bash", "-c", f"{compare} <(cat {RESULTS}) {RESULTS}"], capture_output=True, text=True, check=False
    )
    itself = subprocess.run([*compare.split(), RESULTS, RESULTS], capture_output=True, text=True, check=False)
    assert (through.returncode, through.stderr) == (itself.returncode, "")
    assert through.stdout.replace("/dev/fd/63", str(RESULTS)) == itself.stdout
