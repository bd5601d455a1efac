"""What each provider's lines of results mean."""

import json

import pytest

from pytest_llmpref.models.batches import PROVIDERS
from pytest_llmpref.models.batches.api import BatchError, Clock
from pytest_llmpref.models.batches.carrying import Call
from pytest_llmpref.models.batches.model import APIS

CALLS = {
    "openai": "https://api.test/v1/chat/completions",
    "azure": "https://api.test/openai/deployments/mine/chat/completions?api-version=1",
    "hosted_vllm": "https://api.test/v1/chat/completions",
    "groq": "https://api.test/openai/v1/chat/completions",
    "anthropic": "https://api.test/v1/messages",
    "gemini": "https://api.test/v1beta/models/x:generateContent",
    "mistral": "https://api.test/v1/chat/completions",
    "xai": "https://api.test/v1/chat/completions",
}


def api(provider: str, url: str = ""):
    headers = {"authorization": "Bearer k", "host": "api.test", "content-length": "2", "x-stainless-os": "x"}
    return APIS[provider](Call(url or CALLS[provider], headers, b'{"model": "x"}'), Clock())


def test_plans_know_the_same_providers():
    assert tuple(APIS) == PROVIDERS
    assert APIS.keys() == CALLS.keys()


@pytest.mark.parametrize("provider", CALLS)
@pytest.mark.parametrize("line", ["", "[]", "{}", "null", "no JSON", '{"custom_id": 7}', '{"metadata": {"key": 7}}'])
def test_a_line_that_names_no_question_is_none(provider, line):
    assert api(provider).read(line) is None


@pytest.mark.parametrize(
    ("provider", "line", "status"),
    [
        ("openai", {"custom_id": "q", "response": {"status_code": 200, "body": {"a": 1}}, "error": None}, 200),
        ("openai", {"custom_id": "q", "response": {"status_code": 429, "body": {}}, "error": None}, 429),
        ("openai", {"custom_id": "q", "response": None, "error": {"code": "batch_expired", "message": "late"}}, 0),
        ("openai", {"custom_id": "q", "response": None, "error": {"code": "other", "message": "no"}}, 500),
        ("openai", {"custom_id": "q", "response": "", "error": ""}, 0),
        ("mistral", {"custom_id": "q", "response": {"status_code": 422, "body": {}}, "error": None}, 422),
        ("xai", {"batch_request_id": "q", "batch_result": {"response": {"chat_get_completion": {"a": 1}}}}, 200),
        ("xai", {"batch_request_id": "q", "batch_result": {"error": {"code": 429, "message": "slow"}}}, 429),
        ("xai", {"batch_request_id": "q", "batch_result": {"error": {"code": "odd", "message": "no"}}}, 500),
        ("xai", {"batch_request_id": "q", "batch_result": {"response": {}}}, 0),
        ("xai", {"batch_request_id": "q"}, 0),
        ("anthropic", {"custom_id": "q", "result": {"type": "succeeded", "message": {}}}, 200),
        ("anthropic", {"custom_id": "q", "result": {"type": "expired"}}, 0),
        ("anthropic", {"custom_id": "q", "result": {"type": "canceled"}}, 0),
        ("anthropic", {"custom_id": "q", "result": None}, 0),
        (
            "anthropic",
            {
                "custom_id": "q",
                "result": {"type": "errored", "error": {"type": "error", "error": {"type": "invalid_request_error"}}},
            },
            400,
        ),
        ("anthropic", {"custom_id": "q", "result": {"type": "errored", "error": {"type": "overloaded_error"}}}, 529),
        ("gemini", {"metadata": {"key": "q"}, "response": {"candidates": []}}, 200),
        ("gemini", {"metadata": {"key": "q"}, "error": {"code": 3, "message": "no"}}, 400),
        ("gemini", {"metadata": {"key": "q"}, "error": {"code": 99}}, 500),
        ("gemini", {"metadata": {"key": "q"}}, 0),
    ],
)
def test_a_result_has_the_status_that_a_call_would_have_had(provider, line, status):
    name, answer = api(provider).read(json.dumps(line))
    assert (name, answer.status) == ("q", status)


@pytest.mark.parametrize("provider", CALLS)
def test_another_address_is_an_error(provider):
    with pytest.raises(BatchError, match="leave out --llmpref-batch"):
        api(provider, "https://api.test/v1/embeddings")


def test_what_goes_with_each_request_about_a_job_is_what_a_call_authenticates_with():
    assert api("openai")._http.call.credentials == {"authorization": "Bearer k"}
