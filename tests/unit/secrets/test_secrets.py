"""No key reaches a file or the terminal, whatever its provider and however it gets about."""

import json
import logging

import pytest
from made_up_keys import KEYS, LONG, SHAPELESS

from pytest_llmpref.secrets import Secrets, environment_secrets, scrubbing
from pytest_llmpref.secrets.scrubbing import SCRUBBED, find_secrets


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
