"""LiveModel against a real HTTP server, through the real litellm: every fault is a counted outcome or a clear error."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import stamina
from live_questions import CLAUDE, KEY, ask, request
from loopback import Answer, Loopback, closed_port, completion, failure, serving
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from pytest_llmpref.models.addresses import OWN_SERVERS
from pytest_llmpref.models.chat import CallFailedError, Message, ModelUnavailableError, ModelWarning, Reply, Request
from pytest_llmpref.models.faults import missing_package
from pytest_llmpref.models.live import FAILURES_IN_A_ROW, LiveModel
from pytest_llmpref.models.pace import Pace
from pytest_llmpref.models.retrying import Outage
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice

TRIES = 3


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr("pytest_llmpref.models.pace.HOLD_FIRST", 0.001)
    with stamina.set_testing(True, attempts=TRIES, cap=True):
        yield


def model(server: Loopback, name: str = "openai/tested", **options) -> LiveModel:
    api_base = server.api_base.removesuffix("/v1") if name.startswith("anthropic") else server.api_base
    return LiveModel(name, api_base=api_base, api_key=KEY, **options)


def one(server: Loopback, *, top_logprobs: int = 0, **options) -> Reply | Exception:
    return ask(model(server, **options), request(top_logprobs=top_logprobs))[0]


def test_a_reply_is_normalised(server):
    server.script(Answer(completion("B", top_logprobs={"B": -0.25, "A": -1.5})))
    reply = one(server, top_logprobs=2)
    assert reply.text == "B"
    assert reply.finish == "stop"
    assert reply.refusal is None
    assert reply.top_logprobs == {"B": -0.25, "A": -1.5}
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 1)
    assert reply.cost is None, "a model that litellm has no price of is not free"
    assert reply.latency > 0
    assert reply.parameters == {"max_tokens": 8, "temperature": 0.7, "logprobs": True, "top_logprobs": 2}


def test_who_answered_is_kept(server):
    server.script(Answer({**completion(), "model": "tested-2026-11-01", "system_fingerprint": "fp_1"}))
    reply = one(server)
    assert (reply.served, reply.fingerprint) == ("tested-2026-11-01", "fp_1")
    server.script(Answer({**ANTHROPIC, "model": "claude-sonnet-4-5-20250929"}))
    reply = ask(model(server, CLAUDE), request(CLAUDE))[0]
    assert (reply.served, reply.fingerprint) == ("claude-sonnet-4-5-20250929", "")


def test_what_is_recorded_as_sent_was_sent(server):
    reply = one(server, top_logprobs=2, stop="\n")
    assert reply.parameters["stop"] == "\n"
    assert server.received == [
        {**reply.parameters, "model": "tested", "messages": [{"role": "user", "content": "Tea or mud?"}]}
    ]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_a_priced_model_has_a_cost(server):
    server.script(Answer(completion(usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100})))
    reply = ask(model(server, "openai/gpt-4o"), request("openai/gpt-4o"))[0]
    # 2.50 and 10 dollars for a million tokens.
    assert reply.cost == pytest.approx(0.0025 + 0.001)


def test_a_litellm_name_of_its_own(server):
    asked = model(server, "house/model", litellm_name="openai/other")
    assert ask(asked, request("house/model"))[0].text == "A"
    assert server.received[0]["model"] == "other"


def test_null_content_is_an_empty_reply(server):
    server.script(Answer(completion(None)))
    assert one(server).text == ""


def test_the_providers_refusal_field_is_kept(server):
    server.script(Answer(completion(None, refusal="I will not choose.")))
    assert one(server).refusal == "I will not choose."


@pytest.mark.parametrize("finish", ["length", "content_filter", "an_unheard_of_reason"])
def test_the_finish_reason_is_kept(server, finish):
    server.script(Answer(completion("A", finish=finish)))
    assert one(server).finish == finish


@pytest.mark.parametrize("name", ["openai/tested", "openrouter/tested", "hosted_vllm/tested"])
@pytest.mark.parametrize(
    ("logprobs", "kept"),
    [
        ({"A": -0.25, "B": float("-inf")}, {"A": -0.25}),
        ({"A": float("nan"), "B": -1.0}, None),
        ({"A": float("inf"), "B": -1.0}, None),
        ({"A": -0.25, "B": None}, None),
        ({"A": None, "B": None}, None),
    ],
)
def test_a_logprob_that_is_no_number_costs_no_reply(server, name, logprobs, kept):
    """The rest of some would look more certain than they are; a token that cannot come leaves the rest as they are."""
    server.script(Answer(completion(top_logprobs=logprobs)))
    reply = ask(model(server, name), request(name, top_logprobs=2))[0]
    assert (reply.text, reply.top_logprobs) == ("A", kept)
    assert len(server.received) == 1


def test_a_null_logprob_of_a_later_token_leaves_those_of_the_first(server):
    body = completion("AB", top_logprobs={"A": -0.25, "B": -1.5})
    tokens = body["choices"][0]["logprobs"]["content"]
    tokens.append({"token": "B", "logprob": None, "top_logprobs": []})
    server.script(Answer(body))
    assert one(server, top_logprobs=2).top_logprobs == {"A": -0.25, "B": -1.5}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("name", ["openai/tested", "openrouter/tested", "hosted_vllm/tested"])
def test_content_in_parts_is_joined_without_hidden_reasoning(server, name):
    hidden = {"type": "thinking", "thinking": [{"type": "text", "text": "Rather B?"}]}
    body = completion()
    parts = [hidden, {"type": "text", "text": "Option "}, {"type": "text", "text": "A"}]
    body["choices"][0]["message"]["content"] = parts
    server.script(Answer(body))
    assert ask(model(server, name), request(name))[0].text == "Option A"
    assert len(server.received) == 1


def test_a_reply_that_does_not_fit_names_the_field(server):
    server.default = Answer({**completion(), "choices": [{"index": 0, "message": {"role": "assistant", "content": 7}}]})
    failed = one(server)
    assert isinstance(failed, CallFailedError)
    assert "field content: Input should be a valid string" in str(failed)


def test_counts_and_prices_that_cannot_be_are_unknown(server):
    server.script(Answer(completion(usage={"prompt_tokens": 10**30, "completion_tokens": 1, "total_tokens": 10**30})))
    reply = ask(model(server, "openai/gpt-4o"), request("openai/gpt-4o"))[0]
    assert (reply.text, reply.prompt_tokens, reply.cost) == ("A", 0, None)


def test_logprobs_that_were_not_returned_are_none(server):
    assert one(server, top_logprobs=5).top_logprobs is None


def test_hidden_reasoning_counts_as_billed(server):
    """XAI leaves it out of the completion's tokens, not out of the total."""
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 61}
    server.script(Answer(completion(usage=usage)))
    assert one(server).completion_tokens == 51


