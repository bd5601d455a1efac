"""Secrets never reach a cassette, wherever they come up."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
import pytest

from pytest_llmpref.cassettes import Cassette, Exchange, Line, WireRequest, WireResponse
from pytest_llmpref.cassettes.redaction import Scrubber
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.secrets.scrubbing import SCRUBBED

SECRET = 'pa"ss\\w/örd+1'
KEYS = [
    "sk-proj-abcdefghij0123456789_-AB",
    "sk-ant-api03-abcdefghijklmnop0123",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "gsk_0123456789abcdefghijklmnop",
    "hf_0123456789abcdefghijklmnop",
    "xai-0123456789abcdefghijklmnop",
    "AKIAIOSFODNN7EXAMPLE",
    "Bearer 0123456789abcdef.ghi",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLTAx",
]


def exchange(sent: str = "{}", received: str = "{}", uri: str = "https://api.example/v1", **headers: str) -> Exchange:
    lists = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return Exchange(WireRequest("POST", uri, lists, sent), WireResponse(200, "OK", lists, received))


def written(folder, request: Request, reply: Reply, what: Exchange | None = None) -> str:
    cassette = Cassette.open(folder, request.model)
    cassette.append(request, reply, what)
    line = cassette.journal.read_text()
    assert json.loads(line)
    Cassette.open(folder, request.model).pack()
    again = Cassette.open(folder, request.model)
    assert again.get(request.key) is not None, "the request as asked must find its reply again"
    return line


def ask(content: str = "Which one?") -> Request:
    return Request("m", (Message("user", content),), 1.0, 8)


def scrubbed_exchange(what: Exchange) -> Exchange:
    _, line = Scrubber({}).interaction(ask().key, ask(), Reply("A", "stop"), what, datetime.now(UTC))
    return msgspec.json.decode(line, type=Line).exchange


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "hf_token", "MY_SECRET_1", "DB_PASSWORD"])
def test_values_of_secret_variables_are_replaced_everywhere_in_every_form(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, SECRET)
    reply = Reply(f"it is {SECRET}", SECRET, SECRET, {SECRET: -1.0}, parameters={"user": SECRET, "n": 1})
    what = exchange(
        json.dumps({"messages": SECRET}),
        json.dumps({"content": SECRET}, ensure_ascii=False),
        uri=f"https://api.example/v1/{quote(SECRET, safe='')}",
        x_request_id=SECRET,
    )
    line = written(tmp_path, ask(f"my password is {SECRET}"), reply, what)
    escaped = json.dumps(SECRET)[1:-1]
    for form in (SECRET, escaped, json.dumps(escaped)[1:-1], quote(SECRET, safe=""), "rd+1"):
        assert form not in line
    assert line.count(SCRUBBED) == 11


@pytest.mark.parametrize("secret", KEYS)
def test_the_shapes_of_providers_keys_are_replaced(tmp_path, secret):
    body = json.dumps({"error": f"Incorrect API key provided: {secret}."})
    line = written(tmp_path, ask(f"key {secret} end"), Reply(f"({secret})", "stop"), exchange(body, body))
    assert secret not in line
    assert line.count(SCRUBBED) == 4


def test_only_harmless_headers_are_kept():
    kept = {"content-type": "application/json", "Retry-After": "3", "X-Request-Id": "r1", "OpenAI-Processing-Ms": "12"}
    dropped = {"Authorization": "Basic dTpwYXNz", "api-key": "x", "Set-Cookie": "a=b", "X-Anything": "unknown"}
    lists = {name: [value] for name, value in (kept | dropped).items()}
    what = Exchange(WireRequest("POST", "http://a", lists, ""), WireResponse(200, "", lists, ""))
    scrubbed = scrubbed_exchange(what)
    for part in (scrubbed.request, scrubbed.response):
        assert part.headers == {name.lower(): [value] for name, value in kept.items()}


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "X-Amz-Signature", "sig", "client_secret"])
def test_secret_parameters_of_urls_are_replaced_and_the_rest_stands(name):
    what = exchange(uri=f"https://user:hunter2hunter2@api.example:8443/v1/x?a=1&{name}=Zm9vYmFyYmF6&b=2#part")
    scrubbed = scrubbed_exchange(what)
    assert scrubbed.request.uri == f"https://api.example:8443/v1/x?a=1&{name}={SCRUBBED}&b=2#part"


def test_a_url_without_secrets_is_left_as_it_is():
    uri = "https://api.example/v1/models/a%2Fb:generate?alt=sse&x=a+b%20c&empty="
    assert scrubbed_exchange(exchange(uri=uri)).request.uri == uri


@pytest.mark.parametrize(
    "what",
    [
        exchange(
            received='{"message": "bad key shapeless-credential-77"}', authorization="Bearer shapeless-credential-77"
        ),
        exchange(received='{"message": "bad key shapeless-credential-77"}', x_api_key="shapeless-credential-77"),
        exchange(received="shapeless-credential-77", uri="https://api.example/v1?key=shapeless-credential-77"),
    ],
    ids=["authorization", "x-api-key", "parameter"],
)
def test_a_credential_that_went_out_is_known_wherever_it_comes_back(tmp_path, what):
    reply = Reply("you sent shapeless-credential-77", "stop")
    assert "shapeless" not in written(tmp_path, ask(), reply, what)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "api-key",
        "X-Goog-Api-Key",
        "X-Auth-Token",
        "Client-Secret",
        "X-Signature",
        "X-Credential",
    ],
)
def test_what_went_out_in_a_credential_header_is_a_secret(tmp_path, name):
    sent = WireRequest("POST", "https://api.example/v1", {name: ["shapeless-credential-77"]}, "{}")
    what = Exchange(sent, WireResponse(200, "OK", {}, '{"seen": "shapeless-credential-77"}'))
    assert "shapeless" not in written(tmp_path, ask(), Reply("you sent shapeless-credential-77", "stop"), what)


@pytest.mark.parametrize("cookie", ["{}", "session={}", "lang=en-gb; session={}"])
def test_what_went_out_as_a_cookie_is_a_secret(tmp_path, cookie):
    value = "q8Zt1vXw5yRn3KpL"
    sent = WireRequest("POST", "https://api.example/v1", {"Cookie": [cookie.format(value)]}, "{}")
    what = Exchange(sent, WireResponse(200, "OK", {}, f'{{"seen": "{value}"}}'))
    line = written(tmp_path, ask(), Reply(f"you sent {value}, from en-gb", "stop"), what)
    assert value not in line
    assert "from en-gb" in line


@pytest.mark.parametrize("name", ["User-Agent", "Accept-Language", "X-Stainless-Lang", "Content-Type"])
def test_what_went_out_in_any_other_header_is_not(tmp_path, name):
    sent = WireRequest("POST", "https://api.example/v1", {name: ["shapeless-value-77"]}, "{}")
    what = Exchange(sent, WireResponse(200, "OK", {}, '{"seen": "shapeless-value-77"}'))
    line = json.loads(written(tmp_path, ask(), Reply("you sent shapeless-value-77", "stop"), what))
    assert line["reply"]["text"] == "you sent shapeless-value-77"
    assert line["http"]["response"]["body"] == '{"seen": "shapeless-value-77"}'


def test_what_is_no_secret_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_API_KEY", "none")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    text = "A Bearer of none, risk-averse; sk-8 and AIza, false. The skill hf_ask-1. Bearer bonds, xai-x"
    line = json.loads(written(tmp_path, ask(text), Reply(text, "stop"), exchange(text, text)))
    assert line["request"]["messages"][0]["content"] == line["reply"]["text"] == text
    assert line["http"]["request"]["body"] == line["http"]["response"]["body"] == text


def test_a_secret_that_is_a_word_of_the_format_does_not_spoil_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ODD_TOKEN", "messages")
    line = json.loads(written(tmp_path, ask("no messages here"), Reply("messages", "stop")))
    assert line["request"]["messages"][0]["content"] == f"no {SCRUBBED} here"
    assert line["reply"]["text"] == SCRUBBED


def test_the_reply_returned_is_the_reply_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "open-sesame")
    cassette = Cassette.open(tmp_path, "m")
    returned = cassette.append(ask(), Reply("say open-sesame", "stop"))
    assert returned == Reply(f"say {SCRUBBED}", "stop") == Cassette.open(tmp_path, "m").get(ask().key)


def test_reading_does_not_scrub(tmp_path, monkeypatch):
    cassette = Cassette.open(tmp_path, "m")
    cassette.append(ask(), Reply("say open-sesame", "stop"))
    monkeypatch.setenv("SOME_KEY", "open-sesame")
    assert Cassette.open(tmp_path, "m").get(ask().key).text == "say open-sesame"
