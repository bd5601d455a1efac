"""Runs in copies of a process: each is one of its own, and what it is given is what a process begun anew is given."""

import os
from pathlib import Path

import pytest
from fork_server import PLUGIN, ForkServer
from forked_workers import IS_POSSIBLE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be copied here")
SHOWN = """
    import os, sys

    def test_it(pytestconfig):
        print("folder", os.getcwd(), sys.path[0], sys.argv[1:], os.environ.get("OURS"))
        print("imported", "pytest_llmpref.study.studies" in sys.modules)
"""


def shown(run: pytest.RunResult) -> list[str]:
    return [line for line in run.outlines if line.startswith(("folder", "imported"))]


def test_a_copy_has_the_folder_the_path_and_the_variables_of_its_own_run(pytester, monkeypatch):
    pytester.makepyfile(SHOWN)
    for number in ("one", "two"):
        monkeypatch.setenv("OURS", number)
        copy = shown(pytester.runpytest_subprocess("-s", "-q"))
        with monkeypatch.context() as patch:
            patch.setattr(pytester, "imported", ())
            fresh = shown(pytester.runpytest_subprocess("-s", "-q"))
        assert copy[0].endswith(f" {number}")
        assert copy[0].partition("[")[0] == fresh[0].partition("[")[0]
        assert (copy[1], fresh[1]) == ("imported True", "imported False")


def test_how_a_copy_ended_is_told_and_the_next_begins_anew(pytester):
    pytester.makepyfile("import os, sys\n\ndef test_it():\n    os.environ['OURS'] = sys.here = 'set'\n    os._exit(7)")
    assert pytester.runpytest_subprocess().ret == 7
    pytester.makepyfile("import os\n\ndef test_it():\n    os.abort()")
    assert pytester.runpytest_subprocess("-p", "no:faulthandler").ret == -6
    pytester.makepyfile(
        "import os, sys\n\ndef test_it():\n    assert not ('OURS' in os.environ or hasattr(sys, 'here'))"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_what_counts_when_a_process_starts_gives_it_one_begun_anew(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    pytester.makepyfile(SHOWN)
    assert shown(pytester.runpytest_subprocess("-s", "-q"))[1] == "imported False"


WORKERS = """
    import os, sys

    import pytest

    @pytest.mark.parametrize("number", range(6))
    def test_it(number, testrun_uid, worker_id):
        imported = "pytest_llmpref.study.studies" in sys.modules
        with open(f"{worker_id}.txt", "a") as file:
            print(os.getpid(), os.getcwd(), os.environ.get("OURS"), imported, file=file)
        assert os.environ.setdefault("SET_BY", worker_id) == worker_id
"""


@pytest.mark.skipif(not IS_POSSIBLE, reason="no process can be waited for here that is not a child")
def test_workers_are_copies_too_each_a_process_of_its_own(pytester, monkeypatch):
    pytester.makepyfile(WORKERS)
    monkeypatch.setenv("OURS", "set")
    pytester.runpytest_subprocess("-n2").assert_outcomes(passed=6)
    said = {path.read_text() for path in pytester.path.glob("gw?.txt")}
    folder = str(pytester.path)
    assert {tuple(line.split()[1:]) for one in said for line in one.splitlines()} == {(folder, "set", "True")}
    processes = {line.split()[0] for one in said for line in one.splitlines()}
    assert len(processes) == len(said) == 2
    assert not any(Path(f"/proc/{process}").exists() for process in processes), "none outlives the run"


def test_a_worker_that_dies_is_replaced_by_another_copy(pytester):
    pytester.makepyfile(WORKERS + "        if number == 3:\n            os._exit(137)\n")
    run = pytester.runpytest_subprocess("-n2")
    run.assert_outcomes(passed=5, failed=1)
    run.stdout.fnmatch_lines(["worker 'gw?' crashed while running 'test_*"])


def test_a_copy_that_serves_itself_has_imported_more_and_ends_with_its_server(pytester):
    pytester.makepyfile(SHOWN.replace("pytest_llmpref.study.studies", "this"))
    base = ForkServer(PLUGIN)
    copy = ForkServer((*PLUGIN, "this"), base)
    found = [server.run("pytest", ["-s", "-q"], pytester.path).stdout for server in (base, copy)]
    assert ["imported True" in printed for printed in found] == [False, True]
    process = copy._begun.pid
    copy.stop()
    base.stop()
    assert not Path(f"/proc/{process}").exists()


def test_runs_side_by_side_are_told_apart(pytester, fork_server, monkeypatch):
    pytester.makepyfile("import os, time\n\ndef test_it():\n    time.sleep(0.2)\n    os._exit(int(os.environ['OURS']))")
    (pytester.path / "printed.txt").touch()
    runs = []
    for number in (3, 4):
        monkeypatch.setenv("OURS", str(number))
        runs.append(fork_server(PLUGIN).start("pytest", [], pytester.path, pytester.path / "printed.txt"))
    assert [runs[1].wait(), runs[0].wait()] == [4, 3]
