"""Runs are kept by date, and ``latest`` is the newest full one."""

import json
import re

import pytest

TWO = """
    from pytest_llmpref import spearman

    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5

    def test_again(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.4
"""
FILES = {"results.json", "report.html", "summary.md"}
DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z")


def kept(pytester):
    """Return the folders of the runs, oldest first."""
    return sorted(path for path in (pytester.path / "reports").iterdir() if path.name != "latest")


def claims(folder):
    models = json.loads((folder / "results.json").read_text())["models"]
    return [claim["nodeid"].partition("::")[2] for claim in models["sim/plain"]["claims"]]


def test_every_run_is_kept_and_the_newest_full_one_is_the_latest(suite, pytester):
    for count in (1, 2):
        run = suite(TWO)
        assert run.ret == 0
        run.stdout.fnmatch_lines(["results  reports/latest/results.json"])
        assert len(kept(pytester)) == count
    latest = pytester.path / "reports/latest"
    assert not latest.is_symlink()
    for folder in kept(pytester):
        assert DATED.fullmatch(folder.name)
        assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES:
        assert (latest / name).read_bytes() == (kept(pytester)[-1] / name).read_bytes()
    assert json.loads((latest / "results.json").read_text())["run"]["part"] == ""


PARTS = {
    "-k": (["-k", "again"], "chosen by -k"),
    "node id": (["test_it.py::test_again"], "chosen by node id"),
    "deselect": (["--deselect", "test_it.py::test_follows"], "chosen by --deselect"),
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize("name", PARTS)
def test_a_part_does_not_replace_a_full_run_and_says_where_it_is(suite, pytester, name, workers):
    words, why = PARTS[name]
    assert suite(TWO).ret == 0
    latest = pytester.path / "reports/latest"
    before = {path.name: path.read_bytes() for path in latest.iterdir()}
    run = suite(TWO, *words, *workers)
    assert run.ret == 0
    assert {path.name: path.read_bytes() for path in latest.iterdir()} == before
    full, part = kept(pytester)
    assert len(claims(full)) == 2
    assert claims(part) == ["test_again[sim/plain]"]
    assert json.loads((part / "results.json").read_text())["run"]["part"] == why
    run.stdout.fnmatch_lines(
        [
            f"report   reports/{part.name}/report.html",
            f"results  reports/{part.name}/results.json",
        ]
    )
    assert f"PART OF THE TESTS ({why}): reports/latest keeps the full run of 20" in " ".join(run.stdout.str().split())
    assert f"Part of the tests ({why})" in (part / "summary.md").read_text()
    assert why in (part / "report.html").read_text()


def test_a_part_is_the_latest_until_there_is_a_full_run(suite, pytester):
    latest = pytester.path / "reports/latest"
    for word in ("again", "follows"):
        run = suite(TWO, "-k", word)
        run.stdout.fnmatch_lines(["results  reports/latest/results.json", "PART OF THE TESTS (chosen by -k)"])
        assert claims(latest) == [f"test_{word}[sim/plain]"]
    suite(TWO)
    assert len(claims(latest)) == 2


def test_a_run_that_ended_early_is_a_part(suite, pytester):
    failing = TWO.replace("> 0.5", "< -0.5")
    run = suite(failing, "-x")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    (folder,) = kept(pytester)
    assert json.loads((folder / "results.json").read_text())["run"]["part"] == "stopping after 1 failures"


def test_the_oldest_runs_go_and_nothing_else_does(suite, pytester):
    reports = pytester.path / "reports"
    for name in ("release-1", "2020-01-01T00-00-00.000Z", "2020-01-01T00-00-00.000Z-mine"):
        (reports / name).mkdir(parents=True)
        (reports / name / "results.json").write_text("mine")
    elsewhere = pytester.mkdir("elsewhere")
    (elsewhere / "results.json").write_text("mine")
    (reports / "2020-01-02T00-00-00.000Z").symlink_to(elsewhere)
    for _ in range(2):
        suite(TWO, "--llmpref-keep-runs=1")
    names = {path.name for path in reports.iterdir()}
    assert names >= {"latest", "release-1", "2020-01-01T00-00-00.000Z-mine", "2020-01-02T00-00-00.000Z"}
    assert "2020-01-01T00-00-00.000Z" not in names
    assert len([name for name in names if DATED.fullmatch(name)]) == 2  # the link, and the last run
    assert (elsewhere / "results.json").read_text() == "mine"


def test_what_cannot_be_drawn_leaves_no_earlier_report_in_latest(suite, pytester):
    suite(TWO)
    pytester.makeconftest("""
        import pytest_llmpref.report.page
        def page(results):
            raise ZeroDivisionError
        pytest_llmpref.report.page.page = page
    """)
    run = suite(TWO)
    run.stdout.fnmatch_lines(["*report.html:*", "*cannot be drawn (ZeroDivisionError: )*"])
    latest = pytester.path / "reports/latest"
    assert {path.name for path in latest.iterdir()} == {"results.json", "summary.md"}
    assert (latest / "results.json").read_bytes() == (kept(pytester)[-1] / "results.json").read_bytes()


def test_a_full_run_of_an_ini_file_that_selects_is_the_latest(suite, pytester):
    pytester.makeini("[pytest]\naddopts = -k again\n")
    suite(TWO)
    latest = pytester.path / "reports/latest"
    assert json.loads((latest / "results.json").read_text())["run"]["part"] == ""


def test_no_file_is_shown_that_could_not_be_written(suite, pytester):
    (pytester.path / "taken").write_text("a file, and no folder")
    run = suite(TWO, "--report-dir=taken")
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR
    shown = " ".join(run.stdout.str().split())
    assert "results.json: cannot write (" in shown
    assert not [line for line in run.outlines if line.startswith(("report ", "results "))]
