"""A study whose first replies are all cut off ends."""

import asyncio

import pytest

from pytest_llmpref import Message, Plan, Reply, Request
from pytest_llmpref.experiments.asking import MOST_CUT, FirstReplies, WatchedModel, ask_all
from pytest_llmpref.models.chat import ModelUnavailableError, ToolCall

CUT, WHOLE = Reply("Both of them", "length", completion_tokens=32), Reply("A", "stop")


class Says:
    """Gives its replies one after the other."""

    name = "m"

    def __init__(self, *replies):
        self.replies = iter(replies)

    async def ask(self, request):
        return next(self.replies)

    async def close(self):
        pass


def asked(*replies):
    """Ask as many questions as there are replies, one at a time."""
    requests = [Request("m", (Message("user", str(number)),), 1.0, 32) for number in range(len(replies))]
    plan = Plan(list(range(len(replies))), requests, lambda _, reply: reply.text == "A", attempts=1)
    return asyncio.run(ask_all(Says(*replies), plan, range(len(replies)), in_flight=1, first=FirstReplies("m")))


def test_so_many_cut_replies_end_it_and_one_fewer_do_not():
    assert len(asked(*[CUT] * (MOST_CUT - 1), WHOLE, *[CUT] * MOST_CUT)) == 2 * MOST_CUT
    with pytest.raises(ModelUnavailableError, match=f"the first {MOST_CUT} replies .* max_tokens=128"):
        asked(*[CUT] * MOST_CUT, WHOLE)


def test_a_failed_call_is_no_reply_and_a_cut_one_that_answers_is_whole():
    failed = Reply("no connection", "error")
    with pytest.raises(ModelUnavailableError):
        asked(failed, *[CUT] * MOST_CUT)
    assert len(asked(Reply("A", "length"), *[CUT] * MOST_CUT)) == MOST_CUT + 1


def watched(*replies):
    """Ask as an agent does, once for each reply."""
    model = WatchedModel(Says(*replies), FirstReplies("m"))
    return [asyncio.run(model.ask(Request("m", (Message("user", str(n)),), 1.0, 32))) for n, _ in enumerate(replies)]


def test_an_agent_whose_first_replies_are_cut_off_before_they_call_a_tool_ends_it():
    with pytest.raises(ModelUnavailableError, match=f"the first {MOST_CUT} replies .* max_tokens=128"):
        watched(*[CUT] * MOST_CUT)
    # A call that is cut off, or whose arguments are, is one: what comes of it is counted in the run.
    calls = Reply("", "length", completion_tokens=32, tool_calls=(ToolCall("1", "bash", '{"command": '),))
    assert len(watched(*[CUT] * (MOST_CUT - 1), calls, *[CUT] * MOST_CUT)) == 2 * MOST_CUT
