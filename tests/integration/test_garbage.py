"""What a run leaves for Python's searches for garbage."""

import subprocess
import sys


def test_a_test_that_failed_keeps_no_recordings(suite, pytester):
    pytester.makeconftest("""
        import gc

        def pytest_unconfigure():
            from pytest_llmpref.study.study import Study

            gc.collect()
            print("studies alive:", sum(type(one) is Study for one in gc.get_objects()))
    """)
    run = suite("""
        from pytest_llmpref import spearman

        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.9999

        def test_another():
            # pytest itself keeps the last error until the next test begins.
            pass
    """)
    run.stdout.fnmatch_lines(["*1 failed, 1 passed*", "studies alive: 0"])


def test_python_ends_without_a_search_of_what_is_alive():
    program = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0)); "
        "from pytest_llmpref.garbage import spare_last_search; spare_last_search(); spare_last_search()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
