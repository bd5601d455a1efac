"""A provider that is asked through litellm: what is known before anything is sent."""

import asyncio

import pytest
from live_questions import CLAUDE, ask, request

from pytest_llmpref.models.chat import ModelUnavailableError
from pytest_llmpref.models.faults import is_filtered
from pytest_llmpref.models.litellm_client import provider_of
from pytest_llmpref.models.live import LiveModel


def test_a_content_filter_is_found_in_the_error_behind_litellms_own():
    """As with litellm 1.97, whose own error has no body."""
    import litellm

    raised = litellm.BadRequestError("it was filtered out", model="tested", llm_provider="openai")
    raised.body = None
    raised.__cause__ = RuntimeError()
    raised.__cause__.body = {"message": "it was filtered out", "code": "content_filter"}
    assert is_filtered(raised)
    raised.__cause__.body = {"message": "it was filtered out", "code": None}
    assert not is_filtered(raised)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("gpt-4o", "OPENAI_API_KEY"),
        (CLAUDE, "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-pro", "GEMINI_API_KEY"),
    ],
)
def test_a_missing_key_names_its_variable(monkeypatch, name, variable):
    for each in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(each, raising=False)
    error = ask(LiveModel(name), request(name))[0]
    assert isinstance(error, ModelUnavailableError)
    assert f"set {variable}" in str(error) or f"and {variable}" in str(error)


@pytest.mark.parametrize("name", ["nonsense", "no-such-provider/model"])
def test_an_unknown_name_is_an_error_before_anything_is_asked(name):
    with pytest.raises(ModelUnavailableError, match=f"^{name}: litellm knows no such model or provider; name it"):
        provider_of(name)
    error = ask(LiveModel(name), request(name))[0]
    assert isinstance(error, ModelUnavailableError)


def test_a_new_model_of_a_known_provider_is_asked():
    assert provider_of("openai/a-model-of-tomorrow") == ("a-model-of-tomorrow", "openai")


def test_a_call_that_is_cancelled_on_a_later_try_is_not_tried_again(monkeypatch):
    model, sent = LiveModel("openai/gpt-4.1-nano", api_key="none"), []

    async def send(*_):
        sent.append(1)
        raise TimeoutError("once") if len(sent) == 1 else asyncio.CancelledError

    monkeypatch.setattr(model, "_send", send)
    monkeypatch.setattr("pytest_llmpref.models.retrying.WAIT_INITIAL", 0.0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(model.ask(request(model.name)))
    assert len(sent) == 2
