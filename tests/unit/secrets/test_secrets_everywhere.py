"""A secret is found wherever it stands, however it is written there, and in whatever way it is known."""

import base64
import json
import logging
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from pytest_llmpref.cassettes import Cassette, Exchange, WireRequest, WireResponse
from pytest_llmpref.cassettes.redaction import Scrubber
from pytest_llmpref.models.chat import Message, Reply, Request, Tool, ToolCall
from pytest_llmpref.secrets import Secrets, environment_secrets, find_secrets, scrubbing
from pytest_llmpref.secrets.scrubbing import SCRUBBED

ODD = "Qx7/Lm2+Vb9=Tz4kWn8rHs3pYd6fJg5"
SHAPED = "ABSKQmVkcm9ja0FQSUtleS1aB3dE6/gH9jK2+mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9="
PLAIN = "Zt5wQ8nB2xK7mR4vH9cJ3gL6"
"""Fits into an address as it is."""

KNOWN = {
    "a variable": (ODD, {"COHERE_API_KEY": ODD}, {}),
    "a variable, plain": (PLAIN, {"COHERE_API_KEY": PLAIN}, {}),
    "a shape": (SHAPED, {}, {}),
    "a shape, plain": (f"gsk_{PLAIN}", {}, {}),
    "a name": (ODD, {}, {"X-Api-Password": [ODD]}),
    "a name, plain": (PLAIN, {}, {"X-Api-Password": [PLAIN]}),
}
"""How it is known -> the secret, the environment, and the headers that go out."""


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def percent(text: str) -> str:
    return quote(text, safe="")


WRITINGS = {
    "raw": str,
    "percent": percent,
    "percent, lower case": lambda secret: percent(secret).replace("%2F", "%2f").replace("%2B", "%2b"),
    "percent, twice": lambda secret: percent(percent(secret)),
    "JSON": lambda secret: json.dumps(f"\n{secret}\n").replace("/", r"\/"),
    "JSON, twice": lambda secret: json.dumps(json.dumps(f"{secret}\n").replace("/", r"\/")),
    "JSON, as it is safe in HTML": lambda secret: "".join(f"\\u{ord(c):04X}" if c in "+/=" else c for c in secret),
    "HTML": lambda secret: "".join(f"&#x{ord(c):02X};" if c in "+/=" else c for c in secret),
    "HTML, in decimal": lambda secret: "".join(f"&#{ord(c)};" if c in "+/=" else c for c in secret),
    "HTML, twice": lambda secret: "".join(f"&amp;#x{ord(c):x};" if c in "+/=" else c for c in secret),
    "JavaScript": lambda secret: "".join(f"\\x{ord(c):02x}" if c in "+/=" else c for c in secret),
    "base64": base64_of,
    "base64, for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "Basic": lambda secret: f"Basic {base64_of(f'user:{secret}')}",
    "Basic, of another user": lambda secret: f"Basic {base64_of(f'user1:{secret}')}",
    "after other letters": lambda secret: f"密钥是{secret}。",
    "broken line": lambda secret: f"{secret[:13]}\n    {secret[13:]}",
    "broken line in JSON": lambda secret: json.dumps(f"{secret[:13]}\r\n{secret[13:]}"),
}

ASKED = Request("m", (Message("user", "Which one?"),), 1.0, 8)
ANSWERED = Reply("A", "stop")
URL = "https://api.example/v1"


def asked(**changes) -> dict:
    return {
        "request": Request(**{"model": "m", "messages": ASKED.messages, "temperature": 1.0, "max_tokens": 8} | changes)
    }


def calling(**changes) -> tuple[ToolCall, ...]:
    return (ToolCall(**{"id": "call_1", "name": "read", "arguments": "{}"} | changes),)


