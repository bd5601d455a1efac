"""Simulated studies of agents: tasks for two arms of entities, solved and worked at as planted."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.calibration.findings import Finding
from pytest_llmpref.stats.arms import ArmRuns, arm_difference
from pytest_llmpref.stats.comparisons import FloatArray
from pytest_llmpref.stats.power import ReadingDesign

MARGIN = 0.10
"""What the release gate takes for equivalent: ten points."""


@dataclass(frozen=True)
class AgentStudy:
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

    @property
    def n_entities(self) -> int:
        """Entities in a study."""
        return 2 * self.per_arm

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        entity, task = (at.ravel() for at in np.indices((self.n_entities, self.tasks)))
        top = entity < self.per_arm
        side = np.where(top, 0.5, -0.5)
        difficulty = self.difficulty_sd * rng.standard_normal((2, self.tasks))
        effects = self.entity_sd * rng.standard_normal((2, self.n_entities)) * [[1.0], [0.5]]
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

    def predicted_power(self, kind: str) -> float:  # noqa: ARG002 - none is predicted
        """Return NaN: nothing predicts the power of these."""
        return math.nan

    @cached_property
    def _points(self) -> float:
        """Return the share of tasks solved in the first arm less that in the second, over all of their kinds."""
        over = ReadingDesign(difficulty_sd=math.hypot(self.difficulty_sd, self.entity_sd))
        return over.mean_accuracy(self.level, self.gap / 2) - over.mean_accuracy(self.level, -self.gap / 2)
