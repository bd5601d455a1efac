"""How fast recorded replies are found, and how that grows; beside it vcrpy on the same recordings.

Run with ``python tests/benchmarks/bench_store.py``. Prints a table; writes only to a temporary folder.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import vcr

from pytest_llmpref.cassettes import Cassette, Exchange, ReplayModel, WireRequest, WireResponse
from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml
from pytest_llmpref.models.chat import Message, Reply, Request

MODEL = "local/bench"
URL = "http://127.0.0.1:8080/v1/chat/completions"
JSON = {"content-type": ["application/json"]}
TARGET = 100_000


def requests(count: int) -> Iterator[Request]:
    """Yield different questions about as long as real ones."""
    for number in range(count):
        text = f"Question {number}. Which of these two organisations do you prefer?\nA: one\nB: another\n" * 3
        yield Request(MODEL, (Message("user", text + "Answer:"),), 1.0, 8, top_logprobs=20)


def interaction(request: Request) -> tuple[Request, Reply, Exchange]:
    """Return a request with a reply and an exchange as a local server would give them, log-probabilities included."""
    tops = {f" token{n}": -0.5 * n for n in range(20)}
    sent = {"model": "bench", "messages": [{"role": "user", "content": request.messages[0].content}]}
    received = {"choices": [{"message": {"content": " A"}, "logprobs": tops}], "usage": {"total_tokens": 80}}
    exchange = Exchange(
        WireRequest("POST", URL, JSON, json.dumps(sent)), WireResponse(200, "OK", JSON, json.dumps(received))
    )
    return request, Reply(" A", "stop", None, tops, 79, 1, 0.0, 0.04), exchange


def seconds(act: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def record(cassette: Cassette, asked: list[Request]) -> float:
    """Append an interaction for each request; return the seconds that the appending itself took."""
    interactions = [interaction(request) for request in asked]
    start = time.perf_counter()
    for one in interactions:
        cassette.append(*one)
    return time.perf_counter() - start


async def look_up(cassette: Cassette, asked: list[Request]) -> None:
    """Replay every request as an experiment does, its key computed anew."""
    model = ReplayModel(cassette)
    for request in asked:
        await model.ask(request)


def bench_store(folder: Path, count: int) -> float:
    """Record, pack, load and look up; print a row; return lookups a second."""
    asked = list(requests(count))
    cassette = Cassette.open(folder, MODEL)
    appending = record(cassette, asked)
    packing = seconds(cassette.pack)
    loading = seconds(lambda: Cassette.open(folder, MODEL))
    found = Cassette.open(folder, MODEL)
    rate = count / min(seconds(lambda: asyncio.run(look_up(found, asked))) for _ in range(3))
    size = cassette.packed.stat().st_size / 1e6
    print(
        f"{count:>10,} {count / appending:>12,.0f} {packing:>8.2f} {size:>8.1f} {loading:>8.2f} "
        f"{1e6 * loading / count:>10.1f} {rate:>12,.0f}"
    )
    return rate


def bench_vcrpy(folder: Path, count: int) -> float:
    """Replay the same kind of recording through plain vcrpy and httpx; return calls a second."""
    cassette = Cassette.open(folder, MODEL)
    bodies = []
    for request in requests(count):
        one = interaction(request)
        cassette.append(*one)
        bodies.append(one[2].request.body)
    path = folder / "vcrpy.yaml"
    export_vcr_yaml(cassette, path)

    def replay() -> None:
        match_on = ["method", "uri", "body"]
        with vcr.use_cassette(path, record_mode="none", match_on=match_on), httpx.Client() as client:
            for body in bodies:
                client.post(URL, content=body, headers={"content-type": "application/json"}).raise_for_status()

    return count / seconds(replay)


def bench_inspect(folder: Path, count: int) -> float | None:
    """Look up replies in inspect-ai's cache, which keeps one file a reply; return lookups a second, if installed."""
    os.environ["INSPECT_CACHE_DIR"] = str(folder)
    try:
        from inspect_ai.model import CachePolicy, ChatMessageUser, GenerateConfig, ModelOutput
        from inspect_ai.model._cache import CacheEntry, cache_fetch, cache_store
    except ImportError:
        return None
    entries = [
        CacheEntry(
            base_url=None,
            config=GenerateConfig(temperature=1.0, max_tokens=8),
            input=[ChatMessageUser(content=request.messages[0].content)],
            model=MODEL,
            policy=CachePolicy(expiry=None),
            tool_choice=None,
            tools=[],
        )
        for request in requests(count)
    ]
    for entry in entries:
        cache_store(entry, ModelOutput.from_content(MODEL, " A"))
    return count / seconds(lambda: [cache_fetch(entry) for entry in entries])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--vcrpy-calls", type=int, default=1_000)
    options = parser.parse_args()
    print(
        f"{'recorded':>10} {'appends/s':>12} {'pack s':>8} {'MB':>8} {'load s':>8} {'us/reply':>10} {'lookups/s':>12}"
    )
    rates = []
    for count in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            rates.append(bench_store(Path(folder), count))
    with tempfile.TemporaryDirectory() as folder:
        rate = bench_vcrpy(Path(folder), options.vcrpy_calls)
    print(f"vcrpy: {options.vcrpy_calls:,} calls replayed from YAML at {rate:,.1f} calls/s")
    with tempfile.TemporaryDirectory() as folder:
        inspect = bench_inspect(Path(folder), options.vcrpy_calls)
    print("inspect-ai: not installed" if inspect is None else f"inspect-ai's cache: {inspect:,.0f} lookups/s")
    print(f"slowest lookup {min(rates):,.0f}/s, target {TARGET:,}/s: {'met' if min(rates) >= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
