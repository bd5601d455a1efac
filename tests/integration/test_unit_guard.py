"""The guard of the unit tests: a test that starts a process or opens a connection fails, and is named."""

import pytest
from repository import ROOT

FORBIDDEN = {
    "starts_a_process": "subprocess.run([sys.executable, '-c', ''])",
    "has_a_shell": "os.system('true')",
    "forks": "os.fork() or os._exit(0)",
    "spawns": "os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})",
    "starts_a_worker": "multiprocessing.get_context('spawn').Process(target=print).start()",
    "starts_a_forked_worker": "multiprocessing.get_context('fork').Process(target=print).start()",
    "connects": "socket.socket().connect_ex(('127.0.0.1', 9))",
    "sends": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.1', 9))",
    "looks_up": "socket.getaddrinfo('localhost', 80)",
    "asks_through_httpx": "httpx.get('http://127.0.0.1:9/')",
}
ALLOWED = {
    "has_an_event_loop": "asyncio.run(asyncio.sleep(0))",
    "has_a_pair": "[end.close() for end in socket.socketpair()]",
    "has_a_thread": "threading.Thread(target=int).start()",
    "binds_a_socket": "socket.socket().bind(('127.0.0.1', 0))",
}
HEAD = "import asyncio, httpx, multiprocessing, os, pytest, socket, subprocess, sys, threading\n"
WAYS = {
    "plainly": "def test_{}():\n    {}\n",
    "in_setup": "@pytest.fixture\ndef {0}():\n    {1}\n\ndef test_{0}({0}):\n    pass\n",
    "in_teardown": "@pytest.fixture\ndef {0}():\n    yield\n    {1}\n\ndef test_{0}({0}):\n    pass\n",
    "swallowed": "def test_{}():\n    try:\n        {}\n    except BaseException:\n        pass\n",
    "in_a_thread": "def test_{}():\n    one = threading.Thread(target=lambda: {})\n    one.start()\n    one.join()\n",
}


@pytest.fixture
def guarded(pytester):
    """Run one test for each of some expressions, in a folder that has the guard, in a process of its own."""
    pytester.makeconftest((ROOT / "tests/unit/conftest.py").read_text(encoding="utf-8"))

    def run(way, expressions):
        pytester.makepyfile(HEAD + "".join(WAYS[way].format(name, does) for name, does in expressions.items()))
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:threadexception", "-rfE")

    return run


@pytest.mark.parametrize("way", WAYS)
def test_what_a_unit_test_may_not_do_fails_it_by_name(guarded, way):
    run = guarded(way, FORBIDDEN)
    run.stdout.fnmatch_lines_random([f"*::test_{name} *; move it to tests/integration" for name in FORBIDDEN])
    ended = run.parseoutcomes()
    assert ended.get("failed", 0) + ended.get("errors", 0) == len(FORBIDDEN)
    assert ended.get("passed", 0) == (len(FORBIDDEN) if way == "in_teardown" else 0)


@pytest.mark.parametrize("way", WAYS)
def test_what_reaches_nobody_passes(guarded, way):
    guarded(way, ALLOWED).assert_outcomes(passed=len(ALLOWED))
