"""The wire, for real: litellm asks a server on loopback, vcrpy listens, and later answers in the server's place."""

import asyncio
import gzip
import json

import pytest
import stamina
from aiohttp import web
from loopback import Loopback
from through_litellm import API_KEY, MODEL, Live, ask_all, question

from pytest_llmpref.cassettes import Cassette, MissingRecordingError, RecordingModel, ReplayModel, refuse_sockets
from pytest_llmpref.cassettes.interaction import CassetteError, Exchange, WireRequest, WireResponse
from pytest_llmpref.cassettes.wire import WireReplayModel, capture, recording_wire
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.opening import open_model


@pytest.fixture(autouse=True)
def _no_price_map_download(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request, monkeypatch):
    """Both transports that litellm can send through."""
    import litellm

    monkeypatch.setattr(litellm, "disable_aiohttp_transport", request.param == "httpx")
    litellm.in_memory_llm_clients_cache.flush_cache()
    return request.param


class Server:
    """Answers each question with itself; with failures before, compressed, or late, as told."""

    def __init__(self, failures: int = 0, compress: bool = False, echo_headers: bool = False) -> None:
        self.failures = failures
        self.compress = compress
        self.echo_headers = echo_headers
        self.seen = 0
        self.in_flight = self.most_in_flight = 0

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.seen += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.01)
        self.in_flight -= 1
        if self.failures:
            self.failures -= 1
            return web.json_response({"error": {"message": f"slow down, {API_KEY}"}}, status=429)
        text = body["messages"][-1]["content"] + (f" {dict(request.headers)}" if self.echo_headers else "")
        content = json.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"{text} é"}}
                ],
                "usage": {"prompt_tokens": len(text), "completion_tokens": 2, "total_tokens": len(text) + 2},
            }
        ).encode()
        headers = {"content-type": "application/json", "x-request-id": f"r{self.seen}", "set-cookie": "a=b"}
        if self.compress:
            content, headers["content-encoding"] = gzip.compress(content), "gzip"
        return web.Response(body=content, headers=headers)


@pytest.mark.parametrize(("transport", "compress"), [("aiohttp", True), ("httpx", False)], indirect=["transport"])
def test_both_depths_of_replay_give_what_was_recorded_with_64_in_flight(tmp_path, transport, compress):
    questions = [question(number) for number in range(150)]

    async def record():
        async with Server(compress=compress) as server:
            model = RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL))
            replies = await ask_all(model, questions)
            return server.most_in_flight, server.seen, replies

    at_once, seen, replies = asyncio.run(record())
    assert (at_once, seen) == (64, 150)
    assert [reply.text for reply in replies] == [f"Question {number} é" for number in range(150)]
    Cassette.open(tmp_path, MODEL).pack()
    cassette = Cassette.open(tmp_path, MODEL)
    with refuse_sockets():
        assert asyncio.run(ask_all(ReplayModel(cassette), questions)) == replies
        assert asyncio.run(ask_all(WireReplayModel(Live("http://127.0.0.1:9/v1"), cassette), questions)) == replies
    assert len(cassette) == 150
    for one in cassette.lines():
        assert json.loads(one.exchange.response.body)["choices"][0]["message"]["content"] == one.reply.text
        assert json.loads(one.exchange.request.body)["messages"] == [
            {"role": "user", "content": one.request.messages[0].content}
        ]
        assert set(one.exchange.response.headers) == {"content-type", "date", "x-request-id"}


def test_models_that_only_replay_share_a_client_that_no_close_takes_from_another_nor_leaves_to_the_living(tmp_path):
    import litellm

    async def record():
        async with Server() as server:
            await ask_all(RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL)), [question(1)])

    def replayed():
        live = LiveModel(MODEL, api_base="http://127.0.0.1:9/v1", api_key="recorded", only_recorded=True)
        return WireReplayModel(live, Cassette.open(tmp_path, MODEL))

    async def two():
        first, second = replayed(), replayed()
        await first.ask(question(1))
        used = litellm.aclient_session
        await first.close()
        return used, (await ask_all(second, [question(1)]))[0].text

    asyncio.run(record())
    with refuse_sockets():
        one, again = asyncio.run(two()), asyncio.run(two())
    assert one == again
    assert one[1] == "Question 1 é"
    assert not one[0].is_closed
    assert litellm.aclient_session is None


