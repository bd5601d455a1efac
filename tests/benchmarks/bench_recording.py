"""Recording and wire replay beside bare litellm, at 64 questions in flight.

Three processes take turns, so that what else the machine does falls on all of them: one asks a server on loopback
through bare ``litellm.acompletion``; one records the same calls through litellm and vcrpy into one growing cassette;
one answers them from that cassette at the wire, through vcrpy and litellm. What a run of many calls costs more than a
run of few shows in the later rounds.

Usage: ``python tests/benchmarks/bench_recording.py [--calls 1000] [--rounds 20]``
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from answering_at_once import IN_FLIGHT, KEY, MODEL, ask_litellm, request, server, timed

RECORDING_TARGET, REPLAY_TARGET = 0.95, 1.10
WAYS = ("litellm", "recording", "wire replay")


async def answer_turns(way: str, api_base: str, folder: Path) -> None:
    """For each two numbers on standard input, make the calls with these indices, and print the seconds taken."""
    ask, before = open_way(way, api_base, folder)
    while line := sys.stdin.readline():
        before()
        print(*await timed(ask, range(*map(int, line.split()))), flush=True)


def open_way(way: str, api_base: str, folder: Path) -> tuple[Callable[[int], Awaitable[object]], Callable[[], object]]:
    """Return how a call is made, and what is done before each turn."""
    if way == "litellm":
        return lambda _number: ask_litellm(api_base), lambda: None
    from pytest_llmpref.cassettes import Cassette, RecordingModel
    from pytest_llmpref.cassettes.wire import WireReplayModel
    from pytest_llmpref.models.live import LiveModel

    live = LiveModel(MODEL, api_base=api_base, api_key=KEY, only_recorded=way != "recording")
    cassette = Cassette.open(folder, MODEL)
    model = RecordingModel(live, cassette) if way == "recording" else WireReplayModel(live, cassette)
    return lambda number: model.ask(request(number)), cassette.reload


@contextmanager
def process(way: str, api_base: str, folder: str) -> Iterator[Callable[[int, int], tuple[float, float]]]:
    """Start the process of one way; yield what gives it a turn."""
    command = [sys.executable, __file__, "--way", way, "--api-base", api_base, "--folder", folder]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # The order of sets and dicts is no reason for one to be faster.
    with subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": "0"}, **pipes) as running:

        def turn(first: int, last: int) -> tuple[float, float]:
            print(first, last, file=running.stdin, flush=True)
            wall, cpu = map(float, running.stdout.readline().split())
            return wall, cpu

        try:
            yield turn
        finally:
            running.kill()


def measure(calls: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of wall time and CPU time of each way in each round."""
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with server() as api_base, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        turns = {way: stack.enter_context(process(way, api_base, folder)) for way in WAYS}
        for turn in turns.values():
            # What is made once: imports, connections.
            turn(0, 2 * IN_FLIGHT)
        for number in range(rounds):
            first = 2 * IN_FLIGHT + number * calls
            # A replay needs its recording; of the others each is first in turn.
            for way in WAYS if number % 2 else (*WAYS[1:], WAYS[0]):
                taken[way].append(turns[way](first, first + calls))
    return taken


def report(taken: dict[str, list[tuple[float, float]]], calls: int) -> bool:
    """Print the table, and return whether both targets are met."""
    rounds = len(taken["litellm"])
    print(f"{rounds} rounds of {calls} calls each, {IN_FLIGHT} in flight; medians, and those of ratios within a round")
    columns = ("calls/s", "CPU ms a call", "rate", "rate by CPU", "first half", "second half")
    print(f"{'':12}" + "".join(f"{column:>14}" for column in columns))
    rates = {}
    for way, seconds in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*seconds, strict=True))
        by_wall, by_cpu = (
            [their[clock] / own[clock] for own, their in zip(seconds, taken["litellm"], strict=True)]
            for clock in (0, 1)
        )
        rates[way] = statistics.median(by_wall)
        figures = [rates[way], statistics.median(by_cpu)]
        figures += [statistics.median(half) for half in (by_cpu[: rounds // 2], by_cpu[rounds // 2 :])]
        print(
            f"{way:12}{calls / wall:14.0f}{1000 * cpu / calls:14.3f}" + "".join(f"{figure:14.3f}" for figure in figures)
        )
    print("halves: by CPU, while the cassette grows from nothing to all of these calls")
    met = rates["recording"] >= RECORDING_TARGET and rates["wire replay"] >= REPLAY_TARGET
    print(f"targets: recording {RECORDING_TARGET}, wire replay {REPLAY_TARGET}: {'met' if met else 'MISSED'}")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    for hidden in ("--way", "--api-base", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        asyncio.run(answer_turns(options.way, options.api_base, Path(options.folder)))
        return
    sys.exit(0 if report(measure(options.calls, options.rounds), options.calls) else 1)


if __name__ == "__main__":
    main()