PLACES = {
    "kept header sent": lambda secret: {"sent": {"x-request-id": [secret]}},
    "kept header received": lambda secret: {"received": {"x-request-id": ["1", secret]}},
    "dropped header": lambda secret: {"received": {"x-echo": [secret]}},
    "query": lambda secret: {"uri": f"{URL}?user={secret}&a=1"},
    "path": lambda secret: {"uri": f"{URL}/of/{secret}/chat"},
    "user": lambda secret: {"uri": f"https://{secret}@api.example/v1"},
    "password": lambda secret: {"uri": f"https://someone:{secret}@api.example/v1"},
    "host": lambda secret: {"uri": f"https://{secret}.api.example/v1"},
    "fragment": lambda secret: {"uri": f"{URL}#{secret}"},
    "body sent": lambda secret: {"asks": json.dumps({"user": secret})},
    "body received": lambda secret: {"says": json.dumps({"error": [{"message": f"bad key {secret}!"}]})},
    "body received, not ASCII": lambda secret: {"says": json.dumps({"é": secret}, ensure_ascii=False)},
    "body that is no JSON": lambda secret: {"says": f"<p>bad key {secret}</p>"},
    "name of a field": lambda secret: {"says": json.dumps({secret: 1})},
    "reason phrase": lambda secret: {"reason": secret},
    "message": lambda secret: asked(messages=(Message("user", f"I am {secret}"),)),
    "tool call asked": lambda secret: asked(messages=(Message("assistant", "", calling(name=secret)),)),
    "id of a result": lambda secret: asked(messages=(Message("tool", "", (), secret),)),
    "tool": lambda secret: asked(tools=(Tool("read", "reads", {"properties": {"x": {"enum": [secret]}}}),)),
    "description of a tool": lambda secret: asked(tools=(Tool(secret, secret, {}),)),
    "allowed answer": lambda secret: asked(answers=("A", secret)),
    "text": lambda secret: {"reply": Reply(f"Your key is {secret}", "stop")},
    "finish": lambda secret: {"reply": Reply("A", secret)},
    "refusal": lambda secret: {"reply": Reply("", "stop", secret)},
    "log-probabilities": lambda secret: {"reply": Reply("A", "stop", None, {secret: -0.1})},
    "parameters": lambda secret: {"reply": Reply("A", "stop", parameters={"user": secret, "n": 1, secret: 1})},
    "name of a call": lambda secret: {"reply": Reply("A", "stop", tool_calls=calling(name=secret))},
    "id of a call": lambda secret: {"reply": Reply("A", "stop", tool_calls=calling(id=secret))},
    "arguments of a call": lambda secret: {"reply": Reply("", "", tool_calls=calling(arguments=json.dumps([secret])))},
}
IN_ADDRESSES = {"query", "path", "user", "password", "host", "fragment"}


def can_be(place: str, writing: str, known: str) -> bool:
    """Whether a secret can be written so in such a place: an address has no line breaks, spaces, quotes or slashes."""
    written = WRITINGS[writing](KNOWN[known][0])
    if place == "host":
        return written.isalnum()
    return place not in IN_ADDRESSES or not set(written) & set("/@\"'\n \\?#+=。&;")


CELLS = {
    (place, known): [writing for writing in WRITINGS if can_be(place, writing, known)]
    for place in PLACES
    for known in KNOWN
}
"""Where a secret stands, and how it is known -> all the ways in which it can be written there."""


def written(environment, headers, *, sent=None, received=None, uri=URL, asks="{}", says="{}", reason="OK", **parts):
    """The line of an interaction."""
    exchange = Exchange(
        WireRequest("POST", uri, {**headers, **(sent or {})}, asks), WireResponse(200, reason, received or {}, says)
    )
    request, reply = parts.get("request", ASKED), parts.get("reply", ANSWERED)
    scrubber = Scrubber({"HOME": "/root", **environment})
    recorded, line = scrubber.interaction(request.key, request, reply, exchange, datetime.now(UTC))
    assert json.loads(line)["key"] == recorded.key == request.key
    return line.decode()


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def left(text: str, secret: str, size: int = 10) -> set[str]:
    """What of a secret, so many characters each, is left in a text."""
    return {secret[at : at + size] for at in range(len(secret) - size + 1) if secret[at : at + size] in text}


@pytest.mark.parametrize(("place", "known"), CELLS)
def test_no_secret_is_written_wherever_it_stands(place, known):
    """Each writing is a line of its own, of a scrubber that knows of no other; a failure names those that got by."""
    secret, environment, headers = KNOWN[known]
    got_by = {}
    for writing in CELLS[place, known]:
        form = WRITINGS[writing](secret)
        line = written(environment, headers, **PLACES[place](form))
        said = "\n".join(strings(json.loads(line)))
        if found := left(line, secret) | left(said, secret) | left(said, form.strip('密钥是。"\\n')):
            got_by[writing] = found
    assert not got_by


