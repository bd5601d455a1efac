"""Runs in copies of a process: each is one of its own, and what it is given is what a process begun anew is given."""

import os

import pytest

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
