"""How much slower ``LiveModel.ask`` is than a bare ``litellm.acompletion``, at 64 questions in flight.

Both ask a loopback server, in a process of its own, that answers at once. Rounds of the two take turns, so that what
else the machine does falls on both.

Usage: ``python tests/benchmarks/bench_live.py [--calls 200] [--rounds 21]``
"""

import argparse
import asyncio
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from answering_at_once import IN_FLIGHT, KEY, MODEL, ask_litellm, request, server, timed

TARGET = 1.10


async def measure(api_base: str, calls: int, rounds: int) -> bool:
    """Print the table, and return whether the target is met."""
    from pytest_llmpref.models.live import LiveModel

    model = LiveModel(MODEL, api_base=api_base, api_key=KEY)
    ways = {
        "litellm.acompletion": lambda _number: ask_litellm(api_base),
        "LiveModel.ask": lambda number: model.ask(request(number)),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for ask in ways.values():
        await timed(ask, range(2 * IN_FLIGHT))
    for number in range(rounds):
        # Whoever goes second gains from warm caches, and loses to the garbage of the first.
        for name in sorted(ways, reverse=bool(number % 2)):
            taken[name].append(await timed(ways[name], range(calls)))
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
    options = parser.parse_args()
    with server() as api_base:
        met = asyncio.run(measure(api_base, options.calls, options.rounds))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
