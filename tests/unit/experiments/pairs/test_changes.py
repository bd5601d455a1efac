"""How strengths changed between two releases, from their answers to the same pairs."""

from itertools import permutations

import pytest

from pytest_llmpref.experiments.pairs.measure import changed_strengths
from pytest_llmpref.experiments.pairs.questions import PairTrial

IDS = ["a", "b", "c", "d"]


def trials(order):
    """Every ordered pair under either label, the earlier of an order preferred with a probability of 0.8."""
    chances = {pair: 0.8 if order.index(pair[0]) < order.index(pair[1]) else 0.2 for pair in permutations(IDS, 2)}
    return [
        PairTrial((), pair, "logprobs", chance, first_is_a=is_a)
        for pair, chance in chances.items()
        for is_a in (True, False)
    ]


def test_the_same_answers_have_not_changed():
    found, whole = changed_strengths(trials("abcd"), trials("abcd"), IDS)
    assert whole is None
    assert [found[id_].value for id_ in IDS] == pytest.approx([0.0] * 4, abs=1e-9)
    assert all(one.interval().low <= 0 <= one.interval().high for one in found.values())


def test_two_that_swapped_their_places_moved_by_as_much_in_opposite_directions():
    found, _ = changed_strengths(trials("dbca"), trials("abcd"), IDS)
    assert found["d"].value == pytest.approx(-found["a"].value)
    assert found["d"].value > 100
    assert [found[id_].value for id_ in "bc"] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert "paired by 24 questions" in found["a"].method
    assert found["a"].label.startswith("change in ")


def test_where_either_side_has_no_answer_there_is_no_change():
    unanswered = [PairTrial((), ("a", "b"))]
    assert changed_strengths(unanswered, trials("abcd"), IDS) == ({}, None)
    assert changed_strengths(trials("abcd"), unanswered, IDS) == ({}, None)
