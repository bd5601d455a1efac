"""The design of pairwise experiments: balanced, nested, and a pure function of ids and seed."""

from collections import Counter
from itertools import permutations

import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.experiments.pairs.questions import PairQuestion, pair_questions
from pytest_llmpref.experiments.participants import interleaved, select_entities, shuffled

IDS = [f"e{number}" for number in range(72)]


@pytest.fixture(params=[1, 2], ids=lambda version: f"version {version}")
def design(request):
    """The questions of a design, as each version draws them."""

    def questions(
        ids=IDS, *, partners=None, orders=2, repetitions=1, wordings=4, seed=0, purpose=""
    ) -> list[PairQuestion]:
        return list(
            pair_questions(
                ids,
                partners=partners,
                orders=orders,
                repetitions=repetitions,
                wordings=wordings,
                seed=seed,
                design=request.param,
                purpose=purpose,
            )
        )

    return questions


def test_paper_asks_every_ordered_pair_of_72_once(design):
    questions = design()
    assert len(questions) == 5112
    assert {(q.first, q.second) for q in questions} == set(permutations(IDS, 2))


@pytest.mark.parametrize("n", [4, 5, 6, 7, 12, 13])
def test_all_pairs_are_asked_in_both_orders_for_any_number_of_entities(design, n):
    questions = design(IDS[:n])
    assert sorted((q.first, q.second) for q in questions) == sorted(permutations(IDS[:n], 2))


def test_a_smaller_plan_asks_a_subset_of_a_larger_one(design):
    sizes = [set(design(partners=partners)) for partners in (4, 24, None)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert [len(size) for size in sizes] == [288, 1728, 5112]
    assert set(design(partners=4, orders=1)) < sizes[0]
    assert sizes[0] < set(design(partners=4, repetitions=2))


@pytest.mark.parametrize("partners", [4, 24, None])
def test_every_entity_is_asked_equally_often_in_each_position(design, partners):
    questions = design(partners=partners)
    expected = 71 if partners is None else partners
    assert set(Counter(q.first for q in questions).values()) == {expected}
    assert set(Counter(q.second for q in questions).values()) == {expected}


def test_labels_are_crossed_with_position_and_wordings_are_balanced(design):
    questions = design()
    cells = Counter((q.wording, q.first_is_a) for q in questions)
    assert len(cells) == 8
    assert max(cells.values()) - min(cells.values()) <= 72
    label = {frozenset((q.first, q.second)): set() for q in questions}
    for q in questions:
        label[frozenset((q.first, q.second))].add((q.wording, q.first_is_a))
    assert all(len(cell) == 1 for cell in label.values()), "both orders of a pair share wording and labels"


def test_each_entity_meets_every_wording_and_both_labels(design):
    questions = design()
    for entity in IDS:
        met = Counter((q.wording, q.first_is_a) for q in questions if entity in (q.first, q.second))
        assert len(met) == 8
        assert min(met.values()) >= 6  # 142 questions over 8 cells: 17.75 on average


def balanced(ids, *, version, purpose="pairwise", partners=None, wordings=4):
    """How far from even, for each entity, the label of the first option is over its pairs."""
    lean = Counter()
    for q in pair_questions(
        ids, partners=partners, orders=1, repetitions=1, wordings=wordings, seed=0, design=version, purpose=purpose
    ):
        for entity in (q.first, q.second):
            lean[entity] += 1 if q.first_is_a else -1
    return lean


@pytest.mark.parametrize("n", [5, 8, 12, 13, 36, 47, 72])
@pytest.mark.parametrize("partners", [4, 24, None])
def test_version_2_shows_each_entity_with_both_labels_first_equally_often(n, partners):
    lean = balanced(IDS[:n], version=2, partners=partners)
    assert max(map(abs, lean.values())) <= 2


def test_version_1_does_not():
    lean = balanced(IDS[:36], version=1, partners=24)
    assert max(map(abs, lean.values())) > 4


def test_from_version_2_on_experiments_draw_pairs_labels_and_wordings_independently():
    def drawn(version, purpose, partners):
        questions = pair_questions(
            IDS, partners=partners, orders=1, repetitions=1, wordings=4, seed=0, design=version, purpose=purpose
        )
        return {q.pair: (q.first_is_a, q.wording) for q in questions}

    for version, shared, same in ((1, 1.0, 1.0), (2, 24 / 71, 0.5)):
        one, other = (drawn(version, purpose, 24) for purpose in ("pairwise", "donation"))
        both = one.keys() & other.keys()
        assert len(both) / len(one) == pytest.approx(shared, abs=0.1)
        one, other = (drawn(version, purpose, None) for purpose in ("pairwise", "donation"))
        labels = [one[pair][0] == other[pair][0] for pair in one]
        assert sum(labels) / len(labels) == pytest.approx(same, abs=0.03)
    wordings = Counter((one[pair][1], other[pair][1]) for pair in one)
    assert len(wordings) == 16
    assert min(wordings.values()) > len(one) / 16 / 2
    labelled = Counter((first_is_a, wording) for first_is_a, wording in one.values())
    assert max(labelled.values()) < 1.2 * min(labelled.values())


def test_the_smallest_plan_connects_all_entities(design):
    neighbours = {entity: set() for entity in IDS}
    for q in design(partners=2):
        neighbours[q.first].add(q.second)
    reached, frontier = {IDS[0]}, [IDS[0]]
    while frontier:
        frontier = [other for entity in frontier for other in neighbours[entity] if other not in reached]
        reached.update(frontier)
    assert reached == set(IDS)


def test_the_design_depends_on_the_seed_and_not_on_the_order_of_the_file(design):
    assert design() == design(IDS[::-1])
    assert design() != design(seed=1)
    assert shuffled(IDS, 0, "ranking", "0") != shuffled(IDS, 0, "ranking", "1")


def test_selected_entities_are_spread_over_the_groups_and_nested():
    groups = {entity.id: entity.group for entity in load_entities()}
    sixteen = select_entities(groups, 16, 0)
    assert set(Counter(groups[entity] for entity in sixteen).values()) == {2}
    assert set(select_entities(groups, 8, 0)) < set(sixteen)
    assert set(select_entities(groups, None, 0)) == set(groups)


def test_every_stretch_of_tasks_has_about_as_much_of_each_kind_as_all():
    kinds = {f"{kind} {number}": kind for kind, count in (("a", 30), ("b", 10), ("c", 5)) for number in range(count)}
    order = interleaved(kinds, 1)
    assert sorted(order) == sorted(kinds)
    for end in range(1, 46):
        counts = Counter(kinds[id_] for id_ in order[:end])
        assert all(abs(counts[kind] - end * count / 45) <= 1 for kind, count in (("a", 30), ("b", 10), ("c", 5)))
    assert order == interleaved(dict(reversed(kinds.items())), 1) != interleaved(kinds, 2)
