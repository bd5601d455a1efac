"""The command line as a process: its version, Ctrl-C, and a reader that goes away."""

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version

import pytest
from repository import CORPUS, ROOT


def llmpref(*words, **options) -> subprocess.Popen:
    """Start the command in a process of its own, as a shell would."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest_llmpref", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # What a shell starts in the background ignores Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - one thread
        **options,
    )


def test_the_version_is_that_of_the_distribution():
    said, _ = llmpref("--version").communicate()
    assert said == f"llmpref {version('pytest-llmpref')}\n"


@pytest.mark.parametrize("words", [["--help"], ["cassettes", "list"], ["diff"]])
def test_a_reader_that_goes_away_gets_no_traceback_and_no_status_that_means_something(words, recorded, tmp_path):
    if words[0] == "cassettes":
        words = [*words, f"--folder={recorded / 'cassettes'}"]
    if words[0] == "diff":
        results = tmp_path / "results.json"
        results.write_text((CORPUS / "results/whole.json").read_text())
        words = [*words, str(results), str(results)]
    running = llmpref(*words)
    running.stdout.close()
    assert running.stderr.read() == ""
    # argparse itself forgives a closed output where Python does not buffer it.
    assert running.wait() == 141 or words == ["--help"]


def test_ctrl_c_ends_a_calibration_with_its_processes(tmp_path):
    words = ("calibrate", "--workers=2", "--cells=reading/null", "--studies=20000")
    running = llmpref(*words, cwd=tmp_path, process_group=0)
    journal = tmp_path / "calibration.jsonl"
    while running.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 2):
        time.sleep(0.1)  # until a chunk is done, so that the processes are at work
    os.killpg(running.pid, signal.SIGINT)
    # Ends only when every process that holds standard error has ended.
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said.endswith("goes on from there\nllmpref: interrupted\n")
    assert "Traceback" not in said


def test_ctrl_c_ends_the_process_without_a_traceback():
    running = llmpref("serve", "sim/paper-a")
    assert "Ctrl-C stops it" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    said, complained = running.communicate(timeout=60)
    assert (running.returncode, said.splitlines()[-1], complained) == (0, "stopped", "")
