"""Files that others may have laid traps for: nothing is followed, and nothing half-written stays."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmpref import files
from pytest_llmpref.report.loading import ResultsFileError, load_results
from pytest_llmpref.report.results import write_results
from pytest_llmpref.report.writing import ReportError, write_reports

RESULTS = Path(__file__).parent / "corpus" / "results" / "whole.json"


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
        write_results({}, tmp_path / "reports")
    assert target.read_text() == "mine"


def test_results_are_not_written_into_a_linked_folder(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "latest").symlink_to(tmp_path / "precious")
    with pytest.raises(ResultsFileError, match=r"latest: a symbolic link.*remove it"):
        write_results({}, tmp_path / "reports")
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


FULL = """
import resource, signal, sys
from pathlib import Path
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.report.loading import load_results
from pytest_llmpref.report.results import write_results
from pytest_llmpref.report.writing import write_reports
results, folder = load_results(Path(sys.argv[1])), Path(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for write in (lambda: write_reports(results, folder / "latest"), lambda: write_results({"x": "y" * 30_000}, folder)):
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
