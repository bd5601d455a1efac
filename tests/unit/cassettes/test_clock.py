"""Recordings from the future, as a clock makes them that was set back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_llmpref.cassettes import Cassette, RecordingModel, must_ask
from pytest_llmpref.models.chat import Message, Reply, Request

REQUEST = Request("m", (Message("user", "q"),), 1.0, 8)
HOUR = timedelta(hours=1)


class Answers:
    """Answers everything, and counts."""

    name = "m"

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        return Reply("A", "stop")

    async def close(self) -> None:
        pass


async def ask_twice(folder: Path, began: datetime) -> int:
    inner = Answers()
    for _ in range(2):
        await RecordingModel(inner, Cassette.open(folder, "m"), "all", began).ask(REQUEST)
    return inner.asked


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_during_a_run_asks_nothing_twice(tmp_path):
    assert await ask_twice(tmp_path, datetime.now(UTC) + HOUR) == 1


@pytest.mark.asyncio
async def test_a_reply_from_the_future_does_not_keep_a_run_from_asking_anew(tmp_path):
    Cassette.open(tmp_path, "m").append(REQUEST, Reply("B", "stop"), at=datetime.now(UTC) + HOUR)
    assert await ask_twice(tmp_path, datetime.now(UTC)) == 1
    future = Cassette.open(tmp_path, "m").interaction(REQUEST.key)
    assert not must_ask(future, "new_episodes", datetime.now(UTC))


def test_a_failed_call_from_the_future_is_asked_again(tmp_path):
    cassette = Cassette.open(tmp_path, "m")
    cassette.append(REQUEST, Reply("failed", "error"), at=datetime.now(UTC) + HOUR)
    assert must_ask(cassette.interaction(REQUEST.key), "new_episodes", datetime.now(UTC))
