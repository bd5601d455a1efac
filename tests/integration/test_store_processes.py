"""Several processes at one recording: whatever happens to one, no completed line is lost."""

import os
import re
import subprocess
import sys

import pytest
from stored import MODEL, question, recorded

from pytest_llmpref.cassettes import (
    Cassette,
)


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


APPEND = """
import sys
from pathlib import Path
from stored import MODEL, question
from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.models.chat import Reply
cassette = Cassette.open(Path(sys.argv[1]), MODEL)
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 300):
    cassette.append(question(number), Reply(str(number) + "x" * 5000, "stop"))
    if number % 100 == 50 and sys.argv[3] == "pack":
        cassette.pack()
"""


@pytest.mark.parametrize("second", ["append", "pack"])
def test_two_processes_append_at_once_and_nothing_is_lost(tmp_path, second):
    writers = [run(APPEND, tmp_path, 0, "append"), run(APPEND, tmp_path, 300, second)]
    assert [writer.wait() for writer in writers] == [0, 0]
    cassette = Cassette.open(tmp_path, MODEL)
    assert len(cassette) == 600
    assert all(cassette.get(question(n).key).text == str(n) + "x" * 5000 for n in range(600))
    assert not list(tmp_path.glob("*.cut"))


def test_a_killed_process_loses_no_completed_line(tmp_path):
    code = APPEND.replace("int(sys.argv[2]) + 300", "10**9").replace('"stop"))', '"stop")); print(number, flush=True)')
    writer = run(code, tmp_path, 0, "append")
    for line in writer.stdout:
        if int(line) >= 50:
            writer.kill()
            break
    done = [50, *map(int, re.findall(r"\d+(?=\n)", writer.stdout.read()))]
    writer.wait()
    cassette = Cassette.open(tmp_path, MODEL)
    assert all(cassette.get(question(number).key) is not None for number in range(done[-1] + 1))


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from stored import MODEL, question
from pytest_llmpref.cassettes import Cassette, CassetteError
from pytest_llmpref.models.chat import Reply
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
cassette = Cassette.open(Path(sys.argv[1]), MODEL)
try:
    for number in range(100):
        cassette.append(question(number), Reply("x" * 1000, "stop"))
except CassetteError as error:
    print(len(cassette), error)
"""


def test_a_line_that_does_not_fit_is_an_error_and_leaves_no_half_line(tmp_path):
    done = run(FULL_DISK, tmp_path)
    kept, message = done.communicate()[0].split(maxsplit=1)
    assert re.search(r"local--gemma-3-270m\.jsonl: cannot append .* free disk space", message)
    cassette = Cassette.open(tmp_path, MODEL)
    assert 0 < len(cassette) == int(kept) < 10
    assert cassette.journal.read_bytes().endswith(b"}\n")


def test_one_writer_at_a_time_holds_the_lock(tmp_path):
    cassette = recorded(tmp_path, 1)
    code = "import sys, filelock; filelock.FileLock(sys.argv[1]).acquire(timeout=0)"
    with cassette.lock() as lock:
        assert run(code, lock.lock_file).wait() != 0
    assert run(code, lock.lock_file).wait() == 0


TAKE_TURNS = """
import os, sys, time
from pathlib import Path
from stored import MODEL
from pytest_llmpref.cassettes import Cassette
cassette = Cassette.open(Path(sys.argv[1]), MODEL)
inside = Path(sys.argv[1]) / "inside"
for _ in range(200):
    with cassette.lock():
        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
        time.sleep(0)
        inside.unlink()
print("never met")
"""


def test_a_lock_file_that_goes_lets_no_two_processes_in(tmp_path):
    runs = [run(TAKE_TURNS, tmp_path) for _ in range(4)]
    assert [one.communicate()[0] for one in runs] == ["never met\n"] * 4
    assert not list(tmp_path.iterdir())
