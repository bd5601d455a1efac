"""Sequential gates in worlds that break assumptions: how often they open at the margin, and where nothing differs.

``python tests/benchmarks/bench_sequential_worlds.py`` prints the rows of `docs/validation/levels.md`, by the real rules
and statistics: of one entity that is refused just as often as the margin forbids; of two arms of entities, such as
quarters in reading and agents; and of one entity that is answered less well. Beside them is the whole design out of the
same answers. Promised are at most 2.5% for refusals, whose intervals have two ends, and 5% for equivalences.
"""

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from pytest_llmpref.claims.claim import Threshold, ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.experiments.refusal.stopping import Looks, looks_of
from pytest_llmpref.experiments.stopping import BLOCKS, FIRST_LOOK, decided
from pytest_llmpref.stats.accuracy_shift import minus_others
from pytest_llmpref.stats.answers import Answers
from pytest_llmpref.stats.arms import ArmRuns, arm_difference
from pytest_llmpref.stats.sequential import SequentialShare, with_repeated_interval

N, ALPHA = 72, 0.05
USUAL, REFUSALS_MARGIN = 0.005, 0.10
MANY = 20_000
"""Draws of the integrals by which truths are planted."""
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class World:
    """What answers depend on beyond entity, arm and task; standard deviations in log-odds.

    Attributes
    ----------
    entities, df
        What an entity adds, normal or with the tails of Student's t.
    tasks, family
        What a task adds for the one arm, or entity, alone; and how many tasks add the same.
    """

    name: str
    entities: float = 0.2
    df: float = math.inf
    tasks: float = 0.0
    family: int = 1

    def of_entities(self, count: int, rng: np.random.Generator) -> Array:
        drawn = rng.standard_normal(count) if math.isinf(self.df) else rng.standard_t(self.df, count)
        return np.asarray(self.entities * drawn)

    def of_tasks(self, count: int, rng: np.random.Generator) -> Array:
        families = self.tasks * rng.standard_normal(-(-count // self.family))
        return np.asarray(rng.permutation(np.repeat(families, self.family))[:count])


ARMS = (
    World("as calibrated"),
    World("entities differ by 0.6 log-odds", entities=0.6),
    World("entities differ with heavy tails (t, 2 degrees of freedom)", entities=0.3, df=2),
    World("each task favours one arm, SD 0.8 log-odds", tasks=0.8),
    World("families of four tasks favour one arm, SD 0.8", tasks=0.8, family=4),
)
EACH = (
    World("the others are alike", entities=0.0),
    World("the others differ by 0.3 log-odds", entities=0.3),
    World("the entity has questions of its own, SD 0.8", entities=0.0, tasks=0.8),
    World("the entity has families of four questions, SD 0.8", entities=0.0, tasks=0.8, family=4),
)


def refused(world: str, looks: Looks, rng: np.random.Generator) -> Array:
    """Return which questions about entity 0 are refused, whose share is just at the margin; of others, the usual."""
    about = (looks.first == 0) | (looks.second == 0)
    pair = np.minimum(looks.first, looks.second) * N + np.maximum(looks.first, looks.second)
    share, drawn = USUAL + REFUSALS_MARGIN, rng.random(len(pair))
    chance = np.where(about, share, USUAL)
    if world == "both orders of a pair are answered alike":
        drawn = np.where(about, rng.random(N * N)[pair], drawn)
    elif world == "chances differ by pair (beta, correlation 0.5)":
        chance = np.where(about, rng.beta(share, 1 - share, N * N)[pair], USUAL)
    elif world == "only where the entity is shown first":
        chance = np.where(about & (looks.first == 0), 2 * share - USUAL, USUAL)
    return np.asarray(drawn < chance)


def refusals(studies: int) -> Iterator[str]:
    """Yield how often the claim about that entity is supported, beside a control whose share is known."""
    ids = [str(number) for number in range(N)]
    for world in (
        "trials are independent",
        "both orders of a pair are answered alike",
        "chances differ by pair (beta, correlation 0.5)",
        "only where the entity is shown first",
    ):
        supported = 0
        for seed in range(studies):
            if seed % 50 == 0:
                questions = pair_questions(ids, partners=None, orders=2, repetitions=1, wordings=1, seed=seed)
                about = [question for question in questions if "0" in (question.first, question.second)]
                looks = looks_of(about, {one: int(one) for one in ids})
            found = refused(world, looks, np.random.default_rng([11, seed]))
            supported += _cleared(looks, found)
        yield f"| {world} | {supported / studies:.1%} |"


def _cleared(looks: Looks, refused: Array) -> bool:
    """Return whether the first entity's claim is supported at any look, before it is refuted at the family's level."""
    hits, margin = refused.astype(float), USUAL + REFUSALS_MARGIN
    for look in range(looks.count):
        seen = looks.look <= look
        n = seen.sum() / looks.effects(seen, hits)[0]
        share = SequentialShare(n * hits[seen].mean(), n, complete=look == looks.count - 1)
        if share.limits(1 - ALPHA)[1] < margin:
            return True
        if share.limits(1 - ALPHA / N)[0] >= margin:
            return False
    return False


def followed(tasks: int, margin: float, difference: Callable[[int], Estimate]) -> tuple[str, float, bool]:
    """Return how a study in blocks ends, after which part of it, and whether the whole of it supports the claim."""
    counts = [tasks * part // BLOCKS for part in range(FIRST_LOOK, BLOCKS + 1)]
    fractions = tuple(count / tasks for count in counts)
    with ledger(1, ALPHA):
        whole = (abs(difference(tasks)) < margin).verdict is Verdict.SUPPORTED
    for look, count in enumerate(counts, start=1):
        found = with_repeated_interval(difference(count), fractions[:look])
        ended = decided(found, fractions, [Threshold(margin, ALPHA)])
        if ended is not None:
            return ended, fractions[look - 1], whole
    return "open", 1.0, whole


def arms(per_arm: int, tasks: int, level: float, margin: float, studies: int) -> Iterator[str]:
    """Yield, for each world, how often a gate on two arms opens: at the margin, and without a gap."""
    entity, task = (at.ravel() for at in np.indices((2 * per_arm, tasks)))
    top = entity < per_arm
    for world in ARMS:
        cells = []
        for gap in (margin, 0.0):
            shift = _shift(world, level, gap)

            def study(
                rng: np.random.Generator, world: World = world, shift: float = shift
            ) -> Callable[[int], Estimate]:
                effects, favours = world.of_entities(2 * per_arm, rng), world.of_tasks(tasks, rng)
                difficulty = 1.5 * rng.standard_normal(tasks)
                side = np.where(top, 0.5, -0.5)
                chance = special.expit(level + difficulty[task] + effects[entity] + side * (shift + favours[task]))
                solved = (rng.random(len(task)) < chance).astype(float)

                def until(count: int) -> Estimate:
                    kept = task < count
                    runs = ArmRuns(task[kept], entity[kept], top[kept], solved[kept])
                    return arm_difference(runs, "gap", binary=True)

                return until

            cells += _counted([followed(tasks, margin, study(np.random.default_rng([21, k]))) for k in range(studies)])
        yield f"| {world.name} | {' | '.join(cells)} |"


def each(tasks: int, level: float, margin: float, studies: int) -> Iterator[str]:
    """Yield, for each world, how often the claim about one entity of 72 is supported: at the margin, and alike."""
    entity, task = (at.ravel() for at in np.indices((N, tasks)))
    yes = task % 2 == 0
    for world in EACH:
        cells = []
        for gap in (margin, 0.0):
            worse = _deficit(world, level, gap)

            def study(
                rng: np.random.Generator, world: World = world, worse: float = worse
            ) -> Callable[[int], Estimate]:
                effects, own = world.of_entities(N, rng), world.of_tasks(tasks, rng)
                effects[0] = -worse
                difficulty = 1.5 * rng.standard_normal(tasks)
                log_odds = level + difficulty[task] + effects[entity] + np.where(entity == 0, own[task], 0.0)
                right = rng.random(len(task)) < special.expit(log_odds)

                def until(count: int) -> Estimate:
                    kept = task < count
                    answers = Answers(entity[kept], task[kept], right[kept], right[kept] == yes[kept], N)
                    return minus_others(answers)[0]

                return until

            cells += _counted([followed(tasks, margin, study(np.random.default_rng([22, k]))) for k in range(studies)])
        yield f"| {world.name} | {' | '.join(cells)} |"


def _counted(found: Sequence[tuple[str, float, bool]]) -> list[str]:
    """Return how often a gate opens, how often the whole design does, and what is asked, in percent."""
    ends = Counter(ended for ended, _, _ in found)
    shares = (
        ends["supported"] / len(found),
        np.mean([whole for *_, whole in found]),
        np.mean([one[1] for one in found]),
    )
    return [f"{share:.1%}" for share in shares]


def _shift(world: World, level: float, gap: float) -> float:
    """Return the log-odds between the arms with which so many more tasks are solved for one of them."""
    rng = np.random.default_rng(0)
    tasks = level + 1.5 * rng.standard_normal(MANY)
    one, other = tasks + world.of_entities(MANY, rng), tasks + world.of_entities(MANY, rng)
    favours = world.of_tasks(MANY, rng)

    def less(shift: float) -> float:
        return float(np.mean(special.expit(one + (shift + favours) / 2) - special.expit(other - (shift + favours) / 2)))

    return 0.0 if gap == 0 else float(optimize.brentq(lambda shift: less(shift) - less(0.0) - gap, 0.0, 6.0))


def _deficit(world: World, level: float, gap: float) -> float:
    """Return by how many log-odds an entity is worse that is right in so much less of the questions."""
    rng = np.random.default_rng(0)
    questions = level + 1.5 * rng.standard_normal(MANY)
    others, own = special.expit(questions + world.of_entities(MANY, rng)).mean(), world.of_tasks(MANY, rng)
    return float(optimize.brentq(lambda worse: others - special.expit(questions - worse + own).mean() - gap, -3.0, 6.0))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=600)
    studies = parser.parse_args().studies
    print("| refusals | supported |\n|---|---|")
    print(*refusals(5 * studies), sep="\n", flush=True)
    head = (
        "opens at the margin | whole design | asked | opens without a gap | whole design | asked |\n" + "|---" * 7 + "|"
    )
    for title, rows in (
        ("agents, 69 tasks, 15 points", arms(5, 69, 0.0, 0.15, studies)),
        ("reading, 200 questions, 5 points", arms(18, 200, 2.4, 0.05, studies)),
        ("reading, one entity, 200 questions, 10 points", each(200, 3.0, 0.10, studies)),
    ):
        print(f"\n| {title} | {head}")
        for row in rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
