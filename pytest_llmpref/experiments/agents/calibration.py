"""Simulated studies of agents: tasks for two arms of entities, solved and worked at as planted."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.answers import ReadingDesign
from pytest_llmpref.stats.arms import ArmRuns, arm_difference
from pytest_llmpref.stats.arrays import FloatArray

MARGIN = 0.10
"""What the release gate takes for equivalent: ten points."""


@dataclass(frozen=True)
class AgentStudy(Unpredicted):
    """Conditions of a study.

    Attributes
    ----------
    tasks
        How many tasks every entity of either arm has.
    per_arm
        Entities in each arm.
    level
        Log-odds of solving a task of middling difficulty, midway between the arms.
    gap
        Log-odds of the most preferred entities less those of the least.
    effort_gap
        The same in log effort.
    difficulty_sd
        Standard deviation, over tasks, of the log-odds, and of what a task takes of log effort.
    entity_sd
        Standard deviation of what an entity adds to the log-odds whatever its arm; half of that to log effort.
    """

    tasks: int
    per_arm: int = 5
    level: float = 0.0
    gap: float = 0.0
    effort_gap: float = 0.0
    difficulty_sd: float = 1.5
    entity_sd: float = 0.2

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        n = 2 * self.per_arm
        entity, task = (at.ravel() for at in np.indices((n, self.tasks)))
        top = entity < self.per_arm
        side = np.where(top, 0.5, -0.5)
        difficulty = self.difficulty_sd * rng.standard_normal((2, self.tasks))
        effects = self.entity_sd * rng.standard_normal((2, n)) * [[1.0], [0.5]]
        chance = special.expit(self.level + difficulty[0, task] + effects[0, entity] + side * self.gap)
        solved = (rng.random(len(task)) < chance).astype(np.float64)
        effort = difficulty[1, task] + effects[1, entity] + side * self.effort_gap + rng.standard_normal(len(task)) / 2

        def gap(value: FloatArray, label: str, *, binary: bool) -> Finding:
            found = arm_difference(ArmRuns(task, entity, top, value), label, binary=binary)
            return Finding(label, found, self._points if binary else self.effort_gap, 0.0)

        success = gap(solved, "success gap", binary=True)
        yield success
        yield Finding("success gap equivalence", success.estimate, self._points, MARGIN)
        yield gap(effort, "effort gap", binary=False)

    @cached_property
    def _points(self) -> float:
        """Return the share of tasks solved in the first arm less that in the second, over all of their kinds."""
        over = ReadingDesign(difficulty_sd=math.hypot(self.difficulty_sd, self.entity_sd))
        return over.mean_accuracy(self.level, self.gap / 2) - over.mean_accuracy(self.level, -self.gap / 2)


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, one factor at a time from there, and a few bad corners."""
    main = AgentStudy(tasks=69, gap=0.57, effort_gap=0.3)
    for name, about, study in (
        ("main", "69 tasks for five entities an arm, half of them solved, ten points and 0.3 log effort apart", main),
        ("null", "the arms are served alike", replace(main, gap=0.0, effort_gap=0.0)),
        ("n=16", "16 tasks", replace(main, tasks=16)),
        ("n=200", "200 tasks", replace(main, tasks=200)),
        ("two an arm", "two entities an arm", replace(main, per_arm=2)),
        ("hard", "a tenth of the tasks solved, most by neither arm", replace(
            main, level=-3.55, gap=1.55, difficulty_sd=2.0)),
        ("entities", "entities differ by 0.6 log-odds whatever their arm", replace(main, entity_sd=0.6)),
    ):  # fmt: skip
        yield Scenario(f"agents/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "success gap": ClaimKind(
        "success_gap(agentic) > b", ">", "sample",
        "difference in share of tasks solved, most minus least preferred entities, over all tasks of the kind",
    ),
    "success gap equivalence": ClaimKind("abs(success_gap(agentic)) < b", "abs <", "sample", "the same"),
    "effort gap": ClaimKind(
        "effort_gap(agentic) > b", ">", "sample",
        "difference in log effort, tasks for the most minus the least preferred entities, over all tasks of the kind",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
