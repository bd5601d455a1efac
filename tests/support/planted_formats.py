"""Answers about pairs whose strengths, and what entities gain by a format, are planted."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_llmpref.stats.comparisons import Comparisons


@dataclass(frozen=True)
class World:
    """Standard deviations, in log-odds: of strengths, of what entities gain in each format, and of pairs' own likes."""

    strength: float
    label: float = 0.0
    position: float = 0.0
    label_by_position: float = 0.0
    wording: float = 0.0
    pairs: float = 0.0
    probabilities: bool = False


GEMMA = World(0.018, 0.074, 0.038, 0.019, 0.016, pairs=0.084, probabilities=True)
"""As small, and as swayed by label and position, as the recorded Gemma."""


def answers(rng, n, world, *, wordings=4, design=None):
    """Return comparisons of a study, and the level of each trial's wording; of all ordered pairs unless given."""
    if design is None:
        first, second = np.array([(i, j) for i in range(n) for j in range(n) if i != j]).T
        low, high = np.minimum(first, second), np.maximum(first, second)
        drawn = rng.integers(0, 2, (n, n)), rng.integers(0, wordings, (n, n))
        is_a, wording = drawn[0][low, high] == 1, drawn[1][low, high]
    else:
        first, second, is_a, wording = design.first, design.second, design.first_is_a, design.wording
    strength, label, position, both = (
        sd * rng.standard_normal(n) for sd in (world.strength, world.label, world.position, world.label_by_position)
    )
    worded = world.wording * rng.standard_normal((n, wordings))
    a = np.where(is_a, 1.0, -1.0)
    logits = strength[first] - strength[second] + a * (label[first] + label[second])
    logits += position[first] + position[second] + a * (both[first] - both[second])
    logits += worded[first, wording] - worded[second, wording] + 0.4 + 0.3 * a
    quirks = world.pairs * rng.standard_normal((n, n))
    logits += np.where(first < second, 1, -1) * quirks[np.minimum(first, second), np.maximum(first, second)]
    chances = special.expit(logits)
    score = chances if world.probabilities else (rng.random(len(chances)) < chances).astype(float)
    return Comparisons(first, second, score, is_a, n), {"wording": np.asarray(wording, dtype=np.intp)}
