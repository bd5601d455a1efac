"""The order of tasks."""

from collections import Counter

import pytest

from pytest_llmpref.experiments.sampling import interleaved

pytest.importorskip("inspect_ai")


pytest.importorskip("inspect_cyber")


def test_every_stretch_of_tasks_has_about_as_much_of_each_kind_as_all():
    kinds = {f"{kind} {number}": kind for kind, count in (("a", 30), ("b", 10), ("c", 5)) for number in range(count)}
    order = interleaved(kinds, 1)
    assert sorted(order) == sorted(kinds)
    for end in range(1, 46):
        counts = Counter(kinds[id_] for id_ in order[:end])
        assert all(abs(counts[kind] - end * count / 45) <= 1 for kind, count in (("a", 30), ("b", 10), ("c", 5)))
    assert order == interleaved(dict(reversed(kinds.items())), 1) != interleaved(kinds, 2)