def test_a_replay_goes_on_after_litellm_closed_the_clients_that_it_knows(tmp_path):
    import litellm

    async def record():
        async with Server() as server:
            await ask_all(RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL)), [question(1), question(2)])

    async def replay():
        live = LiveModel(MODEL, api_base="http://127.0.0.1:9/v1", api_key="recorded", only_recorded=True)
        model = WireReplayModel(live, Cassette.open(tmp_path, MODEL))
        await model.ask(question(1))
        await litellm.close_litellm_async_clients()
        return (await ask_all(model, [question(2)]))[0].text

    asyncio.run(record())
    with refuse_sockets():
        assert [asyncio.run(replay()) for _ in range(2)] == ["Question 2 é"] * 2


def test_of_several_tries_the_exchange_that_gave_the_reply_is_kept(tmp_path, transport):
    async def record():
        async with Server(failures=1) as server:
            model = RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL))
            return server, await ask_all(model, [question(1)])

    server, (reply,) = asyncio.run(record())
    (exchange,) = (line.exchange for line in Cassette.open(tmp_path, MODEL).lines())
    assert (server.seen, exchange.response.status, reply.text) == (2, 200, "Question 1 é")
    assert exchange.response.headers["x-request-id"] == ["r2"]


def test_a_call_that_failed_for_good_is_kept_as_an_error_without_the_key_that_the_server_repeats(tmp_path, transport):
    async def record():
        async with Server(failures=2) as server:
            return await ask_all(RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL)), [question(1)])

    (reply,) = asyncio.run(record())
    cassette = Cassette.open(tmp_path, MODEL)
    assert reply.finish == "error"
    assert "slow down, [scrubbed]" in reply.text
    assert cassette.lines()[0].exchange.response.status == 429
    assert API_KEY not in cassette.journal.read_text()
    for replay in (ReplayModel(cassette), WireReplayModel(Live("http://127.0.0.1:9/v1"), cassette)):
        assert asyncio.run(ask_all(replay, [question(1)])) == [reply]


def test_no_secret_reaches_the_file_even_where_the_server_echoes_all_headers(tmp_path, transport, monkeypatch):
    monkeypatch.setenv("PLANTED_TOKEN", "swordfish-in-the-environment")
    asked = Request(MODEL, (Message("user", "I know of swordfish-in-the-environment"),), 1.0, 8)

    async def record():
        async with Server(echo_headers=True) as server:
            model = RecordingModel(Live(f"{server.url}"), Cassette.open(tmp_path, MODEL))
            return await ask_all(model, [asked])

    (reply,) = asyncio.run(record())
    line = Cassette.open(tmp_path, MODEL).journal.read_text()
    assert "credential" not in line
    assert "swordfish" not in line
    assert "authorization" not in json.loads(line)["http"]["request"]["headers"]
    assert "Authorization" in reply.text, "the server did echo the header"
    assert "credential" not in reply.text


def test_http_of_others_passes_and_is_not_captured_while_recording():
    import httpx

    async def both():
        async with Server() as server, httpx.AsyncClient() as client:
            body = {"model": "m", "messages": [{"content": "mine"}]}
            with recording_wire():
                with capture() as captured:
                    await client.post(f"{server.url}/chat/completions", json=body)
                await client.post(f"{server.url}/chat/completions", json={**body, "model": "other"})
            with capture() as outside:
                await client.post(f"{server.url}/chat/completions", json=body)
            return captured.exchange, outside.exchange

    captured, outside = asyncio.run(both())
    assert json.loads(captured.request.body)["model"] == "m"
    assert outside is None


