"""Fetching BoolQ's development set, from a real server on loopback that breaks off, or is not there."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from loopback import closed_port

from pytest_llmpref.cli import main
from pytest_llmpref.config.boolq_download import DownloadError, download

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Served(BaseHTTPRequestHandler):
    """Serves ``CONTENT``, with ranges if the server allows them, and breaks off after ``break_after`` bytes."""

    def do_GET(self):
        server = self.server
        start = 0
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        if asked and server.has_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        rest = server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.break_after] if server.break_after else rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    found.ranges, found.status, found.has_ranges, found.break_after, found.content = [], 200, True, None, CONTENT
    found.url = f"http://127.0.0.1:{found.server_port}/validation.parquet"
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def fetch(server, target, **options):
    said = []
    path = download(target, url=server.url, sha256=SHA256, pause=0.0, say=said.append, **options)
    assert path.read_bytes() == CONTENT
    assert not path.with_name(f"{path.name}.part").exists()
    return said


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.break_after = 200_000
    said = fetch(server, tmp_path / "deep" / "it")
    # On a busy machine a connection that breaks may lose what was sent last, so it may go on a little earlier.
    first, *starts = (asked and int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.ranges)
    assert first is None
    assert len(starts) >= 2
    assert all(0 < start - before <= 200_000 for before, start in pairwise([0, *starts]))
    assert f"going on after {starts[0]:,} bytes" in said


def test_what_a_killed_download_left_is_not_fetched_again(server, tmp_path):
    (tmp_path / "it.part").write_bytes(CONTENT[:1000])
    fetch(server, tmp_path / "it")
    assert server.ranges == ["bytes=1000-"]
    (tmp_path / "it").rename(tmp_path / "it.part")
    fetch(server, tmp_path / "it")


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server.has_ranges = False
    (tmp_path / "it.part").write_bytes(b"x" * 1000)
    assert "the server cannot go on; starting anew" in fetch(server, tmp_path / "it")


def test_a_whole_file_is_not_fetched_again(server, tmp_path):
    (tmp_path / "it").write_bytes(CONTENT)
    fetch(server, tmp_path / "it")
    assert server.ranges == []


def test_another_file_is_deleted_and_named(server, tmp_path):
    server.content = b"something else"
    with pytest.raises(DownloadError, match=r"SHA-256 [0-9a-f]{64}, not"):
        fetch(server, tmp_path / "it")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_not_asked_for_again(server, tmp_path):
    server.status = 404
    with pytest.raises(DownloadError, match="HTTP 404"):
        fetch(server, tmp_path / "it")
    assert len(server.ranges) == 1


def test_a_server_in_trouble_is_asked_again_a_few_times(server, tmp_path):
    server.status = 503
    with pytest.raises(DownloadError, match="HTTP 503"):
        fetch(server, tmp_path / "it", tries=3)
    assert len(server.ranges) == 3


def test_offline_the_error_says_what_to_do(tmp_path):
    url = f"http://127.0.0.1:{closed_port()}/it"
    with pytest.raises(DownloadError, match=r"Without a network, copy the file to .*it by hand"):
        download(tmp_path / "it", url=url, tries=2, pause=0.0, say=lambda _: None)


def test_the_command_shows_the_licence_and_fails_with_a_message(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("pytest_llmpref.cli.boolq.downloaded_file", lambda: tmp_path / "it")
    url = f"http://127.0.0.1:{closed_port()}/it"
    assert main(["boolq", "download", "--url", url, "--tries", "1"]) == 1
    out, err = capsys.readouterr()
    assert "Attribution-ShareAlike 3.0" in out
    assert err.startswith(f"llmpref: {url}: ")
