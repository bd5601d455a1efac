"""Keys of a run: in no recording, no report and no log."""

import json
import textwrap

import pytest
from fork_server import LIVE
from loopback import Answer, Loopback, completion, failure
from made_up_keys import KEYS, SHAPELESS

from pytest_llmpref.secrets.scrubbing import SCRUBBED

SUITE = """
    import json, logging, os, warnings

    KEYS = json.load(open("keys.txt"))

    def test_calls(preferences):
        assert preferences.valid

    def test_shows_all_of_it(preferences):
        for name, key in KEYS.items():
            print("stdout", key)
            logging.getLogger("httpx").info("HTTP Request: POST https://api.example/v1?key=%s", key)
            try:
                raise RuntimeError(f"header {key}")
            except RuntimeError:
                logging.getLogger("anything").exception("of %s", name)
        assert preferences == KEYS
"""


@pytest.fixture
def leaky(pytester, recorded, monkeypatch):
    """A provider that repeats keys in its errors, and a test that shows them in every way there is."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = Loopback()
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", KEYS["openai"])
    monkeypatch.setenv("COHERE_API_KEY", SHAPELESS)
    shown = KEYS | {"cohere": SHAPELESS}
    (pytester.path / "keys.txt").write_text(json.dumps(shown))
    pytester.makepyfile(test_it=textwrap.dedent(SUITE))
    pytester.imported = LIVE
    server.script(Answer(completion("A")))
    for number, key in enumerate(shown.values()):
        server.script(failure(400, f"bad request with key={key} and {key}"))
        server.script(Answer(completion(f"A. Your key is {key}", finish=f"stop-{number % 2}")))

    def run(*options: str):
        return pytester.runpytest_subprocess(
            "--model=openai/served",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "--record-mode=new_episodes",
            "--showlocals",
            "--junitxml=junit.xml",
            "-o",
            "junit_logging=all",
            "--log-file=log.txt",
            "--log-level=DEBUG",
            "--log-cli-level=DEBUG",
            "-p",
            "no:cacheprovider",
            *options,
        )

    yield run
    server.stop()


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_no_key_reaches_a_file_or_the_terminal(pytester, leaky, workers):
    run = leaky(*workers)
    terminal = run.stdout.str() + run.stderr.str()
    assert SCRUBBED in terminal
    written = {path: path.read_bytes() for path in pytester.path.rglob("*") if path.is_file()}
    del written[pytester.path / "keys.txt"]
    assert {path.name for path in written} >= {"results.json", "junit.xml", "openai--served.jsonl"}
    for provider, key in (KEYS | {"cohere": SHAPELESS}).items():
        # A key's own middle, so that masks and escapes do not hide it.
        middle = key[8:-3]
        assert middle not in terminal, provider
        for path, content in written.items():
            assert middle.encode() not in content, (provider, path)


WATCH = """
    import os

    real = type(os.environ).__getitem__

    def watched(self, name):
        if name == "OPENAI_API_KEY":
            raise AssertionError("the user's key was read")
        return real(self, name)

    type(os.environ).__getitem__ = watched
"""


def test_a_replay_never_reads_the_users_key(pytester, leaky, recorded):
    leaky("-k", "test_calls")
    # Keys are watched while the modules of a replay are imported, too.
    pytester.imported = ()
    pytester.makeconftest(textwrap.dedent(WATCH))
    for depth in ("reply", "wire"):
        run = pytester.runpytest_subprocess(
            "--model=openai/served",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            f"--llmpref-replay={depth}",
            "-k",
            "test_calls",
            "-p",
            "no:cacheprovider",
        )
        assert "the user's key was read" not in run.stdout.str() + run.stderr.str()
        model = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["openai/served"]
        assert model["measures"]["preference"]["diagnostics"]["trials"] == 132