def test_recording_and_replay_take_no_longer_a_call_when_there_are_more(tmp_path):
    """Count what vcrpy scans, which does not depend on the machine: nothing, whatever the number of calls."""
    from vcr import matchers

    scans = 0
    original = matchers.requests_match

    def counting(*arguments):
        nonlocal scans
        scans += 1
        return original(*arguments)

    async def record():
        async with Server() as server:
            await ask_all(RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL)), map(question, range(20)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vcr.cassette.requests_match", counting)
        asyncio.run(record())
        cassette = Cassette.open(tmp_path, MODEL)
        asyncio.run(ask_all(WireReplayModel(Live("http://127.0.0.1:9/v1"), cassette), map(question, range(20))))
    assert scans == 0


def test_a_replay_at_the_wire_finds_what_was_recorded_since_it_began(tmp_path):
    async def recorded(number):
        async with Server() as server:
            await ask_all(RecordingModel(Live(server.url), Cassette.open(tmp_path, MODEL)), [question(number)])

    asyncio.run(recorded(1))
    cassette = Cassette.open(tmp_path, MODEL)
    model = WireReplayModel(Live("http://127.0.0.1:9/v1"), cassette)

    async def replayed(number):
        cassette.reload()
        with refuse_sockets():
            return (await model.ask(question(number))).text

    assert asyncio.run(replayed(1)) == "Question 1 é"
    asyncio.run(recorded(2))
    assert asyncio.run(replayed(2)) == "Question 2 é"


class Dialects(Loopback):
    """Answers under any path, and as Ollama does under its own."""

    OLLAMA = {"model": "m1", "created_at": "2026-11-29T00:00:00Z", "done": True, "done_reason": "stop", "eval_count": 1}  # noqa: RUF012

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/api/show"):
            return web.json_response({"template": "{{ .Prompt }}", "model_info": {}, "capabilities": ["completion"]})
        if request.path.endswith("/api/chat"):
            return web.json_response({**self.OLLAMA, "message": {"role": "assistant", "content": "A"}})
        return await super()._answer(request)


@pytest.mark.parametrize(
    ("name", "variable", "path"),
    [
        ("openai/m1", "OPENAI_API_BASE", "/v1"),
        ("openai/m1", "OPENAI_API_BASE", "/gateway/v7"),
        ("azure/eval-prod-01", "AZURE_API_BASE", ""),
        ("hosted_vllm/m1", "HOSTED_VLLM_API_BASE", "/v1"),
        ("ollama/m1", "OLLAMA_API_BASE", ""),
        ("ollama_chat/m1", "OLLAMA_API_BASE", ""),
    ],
)
def test_the_wire_of_each_kind_of_server_replays_without_its_address(tmp_path, monkeypatch, name, variable, path):
    """Imitated: what is replayed is what was recorded, at once, wherever the server was."""
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
    monkeypatch.setenv("AZURE_API_KEY", API_KEY)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    asked = Request(name, (Message("user", "Tea or mud?"),), 1.0, 8)

    def ask(model):
        async def run():
            try:
                return await model.ask(asked)
            finally:
                await model.close()

        return asyncio.run(run())

    def opened(**options):
        return open_model(name, {}, timeout=20.0, max_tries=6, max_wait=60.0, **options)

    server = Dialects()
    server.start()
    try:
        monkeypatch.setenv(variable, server.api_base.removesuffix("/v1") + path)
        reply = ask(RecordingModel(opened(), Cassette.open(tmp_path, name)))
    finally:
        server.stop()
    assert (reply.text, reply.finish) == ("A", "stop")
    monkeypatch.delenv(variable)
    with refuse_sockets():
        assert ask(WireReplayModel(opened(only_recorded=True), Cassette.open(tmp_path, name))) == reply


def test_an_exchange_that_gives_no_reply_is_an_error_at_once(tmp_path):
    """Not a trial that failed: nothing failed when it was recorded."""
    asked = question(1)
    exchange = Exchange(
        WireRequest("POST", "http://a.test/v1/chat/completions", {}, "{}"), WireResponse(200, "OK", {}, "no JSON")
    )
    Cassette.open(tmp_path, MODEL).append(asked, Reply("A", "stop"), exchange)
    live = LiveModel(MODEL, api_key="recorded", only_recorded=True)
    with stamina.set_testing(False), pytest.raises(CassetteError, match="cannot be replayed at the wire"):
        asyncio.run(ask_all(WireReplayModel(live, Cassette.open(tmp_path, MODEL)), [asked]))


def test_wire_replay_names_what_has_no_recording_or_no_exchange(tmp_path):
    cassette = Cassette.open(tmp_path, MODEL)
    cassette.append(question(1), Reply("A", "stop"))
    for number in (1, 2):
        with pytest.raises(MissingRecordingError, match=f"no recorded HTTP exchange .*Question {number}"):
            asyncio.run(ask_all(WireReplayModel(Live("http://127.0.0.1:9/v1"), cassette), [question(number)]))
