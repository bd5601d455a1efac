"""Agents' tasks run until the gate's verdict is decided: error rate, power, and what it saves.

``python tests/benchmarks/bench_sequential_agents.py`` simulates studies of five entities an arm by the real rule and
statistic, and prints for each size and world how often the gate opens, is refuted and given up, how often the interval
that it ends with misses the difference that is planted, and how much was run; beside the whole design out of the same
runs. In the rows whose margin is the planted difference, the gate must not open more often than alpha.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pytest_llmpref.estimates import Estimate, Verdict, ledger
from pytest_llmpref.experiments.agentic.measure import AgenticMeasure, success_gap
from pytest_llmpref.experiments.blocks import BLOCKS, FIRST_LOOK, decided
from pytest_llmpref.policy import Bound

sys.path.append(str(Path(__file__).parents[1]))
from agent_studies import planted_gap, study

MARGIN, ALPHA = 0.10, 0.05


def first(measure: AgenticMeasure, tasks: int, fractions: tuple[float, ...]) -> AgenticMeasure:
    """Return the runs at the first tasks, looked at so often."""
    wanted = {f"task {number}" for number in range(tasks)}
    return replace(measure, runs=[run for run in measure.runs if run.planned.task.id in wanted], fractions=fractions)


def followed(measure: AgenticMeasure, tasks: int, margin: float) -> tuple[str, Estimate, float]:
    """Return how the asking ended, with which difference, and after which part of the tasks."""
    counts = [-(-tasks * part // BLOCKS) for part in range(FIRST_LOOK, BLOCKS + 1)]
    fractions = tuple(count / tasks for count in counts)
    for look, count in enumerate(counts, start=1):
        found = success_gap(first(measure, count, fractions[:look]))
        ended = decided(found, fractions, [Bound(margin, ALPHA)])
        if ended is not None:
            return ended, found, fractions[look - 1]
    return "open", found, 1.0


def rows(studies: int) -> Iterator[str]:
    """Yield a line for each size, world and margin."""
    for tasks in (16, 69, 200):
        for world in ("paper-a", "sandbagger"):
            planted = float(np.mean([planted_gap(world, seed, tasks=tasks) for seed in range(studies)]))
            for margin in (MARGIN, planted) if planted else (MARGIN,):
                ends, missed, ran, opens, invalid = Counter[str](), 0, 0.0, 0, 0
                for seed in range(studies):
                    measure = study(world, seed, tasks=tasks)
                    truth = planted_gap(world, seed, tasks=tasks)
                    ended, found, part = followed(measure, tasks, margin if margin == MARGIN else truth)
                    interval = found.interval(1 - ALPHA)
                    ends[ended] += 1
                    invalid += bool(found.invalid)
                    missed += not interval.low <= truth <= interval.high
                    ran += part
                    whole = success_gap(measure)
                    with ledger(1, ALPHA):
                        bound = margin if margin == MARGIN else truth
                        opens += (abs(whole) < bound).verdict is Verdict.SUPPORTED
                shares = [ends["supported"], opens, ends["refuted"], missed, ends["hopeless"], invalid]
                cells = " | ".join(f"{share / studies:.1%}" for share in (*shares, ran))
                yield f"| sim/{world} | {tasks} | {planted:.3f} | {margin:.3f} | {cells} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500)
    options = parser.parse_args()
    print(
        "| world | tasks | planted | margin | opens | whole design opens | refuted | interval misses | given up "
        "| invalid | run |"
    )
    print("|---" * 11 + "|")
    for line in rows(options.studies):
        print(line, flush=True)


if __name__ == "__main__":
    main()
