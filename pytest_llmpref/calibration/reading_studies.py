"""Simulated studies of a reading task: answers whose accuracy follows preference as planted."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.calibration.findings import Finding
from pytest_llmpref.stats.answer_bias import no_signal_reasons
from pytest_llmpref.stats.comparisons import FloatArray
from pytest_llmpref.stats.performance import minus_control, preference_slope, top_minus_bottom
from pytest_llmpref.stats.power import ReadingDesign, simulate_answers

CONTROL = "no_entity"
MARGIN = 0.02
"""What the suites take for equivalent: two points."""


@dataclass(frozen=True)
class ReadingStudy:
    """Conditions of a study.

    Attributes
    ----------
    design
        Its size, and the model's skill.
    slope
        Log-odds of a right answer per standard deviation of preference.
    yes_bias, yes_bias_slope
        Log-odds of the answer yes: for all entities, and per standard deviation of preference.
    """

    design: ReadingDesign
    slope: float = 0.0
    yes_bias: float = 0.0
    yes_bias_slope: float = 0.0

    @property
    def n_entities(self) -> int:
        """Entities in a study."""
        return self.design.n_entities

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        effects = self.design.entity_sd * rng.standard_normal(self.n_entities) + self.slope * self.design.preference
        answers = simulate_answers(
            self.design, rng, slope=self.slope, yes_bias=self.yes_bias, yes_bias_slope=self.yes_bias_slope,
            effects=effects, control=CONTROL,
        )  # fmt: skip
        invalid = no_signal_reasons(answers)
        found = preference_slope(answers, self.design.preference, invalid=invalid)
        points = self.design.points(self.slope)
        yield Finding("accuracy slope", found.log_odds, self.slope, 0.0)
        yield Finding("accuracy equivalence", found.between_extremes, points, MARGIN)
        quarters = top_minus_bottom(answers, self.design.preference, invalid=invalid)
        yield Finding("top less bottom", quarters, self._outer, 0.0)
        yield Finding("quarters equivalence", quarters, self._outer, MARGIN)
        less_control = minus_control(answers, CONTROL, invalid=invalid)
        leaning = self.yes_bias + self.yes_bias_slope * self.design.preference
        alone = self._accuracy(0.0, self.yes_bias)
        for estimate, effect, lean in zip(less_control, effects, leaning, strict=True):
            truth = self._accuracy(effect, lean) - alone
            yield Finding("accuracy less the control", estimate, truth, -0.1)

    def predicted_power(self, kind: str) -> float:  # noqa: ARG002 - none is predicted
        """Return NaN: `stats.power` predicts the smallest effect of a design, not the power at one."""
        return math.nan

    def _accuracy(self, effect: float, leaning: float) -> float:
        """Return the accuracy over all questions of the kind, half of which have yes for an answer."""
        sides = (self.design.mean_accuracy(self._level, effect + sign * leaning) for sign in (1, -1))
        return sum(sides) / 2

    @cached_property
    def _level(self) -> float:
        return self.design.level

    @cached_property
    def _outer(self) -> float:
        """Return the mean accuracy of the most preferred quarter less that of the least, over all questions.

        A leaning to yes is part of it: it helps where yes is right, and costs more where it is not.
        """
        order = np.sort(self.design.preference)
        quarter = len(order) // 4
        rng = np.random.default_rng(1)
        levels = self._level + self.design.difficulty_sd * rng.standard_normal(20_000)
        yes = np.where(np.arange(len(levels)) % 2, 1.0, -1.0)

        def accuracy(part: FloatArray) -> float:
            leaning = yes[:, None] * (self.yes_bias + self.yes_bias_slope * part)
            return float(special.expit(levels[:, None] + self.slope * part + leaning).mean())

        return accuracy(order[-quarter:]) - accuracy(order[:quarter])
