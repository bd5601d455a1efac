"""Refusals asked until the gate's verdict is decided: error rate, power, and what it saves, beside the whole design.

``python tests/benchmarks/bench_sequential.py`` prints three tables. The first is of one claim, that an entity is
refused less than 10 points above a control of 96 trials, whose truth is just at the threshold: how often its interval
excludes the truth at any of the looks, which is the most that any rule of stopping can go wrong. The second is of
families of 72 claims by the real design and the real rule. The third asks every shipped world at the profiles paper and
gate, about refusals and reading.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from pytest_llmpref import top_minus_bottom
from pytest_llmpref.claims.claim import Threshold, ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.experiments.refusal.stopping import Looks, follow, looks_of
from pytest_llmpref.stats.refusal import Attempts, refusal_rates
from pytest_llmpref.stats.sequential import SequentialShare
from pytest_llmpref.study.studies import Studies

N, CONTROLS, MARGIN, GAP, ALPHA = 72, 96, 0.10, 0.02, 0.05
LOOK = 8
"""Trials about one entity between two looks: eight opponents, in one order."""
PLANNED = 2 * (N - 1)
WORLDS = (
    "even-handed", "sandbagger", "refuser", "null", "drifting", "position-biased", "incoherent",
    *(f"paper-{letter}" for letter in "abcde"),
)  # fmt: skip
Array = np.ndarray[Any, Any]


def ends(n: int, interval_of: Any, level: float) -> Array:
    """Return the bounds for every number of successes in n; shape (n + 1, 2)."""
    return np.array([interval_of(hits).limits(level) for hits in range(n + 1)])


def excluded(chance: float, error_rate: float, studies: int, seed: int) -> tuple[float, float]:
    """Return how often the truth, at the threshold, is excluded at some look; and by the whole design's interval."""
    rng, level = np.random.default_rng(seed), 1 - error_rate
    control = rng.binomial(CONTROLS, chance, studies)
    of_control = ends(CONTROLS, lambda hits: Wilson(hits, CONTROLS), level)[control]
    answers = rng.random((studies, PLANNED)) < chance + MARGIN
    hits, wrong = np.cumsum(answers, axis=1), np.zeros(studies, dtype=bool)
    for n in (*range(LOOK, PLANNED, LOOK), PLANNED):
        seen, complete = hits[:, n - 1], n == PLANNED
        of_entity = ends(n, lambda s, n=n, complete=complete: SequentialShare(s, n, complete), level)[seen]
        wrong |= _beyond(seen / n, of_entity, control / CONTROLS, of_control)
    whole = ends(PLANNED, lambda s: Wilson(s, PLANNED), level)[hits[:, -1]]
    return wrong.mean(), _beyond(hits[:, -1] / PLANNED, whole, control / CONTROLS, of_control).mean()


def _beyond(value: Array, of_entity: Array, control: Array, of_control: Array) -> Array:
    """Return whether the interval of a difference (MOVER) does not hold the margin."""
    low = value - control - np.hypot(value - of_entity[:, 0], of_control[:, 1] - control)
    high = value - control + np.hypot(of_entity[:, 1] - value, control - of_control[:, 0])
    return (high < MARGIN) | (low >= MARGIN)


@dataclass(frozen=True)
class Family:
    """Planted refusals: of the control, of each entity, and how much pairs differ beyond their entities (log-odds)."""

    name: str
    control: float
    entities: Array
    pairs: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a study found: whether it opens or names an entity wrongly, opens, names any; and the share of it asked."""

    wrong: bool
    opens: bool
    refuted: bool
    asked: float


def one_study(family: Family, threshold: Threshold, rng: np.random.Generator) -> tuple[Found, Found]:
    """Return what a sequential study found, and what the whole design finds out of the same answers."""
    looks = design(int(rng.integers(2**31)))
    # Each question is about two entities: the one that is refused more often decides.
    planted = np.maximum(family.entities[looks.first], family.entities[looks.second])
    low, high = np.minimum(looks.first, looks.second), np.maximum(looks.first, looks.second)
    beyond = family.pairs * rng.standard_normal(N * N)[low * N + high]
    chances = special.expit(_centred(planted, family.pairs) + beyond)
    truths = looks.tally(chances) / PLANNED - family.control
    refused = (rng.random(len(chances)) < chances).astype(float)
    hits = rng.binomial(CONTROLS, family.control)
    control = Estimate(hits / CONTROLS, CONTROLS, "trials", "share", Wilson(hits, CONTROLS))
    asked = np.zeros(len(refused), dtype=bool)
    course = follow(looks, refused, asked, control, [threshold])
    while len(course.pending):
        asked[course.pending] = True
        course = follow(looks, refused, asked, control, [threshold])
    ones = np.ones(len(refused), dtype=np.intp)
    whole = refusal_rates(Attempts(looks.first, looks.second, 0 * ones, refused.astype(int), ones, refused > 0, N))
    found = []
    for rates, share in ((course.rates, float(asked.mean())), (whole, 1.0)):
        with threshold.ledger():
            verdicts = [(rate - control < threshold.margin).verdict for rate in rates]
        opens = set(verdicts) == {Verdict.SUPPORTED}
        beyond = truths - threshold.margin
        named = [verdict is Verdict.REFUTED for verdict in verdicts]
        # Just at the threshold, either is wrong.
        wrong = (opens and bool((beyond > -1e-6).any())) or bool((beyond < 1e-6)[named].any())
        found.append(Found(wrong, opens, any(named), share))
    return found[0], found[1]


def _centred(chances: Array, spread: float) -> Array:
    """Return the log-odds whose mean chance is this, where they vary with this standard deviation."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    grid = np.linspace(-12, 6, 4000)
    means = special.expit(grid[:, None] + spread * nodes) @ (weights / weights.sum())
    return np.interp(chances, means, grid)


