"""Reading questions asked until the gate's verdict is decided: error rate, power, and what it saves.

``python tests/benchmarks/bench_sequential_reading.py`` simulates studies of two quarters of 72 entities by the real
rule and statistic, and prints for each size and planted difference how often the gate opens, how often the interval
that it ends with misses the truth, how often it is given up, and how much was asked; beside the whole design out of the
same answers. A difference that is planted just at the margin must not be called smaller more often than alpha.

With ``--anew 0.1``, only a tenth of the answers is drawn for each entity; the others depend on the question alone, as
those of most simulated models do. There is no difference then.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import optimize, special

from pytest_llmpref.claims.claim import Threshold, ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.stopping import BLOCKS, FIRST_LOOK, decided
from pytest_llmpref.stats.answers import Answers, ReadingDesign, simulate_answers
from pytest_llmpref.stats.performance import quarters_difference
from pytest_llmpref.stats.sequential import with_repeated_interval

QUARTER, MARGIN, ALPHA = 18, 0.02, 0.05
TOP = np.arange(2 * QUARTER) < QUARTER


def shift(design: ReadingDesign, difference: float) -> float:
    """Return the log-odds between the quarters that make this difference of accuracy."""
    both = replace(design, difficulty_sd=math.hypot(design.difficulty_sd, design.entity_sd))
    level = design.level

    def gap(log_odds: float) -> float:
        return both.mean_accuracy(level, log_odds / 2) - both.mean_accuracy(level, -log_odds / 2) - difference

    return float(optimize.brentq(gap, -5, 5))


def first(answers: Answers, questions: int) -> Answers:
    """Return the answers to the first questions."""
    kept = answers.question < questions
    return Answers(
        answers.entity[kept], answers.question[kept], answers.correct[kept], answers.said_yes[kept], answers.n_entities
    )


def mostly_alike(design: ReadingDesign, anew: float, rng: np.random.Generator) -> Answers:
    """Return answers of which a share is drawn for each entity, and the others for each question."""
    shape = design.n_entities, design.n_questions
    right = special.expit(design.level + design.difficulty_sd * rng.standard_normal(design.n_questions))
    draws = np.where(rng.random(shape) < anew, rng.random(shape), rng.random(design.n_questions))
    correct = draws < right
    entity, question = np.divmod(np.arange(correct.size), design.n_questions)
    truth = np.arange(design.n_questions) % 2 == 0
    return Answers(entity, question, correct.ravel(), (correct == truth).ravel(), design.n_entities)


def study(
    design: ReadingDesign, log_odds: float, rng: np.random.Generator, anew: float = 1.0
) -> tuple[str, Estimate, float, Estimate]:
    """Return how one study ended, with which difference, after which part of it, and what the whole of it finds."""
    if anew < 1:
        answers = mostly_alike(design, anew, rng)
    else:
        effects = design.entity_sd * rng.standard_normal(design.n_entities) + log_odds * np.where(TOP, 0.5, -0.5)
        answers = simulate_answers(design, rng, effects=effects)
    counts = [design.n_questions * part // BLOCKS for part in range(FIRST_LOOK, BLOCKS + 1)]
    fractions = tuple(count / design.n_questions for count in counts)
    whole = quarters_difference(answers, TOP, ~TOP)
    for look, count in enumerate(counts, start=1):
        found = with_repeated_interval(quarters_difference(first(answers, count), TOP, ~TOP), fractions[:look])
        ended = decided(found, fractions, [Threshold(MARGIN, ALPHA)])
        if ended is not None:
            return ended, found, fractions[look - 1], whole
    return "open", found, 1.0, whole


SIZES = ((64, 0.85), (64, 0.95), (200, 0.85), (200, 0.95), (1000, 0.85))
SIZES_ALIKE = tuple((64, accuracy) for accuracy in (0.8, 0.85, 0.9, 0.95))


def rows(studies: int, anew: float) -> Iterator[str]:
    """Yield a line for each size and planted difference."""
    for questions, accuracy in SIZES if anew == 1 else SIZES_ALIKE:
        design = ReadingDesign(2 * QUARTER, questions, accuracy)
        for truth in (0.0, MARGIN, 2 * MARGIN) if anew == 1 else (0.0,):
            log_odds, ends, missed, asked, opens = shift(design, truth), Counter[str](), 0, 0.0, 0
            for seed in range(studies):
                ended, found, part, whole = study(design, log_odds, np.random.default_rng([3, seed]), anew)
                interval = found.interval(1 - ALPHA)
                ends[ended] += 1
                missed += not interval.low <= truth <= interval.high
                asked += part
                with ledger(1, ALPHA):
                    opens += (abs(whole) < MARGIN).verdict is Verdict.SUPPORTED
            shares = [ends["supported"], opens, ends["refuted"], missed, ends["hopeless"]]
            cells = " | ".join(f"{share / studies:.1%}" for share in (*shares, asked))
            yield f"| {questions} | {accuracy:.0%} | {100 * truth:.0f} points | {cells} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--anew", type=float, default=1.0, help="share of answers that are drawn for each entity")
    options = parser.parse_args()
    print(
        "| questions | accuracy | planted | opens | whole design opens | refuted | interval misses | given up | asked |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for line in rows(options.studies, options.anew):
        print(line, flush=True)


if __name__ == "__main__":
    main()
