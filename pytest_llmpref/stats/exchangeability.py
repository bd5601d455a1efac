"""Whether answers asked again come from the distribution of the recorded ones: an exact permutation test.

The statistic is the energy distance of Szekely and Rizzo (2013), the p-value that of Phipson and Smyth (2010).
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from pytest_llmpref.stats.arrays import FloatArray

Answers = Sequence[Hashable]
"""What a question was answered with, time after time. Only whether two answers are equal counts."""
DRAWS = 9_999
"""Permutations drawn; so no p-value is below 1/10,000."""


def drift_p_value(recorded: Sequence[Answers], again: Sequence[Answers], *, seed: int) -> float:
    """Return the p-value of: to each question, new answers have the distribution of the recorded ones.

    The answers to one question are then exchangeable, whatever its distribution is. The statistic is the energy
    distance between recorded and new answers (twice the share of unequal pairs between them, less that within each),
    summed over the questions. Its distribution comes from exchanging answers within each question.

    Of a question with one recorded answer and two new ones, only that counts: where one of the three differs, under no
    drift it is the recorded one in a third of the cases. A model that answers the same each time shows a change by a
    few flipped answers. What cannot be seen with one recorded answer is that a sure model became unsure: it takes
    questions that were recorded more than once.

    Parameters
    ----------
    recorded, again
        For each question its recorded answers, at least one, and the new ones, at least one.
    seed
        Of the permutations.

    Returns
    -------
    float
        From 1/(`DRAWS` + 1) to 1; 1 where no answers differ.

    Raises
    ------
    ValueError
        If a question lacks recorded or new answers.

    References
    ----------
    Phipson and Smyth 2010
    Szekely and Rizzo 2013

    Examples
    --------
    >>> drift_p_value([["A"]] * 40, [["A", "A"]] * 40, seed=0)
    1.0
    >>> drift_p_value([["A"]] * 40, [["A", "A"]] * 30 + [["B", "B"]] * 10, seed=0) < 0.001
    True
    """
    rng = np.random.default_rng(seed)
    observed, drawn = 0.0, np.zeros(DRAWS)
    for before, now in zip(recorded, again, strict=True):
        if not before or not now:
            raise ValueError("each question needs at least one recorded answer and one new one")
        if len({*before, *now}) > 1:
            distances = _distances([*before, *now], len(before))
            observed += distances[0]
            drawn += rng.choice(distances, DRAWS)
    # Sums of the same terms in another order may differ in the last digit.
    return float((1 + (drawn >= observed - 1e-9).sum()) / (DRAWS + 1))


def _distances(answers: Answers, first: int) -> FloatArray:
    """Return the energy distance for each way to call ``first`` of the answers recorded; the true one comes first."""
    # Only which answers are equal counts, and few patterns of that come again and again.
    number = {answer: place for place, answer in enumerate(dict.fromkeys(answers))}
    return _distances_of_pattern(tuple(number[answer] for answer in answers), first)


@lru_cache(maxsize=1024)
def _distances_of_pattern(answers: tuple[int, ...], first: int) -> FloatArray:
    unequal = np.array([[one != other for other in answers] for one in answers], dtype=float)
    everyone = np.arange(len(answers))
    found = []
    for chosen in combinations(range(len(answers)), first):
        inside = np.isin(everyone, chosen)
        found.append(
            2 * unequal[np.ix_(inside, ~inside)].mean()
            - _within(unequal[np.ix_(inside, inside)])
            - _within(unequal[np.ix_(~inside, ~inside)])
        )
    return np.array(found)


def _within(unequal: FloatArray) -> float:
    """Return the share of unequal pairs among some answers; 0 of a single one, which has no pair."""
    n = len(unequal)
    return float(unequal.sum() / (n * (n - 1))) if n > 1 else 0.0
