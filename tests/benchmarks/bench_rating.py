"""Bradley-Terry with 1,000 resamples of 5,112 answers about 72 entities, beside choix in a loop.

``python tests/benchmarks/bench_rating.py``. Ours fits strengths, position and label of all resamples side by side;
choix fits strengths alone, and a tenth of the resamples is timed. Pairs are resampled, both orders together.
"""

import sys
import time
from pathlib import Path

import choix
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from simulated_comparisons import drawn

from pytest_llmpref.stats.rating import fit_strengths

N, RESAMPLES, PEER_RESAMPLES, TARGET = 72, 1_000, 100, 1.0


def main() -> None:
    """Print both figures."""
    rng = np.random.default_rng(0)
    comparisons = drawn(rng, rng.normal(0, 1.5, N), position=0.3)
    pairs, pair_of = comparisons.pairs
    weights = rng.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), RESAMPLES).astype(float)[:, pair_of].T
    whole, _ = fit_strengths(comparisons, np.ones((len(comparisons), 1)))
    began, cpu = time.perf_counter(), time.process_time()
    fits, _ = fit_strengths(comparisons, weights, start=whole.parameters)
    ours, ours_cpu = time.perf_counter() - began, time.process_time() - cpu
    assert fits.converged.all()
    winner = np.where(comparisons.score == 1, comparisons.first, comparisons.second)
    loser = np.where(comparisons.score == 1, comparisons.second, comparisons.first)
    won = np.stack([winner, loser], axis=1)
    began = time.perf_counter()
    for number in range(PEER_RESAMPLES):
        choix.ilsr_pairwise(N, np.repeat(won, weights[:, number].astype(int), axis=0), alpha=0.01)
    peer = (time.perf_counter() - began) * RESAMPLES / PEER_RESAMPLES
    print(f"{RESAMPLES:,} resamples: {ours:.2f} s (CPU {ours_cpu:.2f} s)")
    print(f"choix in a loop, from {PEER_RESAMPLES}: {peer:.1f} s")
    print(f"target {TARGET:g} s: {'met' if ours <= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