def test_no_cell_is_lost():
    assert sum(map(len, CELLS.values())) == 2730
    assert all(CELLS.values())


@pytest.fixture
def logged(caplog, monkeypatch):
    """Log as a process does that asks a model; return the messages and all that formatters show."""
    before = logging.getLogRecordFactory()
    monkeypatch.setattr(scrubbing, "_logged", None)
    for name in ("COHERE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)

    def log(environment, *arguments, **named):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        scrubbing.scrub_log_records()
        logging.getLogger("any").debug(*arguments, **named)
        return caplog.text

    yield log
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize("known", [name for name in KNOWN if not name.startswith("a name")])
@pytest.mark.parametrize("writing", WRITINGS)
def test_no_secret_is_logged(logged, writing, known):
    secret, environment, _ = KNOWN[known]
    form = WRITINGS[writing](secret)
    said = logged(environment, "sent %s of %d", f"header {form}", 1)
    try:
        int(f"{form}!")
    except ValueError:
        said += logged({}, "failed", exc_info=True, stack_info=True)
    assert SCRUBBED in said
    assert not left(said, secret) | left(said, form.strip('密钥是。"\\n'))


@pytest.mark.parametrize(
    "said",
    [
        "GET http://{}@proxy.example/v1",
        "GET http://{}:@proxy.example/v1",
        "GET https://a.example/v1?auth={}&b=1",
        "GET https://a.example/v1?b=1&pwd={}",
        "Authorization: Token user:{}",
        "Authorization: ApiKey name {}",
        'Authorization: Custom key="{}"',
        "{{'X-Api-Password': '{}'}}",
        "[(b'x-api-key', b'{}'), (b'accept', b'*/*')]",
        '{{"client_secret": "{}"}}',
        "Cookie: theme=dark; session={}; lang=en",
        "Set-Cookie: session={}; Path=/v1",
        "https%3A%2F%2Fa.example%2F%3Fauth%3D{}",
        "COHERE_API_KEY={}",
        "https://a.example/v1?key\\u003d{}",
        "password = {}",
    ],
)
def test_what_a_name_tells_of_is_not_logged(logged, said):
    assert not left(logged({}, said.format(PLAIN)), PLAIN)


def test_a_wrong_log_call_shows_no_secret_either(logged):
    scrubbing.scrub_log_records()
    record = logging.getLogRecordFactory()("any", logging.INFO, "f", 1, "%d items", (f"gsk_{PLAIN}",), None)
    assert (record.msg, record.args) == ("%d items", [SCRUBBED])


SIGNED = (
    f"AWS4-HMAC-SHA256 Credential={PLAIN}/20260101/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature={0}"
)
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"


@pytest.mark.parametrize(
    ("name", "value", "comes_back"),
    [
        ("Authorization", f"Token user:{PLAIN}", PLAIN),
        ("Authorization", f"ApiKey name {PLAIN}", PLAIN),
        ("Authorization", f'Custom id="some-one", key="{PLAIN}"', PLAIN),
        ("Authorization", f"Basic {base64_of(f'user:{PLAIN}')}", PLAIN),
        ("Authorization", f"Basic {base64_of(f'{PLAIN}:')}", PLAIN),
        ("Authorization", f"Basic {base64_of(f'{PLAIN}:x')}", PLAIN),
        ("Authorization", f'Digest username="user", nonce="{HEX}", response="{PLAIN}"', PLAIN),
        ("Authorization", SIGNED.format(HEX), HEX),
        ("Authorization", SIGNED.format(HEX), PLAIN),
        ("X-Api-Password", "all letters here", "all letters here"),
        ("X-Passphrase", PLAIN, PLAIN),
        ("X-Pwd", PLAIN, PLAIN),
        ("Proxy-Authorization", f"Bearer {PLAIN}", PLAIN),
        ("X-Amz-Security-Token", PLAIN, PLAIN),
        ("Cookie", f"theme=dark; session={PLAIN}; lang=en", PLAIN),
        ("Cookie", f'session="{PLAIN}"', PLAIN),
    ],
)
def test_a_credential_of_a_header_is_known_in_its_parts(name, value, comes_back):
    line = written({}, {name: [value]}, says=json.dumps({"error": f"bad {comes_back} of us-east-1, content-type"}))
    assert not left(line, comes_back)
    assert "of us-east-1, content-type" in line


def test_a_cookie_that_is_set_is_known_and_its_attributes_are_not():
    cookie = f"session={PLAIN}; Domain=provider.example; Path=/v1/chat/completions; SameSite=Strict; Max-Age=31536000"
    says = f"{PLAIN} provider.example /v1/chat/completions Strict 31536000"
    line = json.loads(written({}, {}, received={"set-cookie": [cookie]}, says=says))
    assert line["http"]["response"]["body"] == says.replace(PLAIN, SCRUBBED)


@pytest.mark.parametrize(
    "uri",
    [
        f"https://a.example/v1?auth={PLAIN}",
        f"https://a.example/v1?pwd={PLAIN}",
        f"https://a.example/v1?x=1#access_token={PLAIN}",
        f"https://{PLAIN}@a.example/v1",
        f"https://{PLAIN}:@a.example/v1",
        f"https://{PLAIN}:x@a.example/v1",
        f"https://a.example/token/{PLAIN}/chat",
        f"https://a.example/key/{PLAIN}",
    ],
)
def test_a_credential_of_an_address_is_known_when_it_comes_back(uri):
    assert not left(written({}, {}, uri=uri, says=f"no such key: {PLAIN}"), PLAIN)


@pytest.mark.parametrize("field", ["api_key", "apiKey", "X-API-Key", "client_secret", "accessToken", "PASSWORD"])
def test_a_field_of_a_body_that_is_named_like_a_secret_is_known(field):
    line = written({}, {}, asks=json.dumps({"extra": [{field: PLAIN}]}), says=f"who is {PLAIN}?")
    assert not left(line, PLAIN)


def test_what_models_say_and_do_stays_as_it_is():
    """Agents work with passwords, tokens and hashes of a task's own: to scrub them would change what they do."""
    arguments = json.dumps({"password": "s3cr3tP4ssw0rd99", "cmd": "curl http://target/?auth=5f4dcc3b5aa765d61d8327de"})
    text = "api_key = '5f4dcc3b5aa765d61d8327deb882cf99'; X-Api-Key: d8327deb882cf99a; http://someone1990@example.org"
    body = json.dumps({"content": [{"input": json.loads(arguments)}, {"text": text}], "signature": HEX})
    reply = Reply(text, "tool_calls", tool_calls=calling(arguments=arguments))
    line = json.loads(written({}, {}, reply=reply, says=body))
    assert line["reply"]["text"] == text
    assert line["reply"]["tool_calls"][0]["arguments"] == arguments
    assert line["http"]["response"]["body"] == body


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("AUTH", ODD, [ODD]),
        ("SERVICE_AUTH", ODD, [ODD]),
        ("HTTP_AUTHORIZATION", f"Bearer {PLAIN}", [PLAIN]),
        ("DB_PASSWD", ODD, [ODD]),
        ("DB_PWD", ODD, [ODD]),
        ("MY_CREDENTIAL", ODD, [ODD]),
        ("VAULT_PASSPHRASE", "correct horse battery", ["correct horse battery"]),
        ("BASIC_AUTH", f"user:{PLAIN}", [PLAIN]),
        ("AUTH_HEADER", f"Basic {base64_of(f'user:{PLAIN}')}", [PLAIN]),
        ("OPENAI_API_KEY", f"{PLAIN}\n", [PLAIN]),
        ("OPENAI_API_KEY", f'"{PLAIN}"', [PLAIN]),
        ("OPENAI_API_KEYS", f"{PLAIN},{ODD}", [PLAIN, ODD]),
        ("OPENAI_API_KEYS", f"{PLAIN}\n{ODD}\n", [PLAIN, ODD]),
        ("OPENAI_API_KEYS", f"{PLAIN} ; {ODD}", [PLAIN, ODD]),
        ("PROXY_TOKENS", f"ann={PLAIN},bob={ODD[:7]}{PLAIN}", [PLAIN, f"{ODD[:7]}{PLAIN}"]),
        ("OPENAI_API_KEYS", json.dumps([PLAIN, ODD]), [PLAIN, ODD]),
        ("GOOGLE_CREDENTIALS", json.dumps({"type": "service_account", "private_key": f"a\n{PLAIN}\n"}), [PLAIN]),
        ("SERVICES", json.dumps({"db": [{"credentials": {"password": PLAIN}}]}), [PLAIN]),
        ("DATABASE_URL", f"postgres://user:{PLAIN}@db.example/x", [PLAIN]),
        ("DATABASE_URL", f"postgres://user:{percent(ODD)}@db.example/x", [ODD]),
        ("SENTRY_DSN", f"https://{PLAIN}@o1.ingest.example/2", [PLAIN]),
        ("HTTPS_PROXY", f"http://{PLAIN}:@proxy.example", [PLAIN]),
    ],
)
def test_secrets_of_variables_are_known_in_each_form(name, value, secrets):
    for secret in secrets:
        assert not left(Secrets(environment_secrets({name: value})).scrub(f"you sent {secret}!"), secret)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PWD", "/tmp/pytest-of-me/x7Kd93jf/project"),
        ("OLDPWD", "/tmp/pytest-of-me/x7Kd93jf/project"),
        ("GIT_AUTHOR_NAME", "Jane Example"),
        ("XAUTHORITY", "/home/jane/.Xauthority"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/jane/project-123456/account.json"),
        ("HOMEPAGE", "https://example.org/jane"),
        ("JSON", '{"type": "service_account", "project": "some-project"}'),
    ],
)
def test_a_variable_of_another_kind_holds_no_secret(name, value):
    assert environment_secrets({name: value}) == []