TRANSIENT = {
    "timeout": failure(408, "took too long"),
    "conflict": failure(409, "locked"),
    "rate limit": failure(429, "slow down"),
    "server error": failure(500, "boom"),
    "bad gateway in HTML": Answer("<html>bad gateway</html>", 502),
    "unavailable": failure(503, "busy"),
    "overloaded": failure(529, "overloaded"),
    "HTML": Answer("<html><body>Log in to the hotel's network</body></html>"),
    "empty body": Answer(""),
    "no choices": Answer({**completion(), "choices": []}),
    "null choices": Answer({**completion(), "choices": None}),
    "choices left out": Answer({"hello": "world"}),
    "a choice without message": Answer({**completion(), "choices": [{"index": 0, "finish_reason": "stop"}]}),
    "JSON of another kind": Answer([1, 2, 3]),
    "JSON cut off": Answer('{"id": "x", "choices": [{'),
    "connection cut off": Answer(completion(), cut=True),
    "error in an answer that says 200": Answer({"error": {"message": "upstream broke", "code": 502}}),
    "reply broken off by the provider": Answer(completion("A", finish="error")),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_a_fault_that_passes_costs_only_tries(server, fault):
    server.script(fault, fault)
    reply = one(server)
    assert isinstance(reply, Reply), f"{len(server.received)} requests, and then: {reply}"
    assert reply.text == "A"
    assert len(server.received) == 3, "one request a try: no other layer retries"


STAYING = {name: fault for name, fault in TRANSIENT.items() if name != "rate limit"}


@pytest.mark.parametrize("fault", STAYING.values(), ids=STAYING)
def test_a_fault_that_stays_fails_the_call_and_no_other(server, fault):
    server.script(*[fault] * TRIES)
    failed, answered = ask(model(server), request(), request())
    assert isinstance(failed, CallFailedError)
    assert str(failed).startswith("openai/tested: ")
    assert "\n" not in str(failed)
    assert "litellm" not in str(failed).lower().replace("litellm: provider", "")
    assert answered.text == "A"
    assert len(server.received) == TRIES + 1


def test_a_server_that_hangs_is_a_failed_call(server):
    server.script(*[Answer("", hang=True)] * TRIES)
    failed, answered = ask(model(server, timeout=0.5), request(), request())
    assert isinstance(failed, CallFailedError)
    assert "no whole answer within 0.5 s" in str(failed)
    assert answered.text == "A"
    assert len(server.received) == TRIES + 1


FOR_GOOD = {
    "bad request": failure(400, "bad request"),
    "question too long": failure(400, "maximum context length is 10 tokens", "context_length_exceeded"),
    "unprocessable": failure(422, "cannot process"),
    "teapot": failure(418, "short and stout"),
}


@pytest.mark.parametrize("fault", FOR_GOOD.values(), ids=FOR_GOOD)
def test_a_question_that_is_turned_away_is_not_asked_again(server, fault):
    server.script(fault)
    failed, answered = ask(model(server), request(), request())
    assert isinstance(failed, CallFailedError)
    assert fault.body["error"]["message"] in str(failed)
    assert answered.text == "A"
    assert len(server.received) == 2


UNAVAILABLE = {
    "wrong key": (failure(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key"), "check the key"),
    "wrong key, said with 400": (failure(400, "API key not valid. Please pass a valid API key."), "check the key"),
    "no credit": (failure(402, "payment required"), "no credit left"),
    "quota": (failure(429, "You exceeded your current quota.", "insufficient_quota"), "no credit left"),
    "no permission": (failure(403, "Your API key does not have permission to use this model."), "no permission"),
    "no such model": (failure(404, "The model `tested` does not exist", "model_not_found"), "check the model's name"),
}


@pytest.mark.parametrize(("fault", "fix"), UNAVAILABLE.values(), ids=UNAVAILABLE)
def test_a_closed_door_ends_the_study_at_once(server, fault, fix):
    server.script(fault)
    first, second = ask(model(server), request(), request())
    assert isinstance(first, ModelUnavailableError)
    assert isinstance(second, ModelUnavailableError)
    assert str(first).startswith("openai/tested: ")
    assert fix in str(first)
    assert str(second) == str(first)
    assert len(server.received) == 1, "the second question was not sent"


FORBIDDEN = {
    "for no reason": failure(403, "not for you"),
    "by a provider behind an aggregator": Answer(
        {"error": {"message": "Provider returned error", "code": 403, "metadata": {"raw": "PERMISSION_DENIED"}}}, 403
    ),
    "by a firewall": Answer("<!DOCTYPE html><html><body>Sorry, you have been blocked</body></html>", 403),
}


@pytest.mark.parametrize("fault", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_question_that_is_forbidden_fails_and_no_other(server, fault):
    server.script(fault)
    failed, answered = ask(model(server), request(), request())
    assert isinstance(failed, CallFailedError)
    assert answered.text == "A"
    assert len(server.received) == 2, "it is not tried again"


def test_forbidden_questions_end_the_study_only_in_a_row(server):
    forbidden = FORBIDDEN["for no reason"]
    row = [forbidden] * (FAILURES_IN_A_ROW - 1)
    server.script(*row, Answer(completion()), *row, Answer(completion()))
    outcomes = ask(model(server), *[request()] * (2 * FAILURES_IN_A_ROW))
    assert not any(isinstance(outcome, ModelUnavailableError) for outcome in outcomes)
    server.default = forbidden
    outcomes = ask(model(server), *[request()] * (FAILURES_IN_A_ROW + 1))
    assert isinstance(outcomes[-3], CallFailedError)
    assert isinstance(outcomes[-2], ModelUnavailableError)
    assert "no permission for this model, or a filter forbids each of these questions" in str(outcomes[-1])


def test_a_key_that_is_refused_after_a_success_is_no_reason_to_end_at_once(server):
    server.script(Answer(completion()), UNAVAILABLE["no permission"][0], Answer(completion()))
    outcomes = ask(model(server), *[request()] * 3)
    assert [type(outcome) for outcome in outcomes] == [Reply, CallFailedError, Reply]


INSPECTED = "data_inspection_failed"


def forwarded(status: int, raw: str) -> Answer:
    """Return an error that OpenRouter forwards."""
    return Answer({"error": {"message": "Provider returned error", "code": status, "metadata": {"raw": raw}}}, status)


FILTERED = {
    "xAI": Answer(
        {
            "code": "The caller does not have permission to execute the specified operation",
            "error": "Content violates usage guidelines. Team: t, API key ID: k, Failed check: SAFETY_CHECK_TYPE_X",
        },
        403,
    ),
    "DeepSeek": failure(400, "Content Exists Risk", "invalid_request_error"),
    "DashScope, of the question": failure(
        400, "Input data may contain inappropriate content.", "data_inspection_failed"
    ),
    "DashScope, of the answer": failure(
        400, "Output data may contain inappropriate content.", "data_inspection_failed"
    ),
    "Gemini behind OpenRouter, with 400": forwarded(400, "{'blockReason': 'PROHIBITED_CONTENT'}"),
    "Gemini behind OpenRouter, with 403": forwarded(403, "{'error': 'PROHIBITED_CONTENT'}"),
    "Gemini behind OpenRouter, in an answer that says 200": Answer(
        {"error": {"message": "PROHIBITED_CONTENT", "code": 502}}
    ),
    "Azure": failure(400, "Filtered by Azure OpenAI's content management policy.", "content_filter"),
    "OpenAI": failure(400, "Rejected as a result of our safety system.", "content_policy_violation"),
    "OpenRouter": failure(403, "Your chosen model requires moderation and your input was flagged for 'hate'."),
}


DIALECTS = {"xAI": "xai/grok-2", "DeepSeek": "deepseek/deepseek-chat", "DashScope": "dashscope/qwen-turbo"}


@pytest.mark.parametrize("name", ["openai/tested", "the provider's own", "openrouter/tested"])
@pytest.mark.parametrize("answer", FILTERED, ids=FILTERED)
def test_a_content_filter_is_an_answer(server, answer, name):
    """In the words of each provider, imitated, through litellm's path for it and through two others."""
    server.script(FILTERED[answer])
    if name == "the provider's own":
        name = DIALECTS.get(answer.split(",")[0], "openai/tested")
    reply = ask(model(server, name), request(name))[0]
    assert isinstance(reply, Reply), reply
    assert (reply.text, reply.finish) == ("", "content_filter")
    assert reply.parameters == {"max_tokens": 8, "temperature": 0.7}
    assert len(server.received) == 1


GEMINI = "gemini/gemini-2.0-flash"


def gemini(finish: str, text: str = "") -> Answer:
    """Return Gemini's own form of a reply, imitated."""
    candidate = {"finishReason": finish, "index": 0, "content": {"parts": [{"text": text}] if text else []}}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6}
    return Answer({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.0-flash-001"})


@pytest.mark.parametrize(
    ("native", "outcome"),
    [
        ("SAFETY", Outcome.REFUSAL),
        ("PROHIBITED_CONTENT", Outcome.REFUSAL),
        ("BLOCKLIST", Outcome.REFUSAL),
        ("SPII", Outcome.REFUSAL),
        # No judgement of the question: the reply was withheld, and what it would have said is not known.
        ("RECITATION", Outcome.UNPARSEABLE),
        ("LANGUAGE", Outcome.UNPARSEABLE),
        ("OTHER", Outcome.UNPARSEABLE),
        ("MAX_TOKENS", Outcome.TRUNCATED),
    ],
)
def test_what_gemini_withholds_is_a_refusal_only_where_it_was_the_content(server, native, outcome):
    server.script(gemini(native))
    reply = ask(LiveModel(GEMINI, api_base=server.api_base.removesuffix("/v1"), api_key=KEY), request(GEMINI))[0]
    assert read_choice(reply, {"A": "tea", "B": "mud"}) == (outcome, None)
    assert len(server.received) == 1


@pytest.mark.parametrize("native", ["RECITATION", "OTHER"])
def test_nor_is_it_behind_openrouter(server, native):
    body = completion("", finish="stop")
    body["choices"][0]["native_finish_reason"] = native
    server.script(Answer(body))
    reply = ask(model(server, "openrouter/google/gemini"), request("openrouter/google/gemini"))[0]
    assert (reply.text, reply.finish) == ("", native)


def test_a_filter_that_breaks_a_reply_off_is_a_refusal(server):
    body = completion("", finish="error")
    body["choices"][0]["error"] = {"code": 502, "message": "PROHIBITED_CONTENT"}
    server.script(Answer(body))
    assert (
        ask(model(server, "openrouter/google/gemini"), request("openrouter/google/gemini"))[0].finish
        == "content_filter"
    )


def google_limit(per: str, wait: str | None = "39s") -> Answer:
    """Return how Google words it that a quota is used up, imitated."""
    details = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": f"Requests{per}-FreeTier"}]}
    ]
    if wait is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait})
    message = "You exceeded your current quota, please check your plan and billing details."
    body = {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}
    return Answer(json.dumps(body, indent=2), 429)


@pytest.fixture
def waits(monkeypatch) -> list[float | None]:
    """The waits for which calls are held, none of which is waited."""
    seen: list[float | None] = []
    real = Pace.turned_away

    def turned_away(self: Pace, sent: float, wait: float | None, most: float) -> bool:
        seen.append(wait)
        return real(self, sent, None if wait is None or wait < most else wait, most)

    monkeypatch.setattr(Pace, "turned_away", turned_away)
    return seen


LIMITED = {
    "Retry-After": (failure(429, "slow down", headers={"Retry-After": "7"}), 7.0),
    "retry-after-ms": (failure(429, "slow down", headers={"retry-after-ms": "1200"}), 1.2),
    "nothing": (failure(429, "slow down"), None),
    "OpenAI's words": (failure(429, "Rate limit reached. Please try again in 1m12.5s.", "rate_limit_exceeded"), 72.5),
    "Google's words": (google_limit("PerMinutePerProject"), 39.0),
    "Google's words without a wait": (google_limit("PerMinutePerProject", None), None),
}


@pytest.mark.parametrize("name", ["openai/tested", GEMINI, "openrouter/tested"])
@pytest.mark.parametrize(("limit", "wait"), LIMITED.values(), ids=LIMITED)
def test_a_rate_limit_holds_calls_for_as_long_as_is_asked_and_is_no_try(server, waits, limit, wait, name):
    whole = gemini("STOP", "A") if name == GEMINI else Answer(completion())
    server.script(*[limit] * (TRIES + 4), whole)
    base = server.api_base.removesuffix("/v1") if name == GEMINI else server.api_base
    reply = ask(LiveModel(name, api_base=base, api_key=KEY), request(name))[0]
    assert reply.text == "A"
    assert waits == [wait] * (TRIES + 4)


def test_anthropics_rate_limit_is_one_too(server, waits):
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    server.script(Answer(error, 429, {"Retry-After": "7"}), Answer(ANTHROPIC))
    assert ask(model(server, CLAUDE), request(CLAUDE))[0].text == "A"
    assert waits == [7.0]


def test_a_rate_limit_holds_the_calls_of_all(server, waits):
    """Calls in flight that were turned away together, and no others before they were heard."""
    server.script(*[failure(429, "slow down")] * 8)

    async def run():
        asked = model(server)
        try:
            return await asyncio.gather(*(asked.ask(request()) for _ in range(40)))
        finally:
            await asked.close()

    assert [reply.text for reply in asyncio.run(run())] == ["A"] * 40


def test_the_quota_of_a_day_ends_the_study(server):
    server.script(google_limit("PerDayPerProject"))
    failed = one(server)
    assert isinstance(failed, ModelUnavailableError)
    assert "the quota of the day is used up" in str(failed)


def test_a_rate_limit_that_outlasts_max_wait_fails_the_call(server, monkeypatch):
    server.default = failure(429, "slow down")
    failed = one(server, max_wait=0.05)
    assert isinstance(failed, CallFailedError)
    assert "slow down" in str(failed)


class Limited(Loopback):
    """Takes so many calls in a minute that lasts less, and says so, as OpenAI does, or only turns calls away."""

    def __init__(self, rate: float, minute: float, says: bool) -> None:
        super().__init__()
        self.rate, self.minute, self.says = rate, minute, says
        self.burst = self.left = max(1.0, rate / 60)
        self.at, self.taken = time.monotonic(), 0

    @property
    def default(self) -> Answer:
        now = time.monotonic()
        each = self.minute / self.rate
        self.left, self.at = min(self.burst, self.left + (now - self.at) / each), now
        if self.left < 1:
            wait = {"retry-after-ms": f"{1000 * (1 - self.left) * each:.3f}"} if self.says else {}
            return failure(429, "slow down", headers=wait)
        self.left, self.taken = self.left - 1, self.taken + 1
        says = {
            "limit": f"{self.burst:g}",
            "remaining": f"{int(self.left)}",
            "reset": f"{(self.burst - self.left) * each:.6f}s",
        }
        headers = {f"x-ratelimit-{name}-requests": value for name, value in says.items()} if self.says else {}
        return Answer(completion(), headers=headers)

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""


@pytest.mark.parametrize(("rate", "minute", "says"), [(60, 0.6, False), (500, 2.0, True), (5000, 12.0, False)])
def test_no_call_is_lost_at_any_rate(rate, minute, says):
    """Over HTTP, in minutes that last some seconds; how long it takes is tested in virtual time."""
    server = Limited(rate, minute, says)
    server.start()

    async def run():
        asked = model(server)
        try:
            return await asyncio.gather(*(asked.ask(request()) for _ in range(120)))
        finally:
            await asked.close()

    try:
        replies = asyncio.run(run())
    finally:
        server.stop()
    assert [reply.text for reply in replies] == ["A"] * 120
    assert server.taken == 120


@pytest.mark.parametrize("name", ["openai/tested", "azure/eval-prod-01", "hosted_vllm/tested"])
def test_another_name_for_the_limit_of_a_reply_is_learnt(server, monkeypatch, name):
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    server.script(failure(400, said, "unsupported_parameter"))
    first, second = ask(model(server, name), request(name), request(name))
    assert first.parameters == second.parameters == {"max_completion_tokens": 8, "temperature": 0.7}
    limits = [{key: body[key] for key in body if key.startswith("max")} for body in server.received]
    assert limits == [{"max_tokens": 8}, {"max_completion_tokens": 8}, {"max_completion_tokens": 8}]


@pytest.mark.parametrize(
    "said",
    [
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
    ],
)
def test_a_refused_prefill_is_learnt(server, said):
    led = Request("openai/tested", (Message("user", "Tea or mud?"), Message("assistant", "Answer: Option")), 0.7, 8)
    server.script(failure(400, said))
    with pytest.warns(ModelWarning, match="--llmpref-prefill cue does so from the start") as warned:
        first, second = ask(model(server), led, led)
    assert [body["messages"][-1] for body in server.received[1:]] == [
        {"role": "user", "content": "Tea or mud?\nAnswer: Option"}
    ] * 2
    assert first.parameters == second.parameters == {"max_tokens": 8, "temperature": 0.7, "prefill": "cue"}
    assert "prefill" not in server.received[-1]
    assert len(warned) == 1


@pytest.mark.parametrize(("module", "package"), [("google", "google-auth"), ("mcp.types", "mcp")])
def test_a_package_that_litellm_lacks_is_named(module, package):
    raised = RuntimeError("litellm.APIConnectionError: No module named ...")
    raised.__cause__ = ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert missing_package(raised) == package


def test_a_refusal_in_parts_of_the_responses_api_is_one(server):
    parts = [{"type": "refusal", "refusal": "I can't choose between them."}]
    message = {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": parts}
    body = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "o1-pro-2025-03-19", "status": "completed",
        "output": [message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None,
        "usage": {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8},
    }  # fmt: skip
    server.script(Answer(body))
    reply = ask(model(server, "openai/o1-pro"), request("openai/o1-pro"))[0]
    assert reply.refusal == "I can't choose between them."
    assert read_choice(reply, {"A": "tea", "B": "mud"}) == (Outcome.REFUSAL, None)


def test_a_server_that_was_never_reached_is_unavailable():
    asked = LiveModel("openai/tested", api_base=f"http://127.0.0.1:{closed_port()}/v1", api_key=KEY)
    first, second = ask(asked, request(), request())
    assert isinstance(first, ModelUnavailableError)
    assert "refuses connections" in str(first)
    assert "http://127.0.0.1" in str(first)
    assert str(second) == str(first)


def test_a_server_that_went_away_fails_calls():
    with serving() as server:
        asked = model(server)

        async def run():
            assert (await asked.ask(request())).text == "A"
            await asyncio.to_thread(server.stop)
            with pytest.raises(CallFailedError):
                await asked.ask(request())
            await asked.close()

        asyncio.run(run())
        # `serving` stops it once more.
        server.stop = lambda: None


def test_too_many_failures_in_a_row_end_the_study(server):
    server.default = failure(500, "boom")
    outcomes = ask(model(server, max_tries=1), *[request()] * (FAILURES_IN_A_ROW + 2))
    assert [type(outcome) for outcome in outcomes[: FAILURES_IN_A_ROW - 1]] == [CallFailedError] * (
        FAILURES_IN_A_ROW - 1
    )
    assert all(isinstance(outcome, ModelUnavailableError) for outcome in outcomes[FAILURES_IN_A_ROW - 1 :])
    assert "boom" in str(outcomes[-1])
    assert len(server.received) == FAILURES_IN_A_ROW


def test_an_outage_that_outlasts_its_limit_ends_the_study(server, monkeypatch):
    monkeypatch.setattr("pytest_llmpref.models.retrying.WAIT_FIRST", 0.02)
    server.script(Answer(completion()))
    server.default = failure(503, "gone")
    said = []
    asked = model(server, max_tries=1, outage=Outage(0.1, said.append))
    outcomes = ask(asked, *[request()] * (FAILURES_IN_A_ROW + 3))
    assert outcomes[0].text == "A"
    assert {type(outcome) for outcome in outcomes[1:FAILURES_IN_A_ROW]} == {CallFailedError}
    assert {type(outcome) for outcome in outcomes[FAILURES_IN_A_ROW:]} == {ModelUnavailableError}
    assert len(said) >= 2
    assert all("is out" in one for one in said)


def test_a_success_ends_a_row_of_failures(server):
    fault = failure(500, "boom")
    row = [fault] * (FAILURES_IN_A_ROW - 1)
    server.script(*row, Answer(completion()), *row)
    outcomes = ask(model(server, max_tries=1), *[request()] * (2 * FAILURES_IN_A_ROW))
    assert not any(isinstance(outcome, ModelUnavailableError) for outcome in outcomes)
    assert outcomes[-1].text == "A"


def test_all_calls_in_flight_learn_that_the_model_is_unavailable(server):
    """Those that wait for another try do not send it."""
    server.script(*[failure(500, "boom")] * 7, failure(401, "who are you?"))
    asked = model(server)

    async def run():
        outcomes = await asyncio.gather(*(asked.ask(request()) for _ in range(8)), return_exceptions=True)
        await asked.close()
        return outcomes

    with stamina.set_testing(False):
        outcomes = asyncio.run(run())
    assert {type(outcome) for outcome in outcomes} == {ModelUnavailableError}
    assert len({str(outcome) for outcome in outcomes}) == 1
    assert len(server.received) == 8


@pytest.fixture
def retries() -> Iterator[list[RetryDetails]]:
    """The retries that stamina schedules, in real time."""
    seen: list[RetryDetails] = []
    hooks = get_on_retry_hooks()
    set_on_retry_hooks([seen.append])
    with stamina.set_testing(False):
        yield seen
    set_on_retry_hooks(hooks)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [(503, {"Retry-After": "1"}, 1.0), (503, {"retry-after-ms": "1200"}, 1.2)],
)
def test_the_wait_that_the_provider_asks_for_is_kept(server, retries, status, header, seconds):
    server.script(failure(status, "slow down", headers=header))
    assert one(server).text == "A"
    assert len(retries) == 1
    # A random part of a second is added, so that calls do not come back together.
    assert seconds <= retries[0].wait_for <= seconds + 1


@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_beyond_the_limit_fails_the_call_at_once(server, retries, as_date):
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True) if as_date else "3600"
    server.script(failure(429, "slow down", headers={"Retry-After": later}))
    failed = one(server)
    assert isinstance(failed, CallFailedError)
    assert "slow down; the provider asks to wait 3" in str(failed)
    assert "--llmpref-max-wait" in str(failed)
    assert retries == []
    assert len(server.received) == 1


def test_without_a_wait_asked_for_the_waits_grow(server, retries):
    server.script(failure(500, "boom"), failure(503, "slow down", headers={"Retry-After": "soon"}))
    assert one(server).text == "A"
    # 0.5 s, doubled, and up to one random second on top.
    assert 0.5 <= retries[0].wait_for <= 1.5
    assert 1.0 <= retries[1].wait_for <= 2.0


def test_no_try_after_the_time_is_up(server, retries):
    server.script(failure(500, "boom"))
    assert isinstance(one(server, max_wait=0.0), CallFailedError)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("name", "most"), [("openai/gpt-4o", 20), ("xai/grok-2", 8), ("fireworks_ai/some-model", 5), ("groq/llama", 0)]
)
def test_top_logprobs_respect_the_providers_limit(server, name, most):
    ask(model(server, name), request(name, top_logprobs=50))
    assert server.received[0].get("top_logprobs", 0) == most


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        ("Unsupported value: 'temperature' does not support 0.7 with this model.", {"temperature"}),
        ("logprobs is not supported with this model", {"logprobs", "top_logprobs"}),
    ],
)
def test_a_parameter_that_the_provider_refuses_is_left_out_from_then_on(server, said, left_out):
    server.script(failure(400, said))
    first, second = ask(model(server), request(top_logprobs=5), request(top_logprobs=5))
    assert first.parameters == second.parameters
    assert first.parameters.keys() == {"max_tokens", "temperature", "logprobs", "top_logprobs"} - left_out
    assert [left_out <= sent.keys() for sent in server.received] == [True, False, False]


ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "A"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 1},
}


