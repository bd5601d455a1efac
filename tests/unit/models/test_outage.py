"""An outage: one call tries the provider now and then, all others wait."""

import asyncio

import pytest

from pytest_llmpref.models import retrying as outage
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.models.retrying import Outage


@pytest.fixture
def clock(monkeypatch):
    """A clock that only waiting moves, and what was waited for."""
    waited = []

    async def sleep(seconds):
        waited.append(seconds)
        for _ in range(3):
            await asyncio.tasks.__sleep0()

    monkeypatch.setattr(outage.asyncio, "sleep", sleep)
    monkeypatch.setattr(outage.time, "monotonic", lambda: sum(waited))
    return waited


def failing(times, error=TimeoutError):
    left = [error("out")] * times

    async def ask():
        if left:
            raise left.pop()
        return Reply("A", "stop")

    return ask


def is_timeout(error):
    return isinstance(error, TimeoutError)


def test_waits_double_up_to_five_minutes_until_it_answers(clock):
    said = []
    out = Outage(3600, said.append)
    reply = asyncio.run(out.wait_out("m", "503", failing(6), is_timeout))
    assert reply.text == "A"
    assert clock == [15, 30, 60, 120, 240, 300, 300]
    assert said[0] == "m is out (503); held for 15 s"
    assert said[-1] == "m answers again after 1065 s"
    assert not out.is_on


def test_it_is_given_up_after_the_longest_with_a_last_try_at_its_end(clock):
    with pytest.raises(TimeoutError):
        asyncio.run(Outage(100, lambda _: None).wait_out("m", "503", failing(99), is_timeout))
    assert clock == [15, 30, 55]


def test_a_failure_that_does_not_pass_ends_it(clock):
    out = Outage(3600, lambda _: None)
    with pytest.raises(KeyError):
        asyncio.run(out.wait_out("m", "503", failing(1, KeyError), is_timeout))
    assert clock == [15]
    assert not out.is_on


def test_other_calls_wait_until_it_is_over(clock):
    order = []

    async def other(out):
        await out.passed()
        order.append("other")

    async def run():
        out = Outage(3600, lambda said: order.append(said.split("(")[0]))
        await out.passed()  # before one, nothing waits
        trying = asyncio.create_task(out.wait_out("m", "503", failing(1), is_timeout))
        await asyncio.tasks.__sleep0()
        assert out.is_on
        await asyncio.gather(trying, other(out))

    asyncio.run(run())
    assert order == ["m is out ", "m is out ", "m answers again after 45 s", "other"]