def test_a_key_that_ends_a_line_ends_there():
    """What follows on the next line is the reply's own."""
    for key in (f"sk-proj-{PLAIN}", f"gsk_{PLAIN}"):
        for text in ("Please revoke it", "and-then-some-more-words-of-the-reply"):
            assert Secrets().scrub(f"It is {key}\n{text}.") == f"It is {SCRUBBED}\n{text}."


def test_a_found_secret_is_shown_where_it_stands():
    text = f'"a\\n{quote(SHAPED, safe="")} b"'
    (found,) = find_secrets(text)
    assert text[found.start :].startswith("ABSKQm")
    assert found.kind == "Bedrock key"


def test_a_replay_at_the_wire_finds_an_address_whose_path_held_a_secret(tmp_path):
    from vcr.request import Request as VCRRequest

    from pytest_llmpref.cassettes.interaction import Answers
    from pytest_llmpref.cassettes.vcr_bridge import AnsweringCassette
    from pytest_llmpref.cassettes.wire import _answers, answer_with

    cassette = Cassette.open(tmp_path, "m")
    uri = f"https://a.example/token/{PLAIN}/chat"
    cassette.append(ASKED, ANSWERED, Exchange(WireRequest("POST", uri, {}, ""), WireResponse(200, "OK", {}, "A")))
    (line,) = Cassette.open(tmp_path, "m").lines()
    assert PLAIN not in line.exchange.request.uri
    answering = AnsweringCassette(path="x", current=_answers)
    with answer_with(Answers((line.exchange,))):
        assert answering.can_play_response_for(VCRRequest("POST", "http://127.0.0.1/token/recorded/chat", "", {}))
        assert not answering.can_play_response_for(VCRRequest("POST", "http://127.0.0.1/token/recorded/other", "", {}))


@pytest.mark.parametrize("place", [name for name in PLACES if "request" in PLACES[name]("x")])
def test_what_was_scrubbed_from_a_request_is_no_change_by_hand(tmp_path, monkeypatch, place):
    monkeypatch.setenv("COHERE_API_KEY", ODD)
    request = PLACES[place](ODD)["request"]
    Cassette.open(tmp_path, "m").append(request, ANSWERED)
    assert Cassette.open(tmp_path, "m").get(request.key) == ANSWERED


def test_values_of_single_calls_are_forgotten_and_lasting_ones_are_not():
    secrets = Secrets([PLAIN])
    for number in range(200):
        secrets.learn([f"signature-{number:04}-{HEX}"], for_now=True)
    assert PLAIN not in secrets.scrub(PLAIN)
    assert secrets.scrub(f"signature-0199-{HEX}") == SCRUBBED
    assert secrets.scrub(f"signature-0000-{HEX}") != SCRUBBED
