"""Questions that go in batches to an imitation of a provider, by a clock that only waiting moves."""

import asyncio
from datetime import UTC, datetime

from batch_server import BatchServer

from pytest_llmpref.models.batches.api import Clock
from pytest_llmpref.models.batches.jobs import JobFile
from pytest_llmpref.models.batches.model import BatchedModel, api_of
from pytest_llmpref.models.batches.rounds import Rounds
from pytest_llmpref.models.chat import ChatModel, Message, Reply, Request
from pytest_llmpref.models.live import LiveModel

KEY = "sk-test-0123456789abcdefghij"
NAMES = {
    "openai/tested": "/v1",
    "azure/tested": "",
    "anthropic/tested": "",
    "gemini/tested": "/v1beta",
    "mistral/tested": "/v1",
    "hosted_vllm/tested": "/v1",
    "xai/tested": "/xai/v1",
}
"""Name of a model, and the path of its API below the server's address."""


class FastClock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC).timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)


def live(server: BatchServer, name: str = "openai/tested") -> LiveModel:
    base = f"http://127.0.0.1:{server.port}{NAMES[name]}"
    return LiveModel(name, api_base=base, api_key=KEY)


def batched(
    server,
    folder,
    name="openai/tested",
    *,
    least=2,
    purpose="wait",
    began=None,
    clock=None,
    on_result=lambda _result: None,
    **options,
):
    asked = live(server, name)
    rounds = Rounds(
        name,
        JobFile(folder / "tested.batches"),
        api_of(asked),
        least=least,
        purpose=purpose,
        began=began or datetime.now(UTC),
        clock=(clock or FastClock()).clock,
        **options,
    )
    return BatchedModel(asked, rounds, max_tries=3, on_result=on_result)


def questions(count: int, name: str = "openai/tested") -> list[Request]:
    return [Request(name, (Message("user", f"Question {number}?"),), 0.5, 9) for number in range(count)]


async def asked_all(model: ChatModel, requests: list[Request]) -> list[Reply | BaseException]:
    try:
        return await asyncio.gather(*map(model.ask, requests), return_exceptions=True)
    finally:
        await model.close()


def ask(model: ChatModel, requests: list[Request]) -> list[Reply | BaseException]:
    return asyncio.run(asked_all(model, requests))
