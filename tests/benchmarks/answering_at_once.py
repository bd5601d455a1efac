"""What benchmarks of asking share: a server in a process of its own that answers at once, and a timed way to ask."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmpref.models.chat import Request

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

IN_FLIGHT = 64
MODEL = "openai/benchmark"
QUESTION = "Which of these two do you like more? A: tea, B: mud. Answer:"
KEY = "sk-benchmark-0123456789"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run the server; yield its address."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def request(number: int) -> "Request":
    """Return a question: the same each time, and yet another sample."""
    from pytest_llmpref.models.chat import Message, Request

    return Request(MODEL, (Message("user", QUESTION),), 1.0, 32, number, 5)


async def ask_litellm(api_base: str) -> object:
    """Ask the question as a user of litellm would."""
    import litellm

    return await litellm.acompletion(
        model=MODEL,
        messages=[{"role": "user", "content": QUESTION}],
        temperature=1.0,
        max_tokens=32,
        logprobs=True,
        top_logprobs=5,
        api_base=api_base,
        api_key=KEY,
        timeout=120.0,
    )


async def timed(ask: Callable[[int], Awaitable[object]], numbers: range) -> tuple[float, float]:
    """Return seconds of wall time and of CPU time that these calls take."""
    queue = iter(numbers)

    async def worker() -> None:
        for number in queue:
            await ask(number)

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
    return time.perf_counter() - wall, time.process_time() - cpu


async def _serve() -> None:
    """Answer every request at once with the same bytes; print the port."""
    from aiohttp import web
    from loopback import completion

    likeliest = {f" {letter}": -0.5 * rank for rank, letter in enumerate("ABCDE", 1)}
    body = json.dumps(completion(" A", top_logprobs=likeliest)).encode()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
