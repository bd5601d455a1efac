"""Other systems, emulated: what Windows, Alpine and other releases of Python lack is taken away from our package."""

import asyncio
import contextlib
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from package_tree import PACKAGE

from pytest_llmpref.cassettes import Cassette, NetworkRefusedError, refuse_sockets
from pytest_llmpref.plugin.settings import read_settings
from pytest_llmpref.report.page import ReportError, write_reports
from pytest_llmpref.results.loading import load_results

POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
OFTEN_ABSENT = ("ahocorasick_rs", "isal")

# Takes modules away from pytest_llmpref alone: the libraries below it have their own ways for each system.
BLOCKER = """
import builtins, sys
imported, blocked = builtins.__import__, {blocked!r}

def without(name, globals=None, locals=None, fromlist=(), level=0):
    asking = (globals or {{}}).get("__name__", "")
    if asking.startswith("pytest_llmpref") and not level and name.split(".")[0] in blocked:
        raise ImportError(f"{{name}} is not on this system (asked for by {{asking}})")
    return imported(name, globals, locals, fromlist, level)

builtins.__import__ = without

import importlib.metadata
found = importlib.metadata.version

def version(package):
    if package.replace("-", "_").removesuffix("_python") in blocked:
        raise importlib.metadata.PackageNotFoundError(package)
    return found(package)

importlib.metadata.version = version
"""
CLAIMS = """
from pytest_llmpref import spearman

def test_it(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0.5
"""


def tcp_socketpair():
    """Make a pair as CPython does on Windows: a socket of ours connects to one that listens on loopback."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        ours = socket.socket()
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError, InterruptedError):
            ours.connect(listening.getsockname())
        ours.setblocking(True)
        return listening.accept()[0], ours


TCP_PAIRS = [tcp_socketpair]
if hasattr(socket, "_fallback_socketpair"):
    TCP_PAIRS.append(socket._fallback_socketpair)


@pytest.fixture
def without(pytester):
    """Run what follows in processes whose pytest_llmpref finds none of these modules."""

    def block(*blocked: str) -> str:
        pytester.makepyfile(blocker=BLOCKER.format(blocked=set(blocked)))
        return "-pblocker"

    return block


def results(pytester) -> dict:
    return json.loads((pytester.path / "reports/latest/results.json").read_text(encoding="utf-8"))["models"]


def test_a_replay_without_them_gives_the_same_results(suite, pytester, without):
    assert suite(CLAIMS).ret == 0
    expected = results(pytester)
    for blocked in (("fcntl", "resource"), *((name,) for name in OFTEN_ABSENT)):
        assert suite(CLAIMS, without(*blocked)).ret == 0, blocked
        assert results(pytester) == expected, blocked


def test_a_recording_and_its_replay_work_without_any_of_them(live, pytester, without):
    blocker = without(*POSIX_ONLY, *OFTEN_ABSENT)
    assert live("--record-mode=new_episodes", blocker, source=CLAIMS).ret == 0
    recorded = results(pytester)
    assert recorded["openai/served"]["measures"]["preference"]["valid"]
    program = "import blocker; from pytest_llmpref.cli import run; run()"
    packed = subprocess.run(
        [sys.executable, "-c", program, "cassettes", "pack", "openai/served"],
        cwd=pytester.path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(pytester.path), *sys.path])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert not packed.returncode, packed.stderr
    assert sorted(path.name for path in (pytester.path / "cassettes").glob("*.jsonl*")) == ["openai--served.jsonl.gz"]
    for depth in ("reply", "wire"):
        assert live(blocker, f"--llmpref-replay={depth}", source=CLAIMS).ret == 0, depth
        assert results(pytester) == recorded, depth


def put_in_place(monkeypatch, pair):
    """Have sockets paired so; what refuses sockets puts this back when it ends, which is undone after the test too."""
    monkeypatch.setattr(socket, "socketpair", pair)
    monkeypatch.setattr("pytest_llmpref.cassettes.wire._SOCKETPAIR", pair)


@pytest.mark.parametrize("pair", TCP_PAIRS)
def test_socket_pairs_of_tcp_are_let_be_and_nothing_else(monkeypatch, pair):
    """Windows has no others, and each event loop needs one."""
    put_in_place(monkeypatch, pair)
    with refuse_sockets():
        left, right = socket.socketpair()
        left.sendall(b"x")
        assert right.recv(1) == b"x"
        asyncio.run(asyncio.sleep(0))
        with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(NetworkRefusedError):
            socket.create_connection(server.getsockname())
        for opened in (left, right):
            opened.close()


def test_while_one_thread_makes_a_pair_another_is_refused(monkeypatch):
    inside, tried = threading.Event(), threading.Event()
    caught = []

    def slow_pair():
        inside.set()
        assert tried.wait(30)
        return tcp_socketpair()

    def connect():
        assert inside.wait(30)
        try:
            socket.create_connection(("127.0.0.1", 9)).close()
        except NetworkRefusedError as error:
            caught.append(error)
        tried.set()

    put_in_place(monkeypatch, slow_pair)
    with refuse_sockets():
        thread = threading.Thread(target=connect)
        thread.start()
        for opened in socket.socketpair():
            opened.close()
        thread.join(30)
    assert len(caught) == 1


def test_a_replay_works_where_socket_pairs_are_tcp(suite, pytester):
    pair = inspect.getsource(tcp_socketpair)
    pytester.makepyfile(windows=f"import contextlib, socket\n{pair}\nsocket.socketpair = tcp_socketpair")
    chats = "\n\n@pytest.mark.asyncio\nasync def test_chat(chat):\n    pass\n"
    assert suite(f"import pytest\n{CLAIMS}{chats}", "-pwindows").ret == 0


APPENDING = """
import sys
from pathlib import Path
from pytest_llmpref.cassettes import Cassette, files
from pytest_llmpref.models.chat import Message, Reply, Request
files.fcntl = None
cassette = Cassette.open(Path("."), "m")
for number in range(40):
    asked = Message("user", f"{sys.argv[1]} {number}")
    cassette.append(Request("m", (asked,), temperature=0.0, max_tokens=1), Reply("A", "stop"))
    if sys.argv[1] == "0" and number % 10 == 9:
        cassette.pack()
