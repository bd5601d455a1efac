"""Whatever ends a recording, what was answered is kept, and only what is missing is asked again."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fork_server import LIVE, Run
from planted import PlantedModel
from planted_server import PlantedServer

from pytest_llmpref.cassettes import Cassette, CassetteError
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.models.chat import Message, Reply, Request

MODEL = "openai/served"
PLANNED = 2 * 132
"""Questions of two pair experiments over 12 entities."""
IN_FLIGHT = 16
NOISE = (
    "retry_scheduled",
    "Task was destroyed",
    "never awaited",
    "never retrieved",
    "INTERNALERROR",
    "Unclosed",
    "Traceback",
)
"""What Ctrl-C must not print."""
SUITE = """
from pytest_llmpref import spearman

def test_follows(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0.5

def test_coverage(entity, donation_advice):
    assert donation_advice.coverage[entity.id] > 0.3
"""


@pytest.fixture
def server(recorded) -> Iterator[PlantedServer]:
    entities = load_entities(recorded / "twelve.csv")
    found = PlantedServer(PlantedModel({entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)}))
    found.start()
    yield found
    found.stop()


class Begun(subprocess.Popen):
    """A run in a process that has imported nothing, as `fork_server.Run` is one in a copy."""

    def __init__(self, arguments: Sequence[str], folder: Path, printed: Path) -> None:
        # Where the tests run in the background of a shell, Ctrl-C is ignored from the start.
        heeds = "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler); "
        command = [sys.executable, "-c", heeds + "sys.exit(pytest.main())", *arguments]
        with printed.open("ab") as file:
            super().__init__(command, cwd=folder, start_new_session=True, stdout=file, stderr=file)


@pytest.fixture
def start(tmp_path, recorded, server, monkeypatch, fork_server) -> Callable[..., Run]:
    """Start a run in a process group of its own; its folder of cassettes stays."""
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    (tmp_path / "test_it.py").write_text(SUITE)

    def run(*options: str, anew: bool = False) -> Run:
        arguments = ["-p", "no:cacheprovider", f"--model={MODEL}", f"--rootdir={tmp_path}"]
        arguments += [f"--llmpref-entities={recorded / 'twelve.csv'}", "--record-mode=new_episodes", *options]
        printed = tmp_path / f"printed-{len([*tmp_path.glob('printed-*')])}.txt"
        printed.touch()
        copies = None if anew else fork_server(LIVE)
        begun = copies.start("pytest", arguments, tmp_path, printed) if copies else Begun(arguments, tmp_path, printed)
        begun.printed = printed
        return begun

    return run


def finish(run: Run) -> str:
    run.wait(300)
    return run.printed.read_text()


def in_workers(count: int) -> list[str]:
    return [f"-n{count}"] if count else []


def measures(folder: Path) -> dict:
    return json.loads((folder / "reports/latest/results.json").read_text())["models"][MODEL]


def journal_lines(folder: Path) -> list[bytes]:
    path = folder / "cassettes" / "openai--served.jsonl"
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def prompts(bodies: list[dict]) -> Counter[str]:
    return Counter(json.dumps(body["messages"], sort_keys=True) for body in bodies)


def kill_when_answered(process: Run, server: PlantedServer, answered: int, delay: float) -> None:
    """Kill a whole process group, a moment after the server has been asked so many questions."""
    deadline = time.monotonic() + 120
    while len(server.received) < answered and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while server.connections and time.monotonic() < deadline:
        # What was sent before may still be on its way.
        time.sleep(0.001)


@pytest.mark.parametrize("workers", [0, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_a_recording_loses_nothing_and_resumes(tmp_path, server, start, kills, workers):
    """``pytest -m slow -k killed`` kills a hundred times: some before they ask anything, most between two answers."""
    chance = random.Random(kills * 10 + workers)
    asked_before: Counter[str] = Counter()
    unrecorded = 0
    for number in range(kills):
        kept = len(journal_lines(tmp_path))
        already = len(server.received)
        # With one question in flight, no answer but the last may be missing.
        in_flight = chance.choice([1, 4, 16])
        run = start(*in_workers(workers), f"--llmpref-in-flight={in_flight}")
        if number % 5 == 4:
            kill_when_answered(run, server, 0, chance.uniform(0, 3))
        else:
            until = already + chance.randrange(1, max(2, 2 * (PLANNED - kept) // (kills - number + 1)))
            kill_when_answered(run, server, until, chance.uniform(0, 0.02))
        lines = journal_lines(tmp_path)
        recorded = {json.loads(line)["key"] for line in lines}
        assert len(recorded) == len(lines), "nothing is recorded twice"
        answered = len(server.received) - already
        assert len(lines) - kept >= answered - in_flight, "all but the calls in flight were kept"
        unrecorded += answered - (len(lines) - kept)
        new = prompts(server.received[already:])
        assert not new.keys() & asked_before.keys(), "what was kept is not asked again"
        assert max(new.values(), default=1) == 1
        texts = {json.dumps(json.loads(line)["request"]["messages"], sort_keys=True) for line in lines}
        asked_before = Counter(texts)
    already = len(server.received)
    run = start(*in_workers(workers))
    assert run.wait(300) == 0, finish(run)
    assert len(server.received) - already == PLANNED - len(asked_before), "the last run asks only what is missing"
    assert len(journal_lines(tmp_path)) == PLANNED
    after_kills = measures(tmp_path)
    print(f"{kills} kills under -n {workers}: {already} calls, of which {unrecorded} were in flight at a kill")

    for path in (tmp_path / "cassettes").iterdir():
        path.unlink()
    finish(start())
    assert measures(tmp_path) == after_kills, "an undisturbed run measures the same"


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_ends_cleanly_and_keeps_what_was_answered(tmp_path, server, start, workers):
    process = start(*in_workers(workers))
    while len(server.received) < 60:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    output = finish(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert not [noise for noise in NOISE if noise in output]
    lines = journal_lines(tmp_path)
    assert len(lines) >= 60 - IN_FLIGHT
    already = len(server.received)
    assert finish(start())
    assert len(server.received) - already == PLANNED - len(lines)


MOMENTS = {
    "litellm is being imported": "'litellm' in sys.modules",
    "a thread of litellm's makes the call": "any(one.name.startswith('asyncio') for one in threading.enumerate())",
    "the server hangs": "os.path.exists('connected')",
}
PRESSES_CTRL_C = """
import os, signal, sys, threading, time

def press():
    while not ({moment}):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

def pytest_collection_finish():
    threading.Thread(target=press, daemon=True).start()
"""


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_on_a_server_that_never_answers_ends_cleanly(tmp_path, start, monkeypatch, moment):
    (tmp_path / "conftest.py").write_text(PRESSES_CTRL_C.format(moment=MOMENTS[moment]))
    with socket.create_server(("127.0.0.1", 0)) as hung:
        monkeypatch.setenv("OPENAI_API_BASE", f"http://127.0.0.1:{hung.getsockname()[1]}/v1")
        # A copy has imported litellm.
        process = start(anew="imported" in moment)
        connections = []
        hung.settimeout(0.05)
        while process.poll() is None:
            with contextlib.suppress(TimeoutError):
                connections.append(hung.accept())
                (tmp_path / "connected").touch()
        output = finish(process)
        for connection, _ in connections:
            connection.close()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert not [noise for noise in NOISE if noise in output], output


def test_two_runs_on_one_cassette_at_once_ask_everything_once(tmp_path, server, start):
    runs = [start(f"--report-dir=reports{number}") for number in range(2)]
    outputs = [finish(run) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert len(server.received) == PLANNED
    assert max(prompts(server.received).values()) == 1
    found = [json.loads((tmp_path / f"reports{n}/latest/results.json").read_text())["models"] for n in range(2)]
    assert found[0] == found[1]


GROWS_NO_FILE = """
import resource

def pytest_configure():
    # What a full disk looks like from inside. Python ignores the signal.
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
"""


def test_a_file_that_cannot_grow_is_a_clear_error_and_the_run_resumes(tmp_path, server, start):
    (tmp_path / "conftest.py").write_text(GROWS_NO_FILE)
    process = start()
    output = finish(process)
    (tmp_path / "conftest.py").unlink()
    assert process.returncode in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR}, output
    assert "openai--served.jsonl: cannot append (" in output
    assert "make the folder writable, or free disk space" in output
    assert "INTERNALERROR" not in output
    path = tmp_path / "cassettes" / "openai--served.jsonl"
    assert path.read_bytes().endswith(b"}\n"), "no half line is left"
    kept, already = len(journal_lines(tmp_path)), len(server.received)
    assert kept >= 10
    assert finish(start())
    assert len(server.received) - already == PLANNED - kept


@pytest.fixture
def mounted(tmp_path):
    """Mount a small disk, where that is allowed."""
    folder = tmp_path / "cassettes"

    def mount(options: str) -> Path:
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no permission to mount a disk")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_a_full_disk_is_a_clear_error_and_the_run_resumes(tmp_path, server, start, mounted):
    mounted("size=64k")
    output = finish(start())
    assert "openai--served.jsonl: cannot append (No space left on device)" in output
    assert "INTERNALERROR" not in output
    kept, already = len(journal_lines(tmp_path)), len(server.received)
    assert kept >= 10
    subprocess.run(["mount", "-o", "remount,size=8m", str(tmp_path / "cassettes")], check=True)
    assert finish(start())
    assert len(server.received) - already == PLANNED - kept


def test_a_read_only_folder_is_an_error_before_the_first_test(start, server, mounted):
    mounted("ro")
    process = start()
    output = finish(process)
    assert process.returncode == pytest.ExitCode.USAGE_ERROR, output
    assert "openai--served.lock: cannot write (Read-only file system)" in output
    assert "Traceback" not in output
    assert not server.received


def test_a_report_folder_that_cannot_be_written_fails_the_run_and_names_the_fix(tmp_path, start):
    (tmp_path / "reports").write_text("a file")
    process = start()
    output = finish(process)
    assert process.returncode == pytest.ExitCode.INTERNAL_ERROR, output
    said = " ".join(output.split())
    assert "results.json: cannot write (" in said
    assert "what was recorded is not asked again" in said
    assert "Traceback" not in output
    assert len(journal_lines(tmp_path)) == PLANNED


def test_packing_on_a_full_disk_keeps_the_journal(tmp_path, mounted):
    folder = mounted("size=64k")
    cassette = Cassette.open(folder, "m")

    def fill() -> None:
        for number in range(10_000):
            text = os.urandom(200).hex()
            cassette.append(Request("m", (Message("user", text),), 1.0, 8, number), Reply("A", "stop"))

    with pytest.raises(CassetteError, match="cannot append"):
        fill()
    kept = cassette.journal.read_bytes()
    with pytest.raises(CassetteError, match=r"m\.jsonl\.gz: cannot write \(No space left"):
        cassette.pack()
    assert cassette.journal.read_bytes() == kept
    assert [path.name for path in folder.iterdir()] == ["m.jsonl"]
