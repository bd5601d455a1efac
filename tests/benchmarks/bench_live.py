"""How much slower ``LiveModel.ask`` is than a bare ``litellm.acompletion``, at 64 questions in flight.

Both ask a loopback server, in a process of its own, that answers at once. Rounds of the two take turns, so that what
else the machine does falls on both.

Usage: ``python tests/benchmarks/bench_live.py [--calls 200] [--rounds 21]``
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

IN_FLIGHT = 64
TARGET = 1.10
QUESTION = "Which of these two do you like more? A: tea, B: mud. Answer:"
KEY = "sk-benchmark-0123456789"


def serve() -> None:
    """Answer every request at once with the same bytes; print the port."""
    from aiohttp import web
    from loopback import completion

    likeliest = {f" {letter}": -0.5 * rank for rank, letter in enumerate("ABCDE", 1)}
    body = json.dumps(completion(" A", top_logprobs=likeliest)).encode()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


async def timed(ask: Callable[[int], Awaitable[object]], calls: int) -> tuple[float, float]:
    """Return seconds of wall time and of CPU time that these calls take."""
    queue = iter(range(calls))

    async def worker() -> None:
        for index in queue:
            await ask(index)

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
    return time.perf_counter() - wall, time.process_time() - cpu


async def measure(port: int, calls: int, rounds: int) -> bool:
    """Print the table, and return whether the target is met."""
    import litellm

    from pytest_llmpref.models.chat import Message, Request
    from pytest_llmpref.models.live import LiveModel

    api_base = f"http://127.0.0.1:{port}/v1"
    model = LiveModel("openai/benchmark", api_base=api_base, api_key=KEY)

    async def ask_model(index: int) -> None:
        await model.ask(Request(model.name, (Message("user", QUESTION),), 1.0, 32, index, 5))

    async def ask_litellm(index: int) -> None:
        await litellm.acompletion(
            model="openai/benchmark",
            messages=[{"role": "user", "content": QUESTION}],
            temperature=1.0,
            max_tokens=32,
            logprobs=True,
            top_logprobs=5,
            api_base=api_base,
            api_key=KEY,
            timeout=120.0,
        )

    ways = {"litellm.acompletion": ask_litellm, "LiveModel.ask": ask_model}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for ask in ways.values():
        await timed(ask, 2 * IN_FLIGHT)
    for number in range(rounds):
        # Whoever goes second gains from warm caches, and loses to the garbage of the first.
        for name in sorted(ways, reverse=bool(number % 2)):
            taken[name].append(await timed(ways[name], calls))
    await model.close()

    print(f"{rounds} rounds of {calls} calls each, {IN_FLIGHT} in flight; medians")
    print(f"{'':22}{'calls/s':>10}{'CPU ms a call':>16}")
    for name, rounds_taken in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*rounds_taken, strict=True))
        print(f"{name:22}{calls / wall:10.0f}{1000 * cpu / calls:16.2f}")
    bare, ours = taken.values()
    ratio = statistics.median(our[0] / their[0] for our, their in zip(ours, bare, strict=True))
    cpu_ratio = statistics.median(our[1] / their[1] for our, their in zip(ours, bare, strict=True))
    print(
        f"LiveModel takes {ratio:.3f} of bare litellm's time (CPU {cpu_ratio:.3f}); at most {TARGET:.2f} is the target"
    )
    return ratio <= TARGET


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            met = asyncio.run(measure(int(server.stdout.readline()), options.calls, options.rounds))
        finally:
            server.kill()
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
