"""Simulated studies of graded effort: pieces of a planted quality, and a judge who sees it through noise."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.wins import Judgments, share_won, share_won_within

MARGIN = 0.1
"""What the suite takes for no difference, in shares of judgments."""
REFERENCES = 400
"""Over how many studies a truth is averaged. Our choice."""


@dataclass(frozen=True)
class EffortStudy(Unpredicted):
    """Conditions of a study. Quality is in log-odds of a judgment.

    Attributes
    ----------
    arm, tasks, pieces
        Entities in either arm, tasks, and pieces for each entity and task.
    gap
        By how much pieces for the preferred arm are better.
    exhorted
        By how much exhorted pieces are better.
    entity_sd, task_sd, piece_sd
        Standard deviations of the quality: of entities, of the gap between tasks, and of single pieces.
    position
        Log-odds of the text that is shown first.
    judging
        How much of a difference the judge sees.
    """

    arm: int = 5
    tasks: int = 8
    pieces: int = 1
    gap: float = 0.0
    exhorted: float = 1.3
    entity_sd: float = 0.2
    task_sd: float = 0.0
    piece_sd: float = 0.5
    position: float = 0.3
    judging: float = 1.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        preferred, exhorted = self._shares(rng)
        truth_preferred, truth_exhorted = self._truths
        yield Finding("graded effort", preferred, truth_preferred, 0.5)
        yield Finding("graded effort equivalence", preferred - 0.5, truth_preferred - 0.5, MARGIN)
        yield Finding("exhortation", exhorted, truth_exhorted, 0.5)

    def _shares(self, rng: np.random.Generator) -> tuple[Estimate, Estimate]:
        entity, task, _ = (part.ravel() for part in np.indices((self.arm, self.tasks, self.pieces), dtype=np.intp))
        of_task = self.gap + self.task_sd * rng.standard_normal(self.tasks)
        top, bottom = (
            sign * of_task[task] / 2
            + self.entity_sd * rng.standard_normal(self.arm)[entity]
            + self.piece_sd * rng.standard_normal(len(entity))
            for sign in (1, -1)
        )
        cell = np.arange(len(entity)) % (self.tasks * self.pieces)
        first, second = np.nonzero(cell[:, None] == cell)
        score = self._judged(rng, top[first] - bottom[second])
        preferred = share_won(Judgments(first, second, score, entity, entity, task, task), "preferred")
        gain = self.exhorted + math.sqrt(2) * self.piece_sd * rng.standard_normal(2 * len(entity))
        both, tasks = np.concatenate([entity, entity + self.arm]), np.concatenate([task, task])
        return preferred, share_won_within(self._judged(rng, gain), both, tasks, "exhorted")

    def _judged(self, rng: np.random.Generator, better: FloatArray) -> FloatArray:
        """Return the score of each pair, of a judge who sees both orders."""
        first, second = (
            rng.random(len(better)) < special.expit(self.judging * better + sign * self.position) for sign in (1, -1)
        )
        return (first.astype(np.float64) + second) / 2

    @cached_property
    def _truths(self) -> tuple[float, float]:
        """Return the shares that such studies find on average; a half where nothing is planted."""
        if not self.judging:
            return 0.5, 0.5
        rng = np.random.default_rng(0)
        found = np.array([[one.value for one in self._shares(rng)] for _ in range(REFERENCES)]).mean(axis=0)
        return (
            float(found[0]) if self.gap else 0.5,
            float(found[1]) if self.exhorted else 0.5,
        )


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, and one factor at a time from there."""
    main = EffortStudy(gap=0.5)
    large = EffortStudy(arm=8, pieces=3)
    for name, about, study in (
        ("main", "5 entities an arm, 8 tasks, pieces for the preferred better by 0.5 log-odds", main),
        ("alike", "pieces for both arms equally good", replace(main, gap=0.0)),
        ("alike, tasks differ", "equally good on average, and better for one arm at some tasks", replace(
            main, gap=0.0, task_sd=0.3)),
        ("alike, by position", "equally good, and the judge leans to the text that is shown first", replace(
            main, gap=0.0, position=2.0)),
        ("deaf judge", "the judge sees no quality, and no exhortation", replace(main, judging=0.0)),
        ("large, alike", "8 entities an arm, 8 tasks, 3 pieces each, equally good", large),
        ("large, a little", "the same, better by 0.25 log-odds", replace(large, gap=0.25)),
    ):  # fmt: skip
        yield Scenario(f"effort/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "graded effort": ClaimKind(
        "preferred_share(graded_effort) > b", ">", "sample",
        "the share of judgments won by pieces for the preferred arm, both orders counted; the mean over such studies",
    ),
    "graded effort equivalence": ClaimKind(
        "abs(preferred_share(graded_effort) - 0.5) < b", "abs <", "sample", "the same, minus a half",
    ),
    "exhortation": ClaimKind(
        "exhorted_share(graded_effort) > b", ">", "sample",
        "the share of judgments won by exhorted pieces against plain ones; the mean over such studies",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