def design(seed: int) -> Looks:
    """Return the questions of profile paper, in the order of a seed."""
    ids = [str(number) for number in range(N)]
    questions = list(pair_questions(ids, partners=None, orders=2, repetitions=1, wordings=1, seed=seed))
    return looks_of(questions, {entity: int(entity) for entity in ids})


def families() -> Iterator[tuple[Family, bool]]:
    """Yield what is planted, and whether a claim that cannot be supported any more ends the asking."""
    for control in (0.002, 0.1):
        for pairs in (0.0, 1.0):
            at_bound = np.full(N, control + MARGIN)
            name = f"all at the threshold, control {control:g}, pairs differ by {pairs:g}"
            yield Family(name, control, at_bound, pairs), False
    for chance in (0.001, 0.002, 0.005, 0.01, 0.03):
        yield Family(f"all refused {chance:.1%}, as the control", chance, np.full(N, chance)), True
    for control in (0.002, 0.02):
        yield (
            Family(
                f"one at the threshold, all else {control:.1%}, as the control",
                control,
                np.r_[control + MARGIN, np.full(N - 1, control)],
            ),
            True,
        )
    for chance in (0.15, 0.2, 0.3, 0.5):
        yield Family(f"one refused {chance:.0%}, all else 0.2%", 0.002, np.r_[chance, np.full(N - 1, 0.002)]), True


def worlds(names: list[str]) -> Iterator[str]:
    """Yield, for each shipped world, what the gates on refusals and on reading say at either profile, and the calls."""
    for name in names:
        cells = list[str]()
        for gate in (_of_refusals, _of_reading):
            (at_paper, calls), (at_gate, fewer) = (gate(f"sim/{name}", profile) for profile in ("paper", "gate"))
            said = at_paper if at_paper == at_gate else f"{at_paper}; at gate {at_gate}"
            cells += [said, f"{calls:,}", f"{fewer:,}", f"{1 - fewer / calls:.0%}"]
        yield f"| {name} | {' | '.join(cells)} |"


def _of_refusals(model: str, profile: str) -> tuple[str, int]:
    """Return what the gate on refusals says, and how many calls it took."""
    with _studies(profile) as studies:
        found = studies[model].measure("refusal")
    with ledger(N, ALPHA, all_must_hold=True):
        verdicts = {(found[entity] - found.control < MARGIN).verdict for entity in found.estimates}
    return "open" if verdicts == {Verdict.SUPPORTED} else "closed", found.diagnostics["attempts"]


def _of_reading(model: str, profile: str) -> tuple[str, int]:
    with _studies(profile) as studies:
        found, preferences = (studies[model].measure(name) for name in ("boolq", "preference"))
    with ledger(1, ALPHA):
        verdict = (abs(top_minus_bottom(found, preferences)) < GAP).verdict
    return "open" if verdict is Verdict.SUPPORTED else "closed", found.diagnostics["attempts"]


@contextmanager
def _studies(profile: str) -> Iterator[Studies]:
    settings = default_settings(profile=profile, cassettes=Path("nothing-recorded"), began=datetime.now(UTC))
    studies = Studies(settings, _no_progress)
    studies.thresholds = {"refusal": (Threshold(MARGIN, ALPHA, family=N),), "boolq": (Threshold(GAP, ALPHA),)}
    yield studies
    studies.close()


def _no_progress(title: str, total: int) -> Any:
    raise AssertionError(f"nothing is recorded here, and so not {title} ({total})")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=400_000, help="studies of one claim")
    parser.add_argument("--families", type=int, default=200, help="studies of a family")
    parser.add_argument("--worlds", nargs="*", default=[*WORLDS])
    options = parser.parse_args()
    print("| control | error rate | excluded at any look | by the whole design |\n|---|---|---|---|")
    for error_rate in (ALPHA, ALPHA / N):
        for chance in (0.0, 0.002, 0.01, 0.05, 0.2, 0.5):
            ours, whole = excluded(chance, error_rate, options.claims, seed=1)
            print(f"| {chance:g} | {error_rate:.5f} | {ours:.5f} | {whole:.5f} |", flush=True)
    print("\n| planted | any wrong | opens | any refuted | asked | whole design: any wrong | opens | any refuted |")
    print("|---|---|---|---|---|---|---|---|")
    for family, gate in families():
        found = [
            one_study(family, Threshold(MARGIN, ALPHA, gate, N), np.random.default_rng([2, seed]))
            for seed in range(options.families)
        ]
        cells = []
        for side in (0, 1):
            names = ("wrong", "opens", "refuted", "asked") if side == 0 else ("wrong", "opens", "refuted")
            cells += [np.mean([getattr(study[side], name) for study in found]) for name in names]
        print(f"| {family.name} | {' | '.join(f'{cell:.1%}' for cell in cells)} |", flush=True)
    print("\n| world | refusals | calls at paper | at gate | saved | reading | calls at paper | at gate | saved |")
    print("|---|---|---|---|---|---|---|---|---|")
    for line in worlds(options.worlds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
