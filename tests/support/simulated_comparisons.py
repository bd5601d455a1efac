"""Comparisons drawn from planted strengths and biases."""

import numpy as np
from scipy import special

from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.comparisons import Comparisons


def every_ordered_pair(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first, second and label design of the paper profile: both orders, labels crossed with positions."""
    first, second = np.array([(i, j) for i in range(n) for j in range(n) if i != j]).T
    return first, second, (first + second + (first < second)) % 2 == 0


def chances(strengths: FloatArray, *, position: float = 0.0, label: float = 0.0) -> FloatArray:
    """Return the probability that the first is chosen in each ordered pair; effects in log-odds."""
    first, second, first_is_a = every_ordered_pair(len(strengths))
    sign = np.where(first_is_a, 0.5, -0.5)
    return special.expit(strengths[first] - strengths[second] + position + label * sign)


def comparisons_of(score: FloatArray, n: int) -> Comparisons:
    first, second, first_is_a = every_ordered_pair(n)
    return Comparisons(first, second, np.asarray(score, dtype=np.float64), first_is_a, n)


def drawn(rng: np.random.Generator, strengths: FloatArray, **effects: float) -> Comparisons:
    """Draw one 0/1 answer for each ordered pair."""
    probability = chances(strengths, **effects)
    return comparisons_of(rng.random(len(probability)) < probability, len(strengths))


def few(rows: list[tuple[int, int, float]], n: int) -> Comparisons:
    """Return hand-written comparisons (first, second, score), labels in turn."""
    first, second, score = (np.array(column) for column in zip(*rows, strict=True))
    return Comparisons(first, second, score.astype(np.float64), np.arange(len(rows)) % 2 == 0, n)
