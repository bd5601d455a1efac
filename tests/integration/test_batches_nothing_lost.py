"""Whatever ends a recording in batches, every question is recorded in the end, and paid for once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import batch_child
import pytest
from batch_child import MODEL, questions
from batch_server import serving_batches

from pytest_llmpref.cassettes import Cassette

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="recordings are forked off")


class Recorder:
    """A process that forks recordings off."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder, self._process = folder, process

    def start(self, port: int, count: int) -> int:
        (self.folder / "took.txt").unlink(missing_ok=True)
        return int(self._say(f"{port} {count} {self.folder}"))

    @property
    def has_ended(self) -> bool:
        return (self.folder / "took.txt").exists()

    def wait(self) -> int:
        return int(self._say("wait"))

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    command = [sys.executable, batch_child.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Recorder(tmp_path, process)


def answers(cassette: Cassette) -> int:
    """Return how many questions are recorded, beside what went over the wire about their jobs."""
    return sum(one.request.asked == "model" for one in cassette.interactions())


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_loses_nothing_and_pays_for_nothing_twice(recorder, tmp_path, kills):
    """The server counts its answers. Kills fall between any two of its requests, or just after one arrived."""
    chance = random.Random(kills)
    count = 40
    ended_early = 0
    with serving_batches() as server:
        server.looks_needed = 2
        for _ in range(kills):
            process = recorder.start(server.port, count)
            # Upload and creation of three jobs, looks at each, and downloads: about fifteen requests.
            until = len(server.headers) + chance.randint(0, 15)
            while not recorder.has_ended and len(server.headers) < until:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.05)
            os.kill(process, signal.SIGKILL)
            ended_early += recorder.wait() == -signal.SIGKILL
            cassette = Cassette.open(tmp_path, MODEL)
            if answers(cassette) == count:
                cassette.journal.unlink()
                (tmp_path / "served.batches").unlink()
                assert set(server.paid.values()) == {1}
                server.paid.clear()
        recorder.start(server.port, count)
        assert recorder.wait() == 0
        assert ended_early
        assert len(server.paid) == count
        assert set(server.paid.values()) == {1}
        recorded = Cassette.open(tmp_path, MODEL)
        assert all(recorded.get(one.key).text == "A" for one in questions(count))


@pytest.mark.slow
def test_twenty_thousand_questions(recorder, tmp_path):
    count = 20_000
    with serving_batches() as server:
        recorder.start(server.port, count)
        assert recorder.wait() == 0
        assert len(server.paid) == count
        assert set(server.paid.values()) == {1}
        assert [len(job.requests) for job in server.jobs] == [count]
    assert answers(Cassette.open(tmp_path, MODEL)) == count
    print("20,000 questions:", (tmp_path / "took.txt").read_text())
