"""How long calls take that a provider limits to so many a minute, beside inspect-ai's adaptive connections.

A token bucket takes a burst of one second, and then so many calls a minute. Once it says so in headers, as OpenAI does,
and once it only answers 429. Both systems ask it the same number of calls, one system after the other: ours through
litellm, 64 at a time; inspect-ai through a provider that stands below, all at once, since its adaptive connections
decide how many are under way. Its own OpenAI provider needs another version of openai than litellm does. The ideal time
is that of the bucket alone.

The bucket stands in place of the transport, and all run in virtual time: so what else the machine does, and what a
client takes of the processor, changes nothing. Over HTTP, `test_no_call_is_lost_at_any_rate` asks such a bucket.

Usage: ``python tests/benchmarks/bench_pace.py [--seconds 120] [--rates 60 500 5000]``
"""

import argparse
import asyncio
import contextlib
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

from answering_at_once import IN_FLIGHT, KEY, MODEL, QUESTION, request

LATENCY = 0.5
TARGET = 1.25
TARGET_SLOW = 1.6
"""The same at 60 calls a minute where nothing but 429 is said."""
PATIENCE = 20
"""Times the ideal time after which a system is given up."""
BASE = "http://bucket.test/v1"


class Bucket:
    """Takes a burst, and so many calls a minute.

    Parameters
    ----------
    rate
        Calls a minute.
    says
        Whether it says in headers what it takes.
    """

    def __init__(self, rate: float, says: bool) -> None:
        self.rate, self.burst, self.says = rate / 60, max(1.0, rate / 60), says
        self.left, self.at = self.burst, 0.0
        self.turned_away = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Return whether a call is taken, and the headers of the answer."""
        now = asyncio.get_running_loop().time()
        self.left, self.at = min(self.burst, self.left + (now - self.at) * self.rate), now
        taken = self.left >= 1
        self.left -= taken
        self.turned_away += not taken
        said = {
            "x-ratelimit-limit-requests": str(int(self.burst)),
            "x-ratelimit-remaining-requests": str(int(self.left)),
            "x-ratelimit-reset-requests": f"{(self.burst - self.left) / self.rate:.3f}s",
        }
        if not taken:
            said["retry-after"] = str(math.ceil((1 - self.left) / self.rate))
        return taken, said if self.says else {}

    async def answer(self) -> tuple[bool, dict[str, str]]:
        """Do the same, as late as a provider is."""
        await asyncio.sleep(LATENCY / 2)
        found = self.take()
        await asyncio.sleep(LATENCY / 2)
        return found


async def ask_ours(bucket: Bucket, calls: int) -> int:
    """Ask through `LiveModel`, and return how many were answered."""
    import httpx
    from loopback import completion

    from pytest_llmpref.models.litellm_client import litellm
    from pytest_llmpref.models.live import LiveModel

    async def answer(_request: httpx.Request) -> httpx.Response:
        taken, headers = await bucket.answer()
        body = completion("A") if taken else {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
        return httpx.Response(200 if taken else 429, json=body, headers=headers)

    litellm().aclient_session = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    model, queue, answered = LiveModel(MODEL, api_base=BASE, api_key=KEY), iter(range(calls)), 0

    async def worker() -> None:
        nonlocal answered
        for number in queue:
            reply = await model.ask(request(number))
            answered += reply.text == "A"

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    await model.close()
    return answered


async def ask_inspect(bucket: Bucket, calls: int) -> int:
    """Ask through inspect-ai with adaptive connections, and return how many were answered."""
    from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi
    from inspect_ai.model._model import RetryDecision

    class TurnedAwayError(Exception):
        pass

    @modelapi(name="bucket")
    class BucketAPI(ModelAPI):  # type: ignore[misc]
        async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> Any:  # noqa: A002
            taken, headers = await bucket.answer()
            if not taken:
                raise TurnedAwayError(headers.get("retry-after"))
            return ModelOutput.from_content(self.model_name, "A")

        def should_retry(self, ex: BaseException) -> Any:
            if not isinstance(ex, TurnedAwayError):
                return False
            return RetryDecision.rate_limit(None if ex.args[0] is None else float(ex.args[0]))

    config = GenerateConfig(adaptive_connections=True, temperature=1.0, max_tokens=32)
    model = get_model("bucket/benchmark", config=config, memoize=False)
    outputs = await asyncio.gather(*(model.generate(QUESTION) for _ in range(calls)))
    return sum(output.completion == "A" for output in outputs)


Ask = Callable[[Bucket, int], Awaitable[int]]


class AtOnce(ThreadPoolExecutor):
    """Runs what belongs into a thread at once: virtual time would not wait for a thread."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(error)
        return done


def measured(
    ask: Callable[[Bucket, int], Awaitable[int]], bucket: Bucket, calls: int, most: float
) -> tuple[float, int]:
    """Return the seconds that one system took in virtual time, and how many calls were answered."""
    from virtual_time import VirtualTimeLoop

    async def asked() -> tuple[float, int]:
        loop, answered = asyncio.get_running_loop(), 0
        loop.set_default_executor(AtOnce())
        with contextlib.suppress(TimeoutError), mock.patch.object(time, "monotonic", loop.time):
            async with asyncio.timeout(most):
                answered = await ask(bucket, calls)
        return loop.time(), answered

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(asked())


def measure(rates: list[float], seconds: float) -> bool:
    """Print the table, and return whether we lost no call and met the target everywhere."""
    met = True
    print("calls a minute  headers    calls  system      x ideal    lost    429s")
    for rate in rates:
        for says in (True, False):
            for name, ask in (("ours", ask_ours), ("inspect-ai", ask_inspect)):
                bucket = Bucket(rate, says)
                calls = round(bucket.burst + bucket.rate * seconds)
                took, answered = measured(ask, bucket, calls, PATIENCE * seconds)
                ratio = took / ((calls - bucket.burst) / bucket.rate)
                said = f"{ratio:.2f}" if answered else f"> {PATIENCE}"
                print(
                    f"{rate:>14g}  {'yes' if says else 'no':8}{calls:>8}  {name:11}{said:>8}{calls - answered:>8}"
                    f"{bucket.turned_away:>8}",
                    flush=True,
                )
                if ask is ask_ours:
                    most = TARGET_SLOW if rate == 60 and not says else TARGET
                    met = met and ratio <= most and answered == calls
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[60.0, 500.0, 5000.0])
    options = parser.parse_args()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import inspect_ai

    print(f"inspect-ai {inspect_ai.__version__}; target: {TARGET} x ideal, {TARGET_SLOW} at 60 without headers")
    sys.exit(0 if measure(options.rates, options.seconds) else 1)


if __name__ == "__main__":
    main()
