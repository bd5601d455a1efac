"""The test for drift: against exact probabilities, and by simulation of models that changed and did not."""

from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import binom

from pytest_llmpref.stats.exchangeability import DRAWS, _distances, drift_p_value


@pytest.mark.parametrize(("flipped", "noisy"), [(3, 0), (4, 2), (2, 5), (6, 6)])
def test_with_one_recorded_answer_it_is_a_binomial_test(flipped, noisy):
    """Where one of three answers differs, it is the recorded one in a third of the cases."""
    recorded = [["A"]] * (50 + flipped + noisy)
    again = [["A", "A"]] * 50 + [["B", "B"]] * flipped + [["A", "B"]] * noisy
    exact = binom.sf(flipped - 1, flipped + noisy, 1 / 3)
    error = np.sqrt(exact * (1 - exact) / DRAWS)
    assert drift_p_value(recorded, again, seed=1) == pytest.approx(exact, abs=4 * error + 1 / DRAWS)


def test_distances_by_hand():
    # Recorded a, b; new b, b: 2 * 1/2 - 1 - 0 = 0. Recorded a, a; new b, b: 2 - 0 - 0.
    assert _distances(["a", "b", "b", "b"], 2)[0] == 0
    assert _distances(["a", "a", "b", "b"], 2)[0] == 2
    # All six ways to call two of four recorded, the true one first.
    assert sorted(_distances(["a", "a", "b", "b"], 2)) == [-1, -1, -1, -1, 2, 2]


def test_a_single_answer_differs_from_none_of_its_side():
    # Recorded a; new b, b: 2 * 1 - 0 - 0. Were a b recorded: 2 * 1/2 - 0 - 1.
    assert _distances(["a", "b", "b"], 1) == pytest.approx([2, 0, 0])
    assert _distances(["a", "b"], 1) == pytest.approx([2, 2])


def energy_distance(before, now):
    def unequal(pairs):
        return Fraction(sum(one != other for one, other in pairs), len(pairs) or 1)

    return 2 * unequal([*product(before, now)]) - unequal([*permutations(before, 2)]) - unequal([*permutations(now, 2)])


QUESTIONS = [
    ("AAB", "BB"), ("ABC", "CCB"), ("AB", "BBB"), ("AAAB", "CB"), ("CA", "BC"), ("AA", "AB"), ("AAA", "AA"),
]  # fmt: skip


@pytest.mark.parametrize("kept", [QUESTIONS[:3], QUESTIONS[3:], QUESTIONS[1:4], QUESTIONS[4:6]])
def test_the_p_value_is_that_of_all_exchanges_within_questions(kept):
    """Counted out in fractions: each answer may stand in any place of its own question."""
    chances = {Fraction(0): Fraction(1)}
    for before, now in kept:
        ways = [energy_distance(way[: len(before)], way[len(before) :]) for way in permutations(before + now)]
        sums = {}
        for held, way in product(chances, set(ways)):
            sums[held + way] = sums.get(held + way, 0) + chances[held] * Fraction(ways.count(way), len(ways))
        chances = sums
    observed = sum(energy_distance(before, now) for before, now in kept)
    exact = float(sum(chance for held, chance in chances.items() if held >= observed))
    found = drift_p_value(*zip(*kept, strict=True), seed=2)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / DRAWS) + 1 / DRAWS)


def test_the_seed_decides_on_the_permutations():
    again = [("A", "B")] * 30 + [("B", "B")] * 12
    found = [drift_p_value([("A",)] * 42, again, seed=seed) for seed in (0, 1, 2, 0, 1, 2)]
    assert found[:3] == found[3:]
    assert len(set(found)) > 1


def test_questions_that_are_answered_alike_change_nothing():
    differing, again = [["A"]] * 9, [["A", "B"]] * 5 + [["B", "B"]] * 4
    alone = drift_p_value(differing, again, seed=3)
    assert drift_p_value([["C"]] * 30 + differing, [["C", "C"]] * 30 + again, seed=3) == alone


def test_each_question_has_recorded_and_new_answers():
    with pytest.raises(ValueError, match="shorter"):
        drift_p_value([["A"]] * 2, [["A"]], seed=0)


def test_a_p_value_is_never_0():
    assert drift_p_value([["A"]] * 40, [["B", "B"]] * 40, seed=0) == 1 / (DRAWS + 1)


def test_a_model_that_changed_is_found():
    """Power at 1% with 100 calls, a third of the preferences of a fairly sure model turned round. A fifth: 64%."""
    rng = np.random.default_rng(5)
    found = 0
    for study in range(100):
        chance = np.where(rng.random(50) < 0.5, 0.95, 0.05)
        turned = np.where(rng.random(50) < 1 / 3, 1 - chance, chance)
        old, new = rng.random((50, 1)) < chance[:, None], rng.random((50, 2)) < turned[:, None]
        found += drift_p_value(old.tolist(), new.tolist(), seed=study) <= 0.01
    assert found >= 90


def test_a_sure_model_that_became_unsure_is_found_where_questions_were_recorded_often():
    rng = np.random.default_rng(6)
    new = [["A" if one else "B" for one in row] for row in rng.random((50, 2)) < 0.5]
    assert drift_p_value([["A"] * 4] * 50, new, seed=0) < 0.001
    assert drift_p_value([["A"]] * 50, new, seed=0) > 0.01, "not with one recorded answer, as the docstring says"


def test_a_question_without_answers_is_an_error():
    with pytest.raises(ValueError, match="at least one recorded answer and one new one"):
        drift_p_value([[]], [["A"]], seed=0)
    with pytest.raises(ValueError, match="at least one"):
        drift_p_value([["A"]], [[]], seed=0)