@pytest.mark.parametrize(
    ("stop_reason", "finish"), [("end_turn", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")]
)
def test_another_providers_protocol(server, stop_reason, finish):
    server.script(Answer({**ANTHROPIC, "stop_reason": stop_reason}))
    reply = ask(model(server, CLAUDE), request(CLAUDE, top_logprobs=5))[0]
    assert (reply.text, reply.finish) == ("A", finish)
    assert reply.cost > 0
    # Claude has no log-probabilities, and reasons only when asked to.
    assert reply.parameters == {"max_tokens": 8, "temperature": 0.7}


def test_another_providers_overload_passes(server):
    overload = Answer({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529)
    server.script(overload, overload, Answer(ANTHROPIC))
    assert ask(model(server, CLAUDE), request(CLAUDE))[0].text == "A"
    assert len(server.received) == 3


@pytest.mark.parametrize("provider", OWN_SERVERS)
def test_a_server_of_ones_own_without_address_is_asked_nothing(monkeypatch, provider):
    looked_up = []

    def resolve(_loop, host, *_, **__):
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    for variable in {variable for variables in OWN_SERVERS.values() for variable in variables}:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolve)
    name = f"{provider}/private"
    failed = ask(LiveModel(name, api_key=KEY), request(name))[0]
    assert isinstance(failed, ModelUnavailableError)
    assert f"set {OWN_SERVERS[provider][0]}, for example" in str(failed)
    assert not looked_up
    for variable in OWN_SERVERS[provider]:
        with monkeypatch.context() as patched:
            # As this is what keeps litellm from a public host, see that litellm reads it.
            patched.setenv(variable, "http://own.test/v1")
            ask(LiveModel(name, api_key=KEY, max_tries=1), request(name))
        assert set(looked_up) == {"own.test"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500])
def test_no_error_shows_a_key(server, monkeypatch, status):
    other = "a-secret-of-another-provider"
    monkeypatch.setenv("SOME_API_KEY", other)
    server.default = failure(status, f"key {KEY}, Bearer {KEY}, {other}, sk-...part of it, gsk_abcdefgh12345678")
    error = one(server, max_wait=0.05)
    assert isinstance(error, CallFailedError | ModelUnavailableError)
    shown = "".join(traceback.format_exception(error))
    for secret in (KEY, other, "gsk_abcdefgh12345678"):
        assert secret not in shown


def test_closing_closes_the_connections(server):
    async def run():
        asked = model(server)
        await asked.ask(request())
        assert server.connections == 1
        await asked.close()
        deadline = time.monotonic() + 30
        while server.connections and time.monotonic() < deadline:  # noqa: ASYNC110 - counted in another thread
            await asyncio.sleep(0.01)
        assert server.connections == 0

    asyncio.run(run())


def test_closing_one_model_leaves_another_its_connections(server):
    held = threading.Event()

    async def run():
        one, other = model(server), model(server)
        await one.ask(request())
        server.script(Answer(completion("B"), held=held))
        under_way = asyncio.create_task(other.ask(request()))
        while len(server.received) < 2:  # noqa: ASYNC110 - counted in another thread
            await asyncio.sleep(0.01)
        await one.close()
        held.set()
        assert (await under_way).text == "B"
        await other.close()

    asyncio.run(run())
    assert len(server.received) == 2, "the call under way was not cut off and sent again"


def test_a_model_can_be_asked_again_in_another_event_loop(server):
    asked = model(server)
    assert ask(asked, request())[0].text == "A"
    assert ask(asked, request())[0].text == "A"


def test_litellm_is_imported_with_the_first_question_only():
    program = (
        "import sys; from pytest_llmpref.models.live import LiveModel; LiveModel('openai/x'); "
        "sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
