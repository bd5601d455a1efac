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
from pathlib import Path

import numpy as np

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.agents.measure import success_gap

sys.path.append(str(Path(__file__).parents[1] / "support"))
from agent_studies import followed, planted_gap, study

MARGIN, ALPHA = 0.10, 0.05


def row(world: str, tasks: int, studies: int, *, at_planted: bool) -> str:
    """Return the line of a size and world; ``at_planted`` makes the margin of each study what is planted in it."""
    ends, missed, ran, opens, truths = Counter[str](), 0, 0.0, 0, []
    for seed in range(studies):
        whole, truth = study(world, seed, tasks=tasks), planted_gap(world, seed, tasks=tasks)
        margin = truth if at_planted else MARGIN
        ended, made = followed(whole, margin)
        interval = success_gap(made).interval(1 - ALPHA)
        ends[ended] += 1
        missed += not interval.low <= truth <= interval.high
        ran += made.fractions[-1]
        truths.append(truth)
        with ledger(1, ALPHA):
            opens += (abs(success_gap(whole)) < margin).verdict is Verdict.SUPPORTED
    shares = [ends["supported"], opens, ends["refuted"], missed, ends["hopeless"], ran]
    cells = " | ".join(f"{share / studies:.1%}" for share in shares)
    return f"| sim/{world} | {tasks} | {np.mean(truths):.3f} | {'planted' if at_planted else MARGIN} | {cells} |"


def rows(studies: int) -> Iterator[str]:
    """Yield the lines."""
    for tasks in (16, 69, 200):
        yield row("paper-a", tasks, studies, at_planted=False)
        for at_planted in (False, True):
            yield row("sandbagger", tasks, studies, at_planted=at_planted)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    options = parser.parse_args()
    print(
        "| world | tasks | planted | margin | opens | whole design opens | refuted | interval misses | given up | run |"
    )
    print("|---" * 10 + "|")
    for line in rows(options.studies):
        print(line, flush=True)


if __name__ == "__main__":
    main()
