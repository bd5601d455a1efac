"""No key reaches a file or the terminal, whatever its provider and however it gets about."""

import json
import logging
import textwrap

import pytest
from loopback import Answer, Loopback, completion, failure

from pytest_llmpref.secrets import Secrets, environment_secrets, scrubbing
from pytest_llmpref.secrets.scrubbing import SCRUBBED, find_secrets

HEX = "0123456789abcdef0123456789abcdef"
LONG = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9n"
KEYS = {
    "openai": f"sk-proj-{LONG}",
    "openai-service": f"sk-svcacct-{LONG}",
    "anthropic": f"sk-ant-api03-{LONG}-{LONG}AA",
    "openrouter": f"sk-or-v1-{HEX}{HEX}",
    "deepseek": f"sk-{HEX}",
    "gemini": "AIza" + LONG[:35],
    "gemini-new": "AQ.Ab8" + LONG,
    "vertex": f"ya29.a0{LONG}",
    "vertex-client": f"GOCSPX-{LONG[:28]}",
    "groq": f"gsk_{LONG}",
    "huggingface": f"hf_{LONG[:34]}",
    "xai": f"xai-{LONG}{LONG}",
    "perplexity": f"pplx-{LONG}",
    "replicate": f"r8_{LONG[:37]}",
    "fireworks": f"fw_{LONG[:24]}",
    "cerebras": f"csk-{LONG}",
    "nvidia": f"nvapi-{LONG}_{LONG[:23]}",
    "together": f"tgp_v1_{LONG}",
    "databricks": f"dapi{HEX}-3",
    "anyscale": f"esecret_{LONG[:26]}",
    "friendli": f"flp_{LONG}",
    "voyage": f"pa-{LONG}a1",
    "jina": f"jina_{LONG}",
    "upstage": f"up_{LONG[:30]}",
    "featherless": f"rc_{HEX}{HEX}",
    "novita": f"sk_{LONG}",
    "azure": LONG + LONG[:12] + "JQQJ99" + LONG[:26],
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "bedrock": f"ABSKQmVkcm9ja0FQSUtleS{LONG}=",
    "dashscope": f"LTAI5t{LONG[:18]}",
    "github-models": f"ghp_{LONG[:36]}",
    "hyperbolic": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLTAx",
}
"""Made-up keys in the shapes of providers' own."""
SHAPELESS = "Cohere00keys11have22no33shape44at55all66"


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize(
    "place",
    [
        "{}",
        "Incorrect API key provided: {}.",
        "https://api.example/v1/m:generate?key={}&alt=sse",
        '{{"api_key": "{}"}}',
        "Authorization: Bearer {}",
        "headers={{'x-goog-api-key': '{}'}}",
        "https://user:{}@proxy.example/v1",
    ],
)
def test_every_shape_is_found_and_replaced_everywhere(provider, place):
    text, key = place.format(KEYS[provider]), KEYS[provider]
    assert find_secrets(text)
    assert Secrets().suspected(json.dumps(text).encode())
    assert key not in Secrets().scrub(text)
    for found in find_secrets(text):
        assert key not in found.shown
        assert text[found.start :].startswith(found.shown[:6])
    assert not find_secrets(Secrets().scrub(text))


@pytest.mark.parametrize("place", ["https://a/v1?key={}", "https://u:{}@a/v1", "Authorization: Bearer {}", "a?sig={}"])
def test_a_key_without_a_shape_is_known_by_where_it_stands(place):
    assert SHAPELESS not in Secrets().scrub(place.format(SHAPELESS))


def test_a_private_key_is_found_in_json():
    key = f"-----BEGIN PRIVATE KEY-----\n{LONG}\n{LONG}\n-----END PRIVATE KEY-----\n"
    assert LONG not in Secrets().scrub(json.dumps({"private_key": key}))


@pytest.mark.parametrize(
    "text",
    [
        "A risk-averse, task-oriented-approach-to-giving; the sk-8 and up_to_date src_path of a group_id",
        "Basic income and Bearer bonds; sorted(items, key=len), see https://example.org/a@b?key=short",
        "mailto:someone@example.org, http://[::1]:8080/v1, key 0123456789abcdef0123456789abcdef",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_prose_code_and_our_own_keys_are_no_secrets(text):
    assert find_secrets(text) == []
    assert Secrets().scrub(text) == text


@pytest.mark.parametrize(("value", "secret"), [("open-se", False), ("open-ses", True)])
def test_values_of_eight_characters_are_secrets_and_shorter_ones_are_words(value, secret):
    assert (Secrets([value]).scrub(f"say {value}!") == "say [scrubbed]!") is secret


def test_secrets_of_the_environment_are_those_that_are_named_so():
    named = environment_secrets({"COHERE_API_KEY": SHAPELESS, "hf_token": "b", "HOME": "/root", "db_password": "c"})
    assert named == [SHAPELESS, "b", "c"]


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


def test_a_wrong_log_call_stays_the_callers_own_problem(caplog, monkeypatch):
    before = logging.getLogRecordFactory()
    monkeypatch.setattr(scrubbing, "_logged", None)
    try:
        scrubbing.scrub_log_records()
        logging.getLogger("any").warning("key %s", KEYS["groq"])
        assert caplog.records[-1].getMessage() == f"key {SCRUBBED}"
        record = logging.getLogRecordFactory()("any", logging.INFO, "f", 1, "%d items", ("no number",), None)
        assert record.msg == "%d items"
    finally:
        logging.setLogRecordFactory(before)


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
