"""Simulated studies of agents in which preference matters more, or no more, at harder tasks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.arms import ArmRuns
from pytest_llmpref.stats.arms_by_difficulty import gap_per_level, gaps_by_difficulty
from pytest_llmpref.stats.arrays import FloatArray, IntArray

REFERENCES = 200
"""Over how many studies a truth is averaged. Our choice."""
LEVELS = 3


@dataclass(frozen=True)
class HarderTasksStudy(Unpredicted):
    """Conditions of a study.

    Attributes
    ----------
    tasks, per_arm
        Tasks, and entities in each arm.
    gap
        Log-odds of the most preferred entities less those of the least, at a task of middling difficulty.
    harder
        What one standard deviation of difficulty adds to that.
    difficulty_sd, entity_sd
        Standard deviations of the log-odds: over tasks, and over entities whatever their arm.
    level_sd
        Standard deviation of what a task's level says of its difficulty beside that, in standard deviations of it.
    """

    tasks: int = 69
    per_arm: int = 5
    gap: float = 0.0
    harder: float = 0.0
    difficulty_sd: float = 1.5
    entity_sd: float = 0.2
    level_sd: float = 0.5

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        harder, per_level = self._truths
        runs, control, level = self._runs(rng)
        found = gaps_by_difficulty(runs, np.arange(self.tasks), control).difference
        yield Finding("success gap by difficulty", found, harder, 0.0)
        yield Finding("success gap by level", gap_per_level(runs, level, "per level"), per_level, 0.0)

    def _runs(self, rng: np.random.Generator) -> tuple[ArmRuns, FloatArray, FloatArray]:
        ease = rng.standard_normal(self.tasks)
        rank = (-ease + self.level_sd * rng.standard_normal(self.tasks)).argsort().argsort()
        n = 2 * self.per_arm
        entity, task = (at.ravel() for at in np.indices((n, self.tasks), dtype=np.intp))
        effects = self.entity_sd * rng.standard_normal(n)
        chance = special.expit(self._log_odds(ease, task, entity) + effects[entity])
        solved = (rng.random(len(task)) < chance).astype(np.float64)
        alone = (rng.random(self.tasks) < special.expit(self.difficulty_sd * ease)).astype(np.float64)
        runs = ArmRuns(task, entity, entity < self.per_arm, solved)
        return runs, alone, np.asarray(1.0 + rank * LEVELS // self.tasks)

    def _log_odds(self, ease: FloatArray, task: IntArray, entity: IntArray) -> FloatArray:
        side = np.where(entity < self.per_arm, 0.5, -0.5)
        return np.asarray(self.difficulty_sd * ease[task] + side * (self.gap - self.harder * ease[task]))

    @cached_property
    def _truths(self) -> tuple[float, float]:
        """Return what such studies find on average; nothing where preference does not matter at all."""
        if not self.gap and not self.harder:
            return 0.0, 0.0
        rng = np.random.default_rng(0)
        found = []
        for _ in range(REFERENCES):
            runs, control, level = self._runs(rng)
            by_half = gaps_by_difficulty(runs, np.arange(self.tasks), control).difference
            found.append((by_half.value, gap_per_level(runs, level, "").value))
        harder, per_level = np.nanmean(found, axis=0)
        return float(harder), float(per_level)


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, and one factor at a time from there."""
    main = HarderTasksStudy(gap=0.6, harder=0.6)
    for name, about, study in (
        ("main", "69 tasks for five entities an arm; each SD of difficulty adds 0.6 log-odds to a gap of 0.6", main),
        ("no gap", "the arms are served alike at all tasks", replace(main, gap=0.0, harder=0.0)),
        ("no gap, entities", "the same, and entities differ by 0.6 log-odds whatever their arm", replace(
            main, gap=0.0, harder=0.0, entity_sd=0.6)),
        ("n=200", "200 tasks", replace(main, tasks=200)),
        ("n=16", "16 tasks", replace(main, tasks=16)),
    ):  # fmt: skip
        yield Scenario(f"agents by difficulty/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "success gap by difficulty": ClaimKind(
        "success_gap_harder_minus_easier(agentic) > b", ">", "sample",
        "difference in share of tasks solved, top minus bottom arm, harder minus easier half of tasks, as the control "
        "and the other entities divide them; the mean over such studies",
    ),
    "success gap by level": ClaimKind(
        "success_gap_per_level(agentic) > b", ">", "sample",
        "the slope of that difference per level; the mean over such studies",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
