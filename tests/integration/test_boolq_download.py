"""Fetching BoolQ's development set by huggingface_hub, from a hub on loopback that breaks off, or is not there."""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from loopback import closed_port

from pytest_llmpref.config import items

pytest.importorskip("huggingface_hub")

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PROGRAM = """
import sys, time
# The library waits 23 seconds in all between its tries.
time.sleep = lambda _seconds: None
from pytest_llmpref.config import items
items.SHA256 = sys.argv.pop(1)
from pytest_llmpref.cli import main
sys.exit(main(sys.argv[1:]))
"""
PATH = f"/datasets/{items.REPOSITORY}/resolve/{items.REVISION}/{items.DEV_FILE}"


class Hub(BaseHTTPRequestHandler):
    """Serves one file as the hub does; the first time it breaks off after ``break_after`` bytes."""

    def do_HEAD(self):
        if self.path != PATH:
            self.send_error(404)
            return
        self.answer(200, len(self.server.content))

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append((self.path, self.headers.get("Authorization")))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        rest = server.content[start:]
        self.answer(206 if asked else 200, len(rest), start)
        self.wfile.write(rest[: server.break_after] if server.break_after else rest)
        server.break_after = None

    def answer(self, status, length, start=0):
        self.send_response(status)
        self.send_header("X-Repo-Commit", items.REVISION)
        self.send_header("ETag", f'"{hashlib.sha256(self.server.content).hexdigest()}"')
        self.send_header("Content-Length", str(length))
        if status == 206:
            end = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    found.asked, found.break_after, found.content = [], None, CONTENT
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def fetch(home, port, **environment):
    """Run ``llmpref boolq download`` in a process of its own: the library reads its settings when it is imported."""
    settings = {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(home), "HF_TOKEN": "hf_secret"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, SHA256, "boolq", "download"],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def kept(home):
    return [path for path in home.rglob("*.parquet") if path.is_file()]


def test_a_download_that_breaks_off_is_asked_for_again_and_then_kept(hub, tmp_path):
    hub.break_after = 200_000
    done = fetch(tmp_path, hub.server_port)
    if done.returncode:
        # Some releases of the library leave it to their users to ask again.
        assert "try again" in done.stderr
        done = fetch(tmp_path, hub.server_port)
    assert done.returncode == 0, done.stderr
    assert "Attribution-ShareAlike 3.0" in done.stdout
    (path,) = kept(tmp_path)
    assert path.read_bytes() == CONTENT
    assert len(hub.asked) == 2
    assert {token for _, token in hub.asked} == {None}, "the set is public: nobody's token is sent"
    again = fetch(tmp_path, closed_port(), HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert len(hub.asked) == 2


def test_another_file_is_deleted_and_named(hub, tmp_path):
    hub.content = b"something else"
    done = fetch(tmp_path, hub.server_port)
    assert done.returncode == 1
    assert f"SHA-256 {hashlib.sha256(hub.content).hexdigest()}, not {SHA256}, and was deleted" in done.stderr
    assert not kept(tmp_path)
    hub.content = CONTENT
    assert fetch(tmp_path, hub.server_port).returncode == 0


def test_offline_the_error_says_what_to_do(tmp_path):
    done = fetch(tmp_path, closed_port())
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"llmpref: {items.REPOSITORY} at 35b264d: cannot be fetched (")
    assert "or give a copy of the file by --llmpref-boolq FILE.parquet" in done.stderr


def test_the_published_file_is_pinned():
    assert (len(items.REVISION), len(items.SHA256)) == (40, 64)
