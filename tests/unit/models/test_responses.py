"""From a provider's response, as litellm hands it on, to a Reply."""

from types import SimpleNamespace as Given

import pytest

from pytest_llmpref.models.chat import Message, Tool, ToolCall
from pytest_llmpref.models.faults import MalformedResponseError, describe
from pytest_llmpref.models.responses import message_to_send, reply_from, take_other_forms, tools_to_send
from pytest_llmpref.secrets import Secrets


def response(finish="stop", *, content="A", tokens=(7, 1, 8), native=None, logprobs=None, cost=0.5, **message):
    choice = Given(
        message=Given(content=content, **message),
        finish_reason=finish,
        provider_specific_fields={"native_finish_reason": native},
        logprobs=logprobs,
    )
    prompt, completion, total = tokens
    usage = Given(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)
    return Given(choices=[choice], usage=usage, _hidden_params={"response_cost": cost})


def token(text, logprob, *others):
    return Given(token=text, logprob=logprob, top_logprobs=list(others))


def test_text_counts_cost_and_parameters_are_kept():
    reply = reply_from(response(), 0.25, {"temperature": 1.0})
    assert (reply.text, reply.finish, reply.refusal, reply.top_logprobs) == ("A", "stop", None, None)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cost, reply.latency) == (7, 1, 0.5, 0.25)
    assert reply.parameters == {"temperature": 1.0}


def test_a_server_that_is_down_is_described_without_an_object_in_memory():
    said = (
        "litellm.InternalServerError: InternalServerError: Hosted_vllmException - Cannot connect to host "
        "127.0.0.1:8009 ssl:<ssl.SSLContext object at 0x7f12ab34cd50> [Connect call failed ('127.0.0.1', 8009)]"
    )
    expected = "Cannot connect to host 127.0.0.1:8009 [Connect call failed ('127.0.0.1', 8009)]"
    assert describe(RuntimeError(said), Secrets([])) == expected


def test_no_content_is_an_empty_text_and_no_choice_is_an_error():
    assert reply_from(response(content=None), 0.0, {}).text == ""
    with pytest.raises(MalformedResponseError, match="an empty list of choices"):
        reply_from(Given(choices=[]), 0.0, {})


@pytest.mark.parametrize(
    ("finish", "native", "kept"),
    [
        ("stop", None, "stop"),
        ("stop", "end_turn", "stop"),
        ("stop", "SAFETY", "content_filter"),  # litellm makes "stop" of every word that it does not know
        ("stop", "LANGUAGE", "LANGUAGE"),
        ("length", "MAX_TOKENS", "length"),
    ],
)
def test_a_word_for_the_end_that_is_no_natural_one_is_kept(finish, native, kept):
    assert reply_from(response(finish, native=native), 0.0, {}).finish == kept


def test_a_reply_that_the_provider_broke_off_is_an_error():
    with pytest.raises(MalformedResponseError, match="broke the reply off: finish reason 'network_error'"):
        reply_from(response(native="network_error"), 0.0, {})


def test_a_refusal_is_read_from_either_field():
    assert reply_from(response(refusal="No."), 0.0, {}).refusal == "No."
    assert reply_from(response(provider_specific_fields={"refusal": "No."}), 0.0, {}).refusal == "No."
    assert reply_from(response(refusal=""), 0.0, {}).refusal is None


def test_hidden_reasoning_that_only_the_total_counts_is_counted():
    assert reply_from(response(tokens=(7, 1, 50)), 0.0, {}).completion_tokens == 43
    without = response()
    without.usage = None
    assert reply_from(without, 0.0, {}).prompt_tokens == 0


def test_of_tokens_that_look_the_same_the_first_counts_and_the_token_itself_where_there_are_no_others():
    several = Given(content=[token("A", -0.1, token("A", -0.1), token("B", -2.5), token("A", -9.0))])
    assert reply_from(response(logprobs=several), 0.0, {}).top_logprobs == {"A": -0.1, "B": -2.5}
    assert reply_from(response(logprobs=Given(content=[token("A", -0.1)])), 0.0, {}).top_logprobs == {"A": -0.1}
    # One that is missing makes the rest look more certain than they are.
    lacking = Given(content=[token("A", -0.1, token("A", -0.1), token("B", None))])
    assert reply_from(response(logprobs=lacking), 0.0, {}).top_logprobs is None


def test_a_call_without_an_id_gets_one_of_its_own():
    calls = [Given(id=id_, function=Given(name="bash", arguments=None)) for id_ in ("x", None)]
    assert reply_from(response(tool_calls=calls), 0.0, {}).tool_calls == (
        ToolCall("x", "bash", ""),
        ToolCall("call_1", "bash", ""),
    )


class Strict:
    """Takes what litellm's classes take, and raises as they do."""

    def __init__(self, content=None, *, logprobs=None):
        if isinstance(content, list) or (logprobs and any(one["logprob"] is None for one in logprobs["content"])):
            raise ValueError("does not fit")
        self.content, self.logprobs = content, logprobs and tuple(logprobs["content"])


def test_content_in_parts_is_joined_and_logprobs_that_do_not_fit_are_dropped():
    message, choices = type("Message", (Strict,), {}), type("Choices", (Strict,), {})
    take_other_forms(message, choices)
    parts = [{"type": "text", "text": "A"}, {"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "!"}]
    assert message(parts).content == "A!"
    with pytest.raises(ValueError, match="does not fit"):
        message(["no part"])
    first, later = {"token": "A", "logprob": -0.1}, {"token": "B", "logprob": None}
    assert choices(logprobs={"content": [first, later]}).logprobs == (first,)
    assert choices(logprobs={"content": [later]}).logprobs is None


def test_tools_calls_and_answers_are_sent_in_openais_form():
    assert tools_to_send((Tool("bash", "A shell.", {"type": "object"}),)) == [
        {"type": "function", "function": {"name": "bash", "description": "A shell.", "parameters": {"type": "object"}}}
    ]
    assert message_to_send(Message("user", "?")) == {"role": "user", "content": "?"}
    called = message_to_send(Message("assistant", "", tool_calls=(ToolCall("x", "bash", "{}"),)))
    assert called["tool_calls"] == [{"id": "x", "type": "function", "function": {"name": "bash", "arguments": "{}"}}]
    assert message_to_send(Message("tool", "done", tool_call_id="x"))["tool_call_id"] == "x"