"""


def test_processes_append_and_pack_together_where_no_file_locks_itself(tmp_path):
    """As on Windows: the lock is a file beside the journal, and the journal is removed once it is closed."""
    started = [subprocess.Popen([sys.executable, "-c", APPENDING, str(number)], cwd=tmp_path) for number in range(3)]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    cassette = Cassette.open(tmp_path, "m")
    assert len(cassette) == len(cassette.lines()) == 120


def test_no_text_is_read_or_written_in_the_systems_own_encoding():
    command = [sys.executable, "-m", "ruff", "check", "--preview", "--select", "PLW1514", "--no-cache", str(PACKAGE)]
    command += ["--exclude", "_data"]  # where a wheel keeps the agents' tasks, which run inside the sandbox
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_run_ends_well_on_a_terminal_that_lacks_our_characters(suite, monkeypatch, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    monkeypatch.setenv("PYTHONUTF8", "0")
    assert suite(CLAIMS).ret == 0


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has TOML tables of its own since 9.0")
@pytest.mark.parametrize(
    ("line", "setting", "value"),
    [
        ("llmpref_in_flight = 4", "in_flight", 4),
        ('llmpref_in_flight = "4"', "in_flight", 4),
        ("llmpref_alpha = 0.1", "alpha", 0.1),
        ("llmpref_timeout = 30", "timeout", 30.0),
        ("llmpref_plan = true", "plan", True),
        ("llmpref_plan = false", "plan", False),
        ('llmpref_agentic = ["bundled", "gaia"]', "agentic", ("bundled", "gaia")),
        ('llmpref_agentic = "bundled gaia"', "agentic", ("bundled", "gaia")),
    ],
)
@pytest.mark.parametrize("table", ["pytest", "tool.pytest", "tool.pytest.ini_options"])
def test_every_kind_of_toml_value_is_taken(pytester, line, setting, value, table):
    name = "pytest.toml" if table == "pytest" else "pyproject.toml"
    (pytester.path / name).write_text(f"[{table}]\n{line}\n")
    config = pytester.parseconfig()
    assert getattr(read_settings(config, datetime.now(UTC), {}), setting) == value


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="as above")
@pytest.mark.parametrize(
    "line", ["llmpref_in_flight = 4.5", "llmpref_in_flight = true", "llmpref_profile = ['a', 'b']"]
)
def test_a_toml_value_that_does_not_fit_is_a_usage_error(pytester, line):
    (pytester.path / "pytest.toml").write_text(f"[pytest]\n{line}\n")
    with pytest.raises(pytest.UsageError, match=f"ini key {line.split()[0]}"):
        read_settings(pytester.parseconfig(), datetime.now(UTC), {})


@pytest.mark.parametrize("ini", [True, False])
def test_a_baseline_elsewhere_moves_neither_recordings_nor_reports(suite, pytester, recorded, tmp_path, ini):
    assert suite(CLAIMS).ret == 0
    elsewhere = tmp_path / "other" / "results.json"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes((pytester.path / "reports/latest/results.json").read_bytes())
    (elsewhere.parent / "pytest.ini").write_text("[pytest]\n")
    if ini:
        pytester.makeini("[pytest]\n")
    shutil.copytree(recorded / "cassettes", pytester.path / "cassettes")
    words = ["--model=sim/plain", f"--llmpref-entities={recorded / 'twelve.csv'}", "-pno:cacheprovider"]
    done = pytester.runpytest_subprocess(*words, "--report-dir=found", "--baseline", str(elsewhere))
    assert done.ret == 0
    assert (pytester.path / "found/latest/results.json").is_file()
    shutil.rmtree(pytester.path / "cassettes")
    words[0] = "--model=openai/none"
    done = pytester.runpytest_subprocess(*words, "--baseline", str(elsewhere))
    done.stderr.fnmatch_lines(
        [f"*searched for in {pytester.path / 'cassettes'}", "*(--llmpref-cassettes=FOLDER names another)"]
    )


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_a_baseline_of_another_project_moves_nothing_in_any_worker(pytester, recorded, monkeypatch, workers):
    """Called in a folder below the ini file: pytest takes the other project's, and its workers find the project's."""
    for name in ("mine", "theirs"):
        pytester.mkdir(name).joinpath("pytest.ini").write_text("[pytest]\n")
    here = pytester.path / "mine/checks"
    here.mkdir()
    (here / "test_it.py").write_text(CLAIMS)
    shutil.copytree(recorded / "cassettes", here.parent / "cassettes")
    monkeypatch.chdir(here)
    words = ["--model=sim/plain", f"--llmpref-entities={recorded / 'twelve.csv'}", "-pno:cacheprovider", *workers]
    assert pytester.runpytest_subprocess(*words).ret == 0
    written = here.parent / "reports/latest/results.json"
    baseline = written.rename(pytester.path / "theirs/results.json")
    run = pytester.runpytest_subprocess(*words, "--baseline", str(baseline))
    assert run.ret == 0
    assert f"rootdir: {pytester.path / 'theirs'}" in run.stdout.str()
    assert not json.loads(written.read_text())["comparison"]["changed"]
    # Settings of the project's that pytest does not read are not lost in silence.
    (here.parent / "pytest.ini").write_text("[pytest]\nllmpref_report_dir = elsewhere\n")
    run = pytester.runpytest_subprocess(*words, "--baseline", str(baseline))
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    ini = pytester.path / "theirs/pytest.ini"
    run.stderr.fnmatch_lines([f"*reads {ini} instead of {here.parent / 'pytest.ini'}; write --baseline=PATH*"])
    run = pytester.runpytest_subprocess(*words, f"--baseline={baseline}")
    assert run.ret == 0
    assert (here.parent / "elsewhere/latest/results.json").is_file()


@pytest.mark.parametrize("fault", [ValueError("no such chart"), RecursionError("deep"), OSError(28, "No space left")])
def test_a_report_that_cannot_be_drawn_is_one_named_error(suite, pytester, monkeypatch, fault):
    assert suite(CLAIMS).ret == 0
    folder = pytester.path / "reports/latest"

    def page(results):
        raise fault

    monkeypatch.setattr("pytest_llmpref.report.page.page", page)
    with pytest.raises(
        ReportError, match=r"report\.html: cannot (be|write) .*(no such chart|deep|No space left)"
    ) as caught:
        write_reports(load_results(folder / "results.json"), folder)
    assert "llmpref report" in str(caught.value)
    # No earlier page is left to be taken for this one, and the other report is there.
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "summary.md"]


def test_a_replay_works_under_pytest_socket(live):
    pytest.importorskip("pytest_socket")
    assert live("--record-mode=new_episodes", source=CLAIMS).ret == 0
    for options in ((), ("--llmpref-replay=wire",), ("-n2",)):
        assert live("--disable-socket", *options, source=CLAIMS).ret == 0, options
