"""Shares of judgments won, beside what scipy and the plain formula say."""

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.stats.wins import Judgments, placements, share_won, share_won_within


def judged(one, other):
    """Compare the qualities of two arms, of shape (entities, tasks) each, at every task."""
    (entities, tasks), others = one.shape, len(other)
    entity, task = np.divmod(np.arange(entities * tasks), tasks)
    of_other, task_of_other = np.divmod(np.arange(others * tasks), tasks)
    first, second = np.nonzero(task[:, None] == task_of_other)
    difference = one.ravel()[first] - other.ravel()[second]
    return Judgments(first, second, (np.sign(difference) + 1) / 2, entity, of_other, task, task_of_other)


def test_the_share_is_that_of_mann_and_whitney_averaged_over_tasks():
    rng = np.random.default_rng(1)
    one, other = rng.normal(0.4, 1, (5, 6)), rng.normal(0, 1, (4, 6))
    found = share_won(judged(one, other), "share")
    by_task = [stats.mannwhitneyu(one[:, task], other[:, task]).statistic / (5 * 4) for task in range(6)]
    assert found.value == pytest.approx(np.mean(by_task))
    assert found.n == 6 * 5 * 4


def test_an_interval_of_a_share_ends_at_1():
    rng = np.random.default_rng(3)
    found = share_won(judged(rng.normal(2, 1, (3, 2)), rng.normal(0, 1, (3, 2))), "share")
    inner = found.interval_method
    assert found.value + 1.96 * inner.se > 1
    assert found.interval().high == 1
    assert 0 <= found.interval().low < found.value
    assert (found < 1).verdict.value == "inconclusive"


def test_the_error_is_that_of_delong_where_an_entity_is_one_cluster_and_tasks_do_not_differ():
    rng = np.random.default_rng(2)
    one, other = rng.normal(0.5, 1, (6, 9)), rng.normal(0, 1, (7, 9))
    judgments = judged(one, other)
    won = placements(judgments.first, judgments.score, one.size).reshape(one.shape).mean(axis=1)
    lost = placements(judgments.second, 1 - judgments.score, other.size).reshape(other.shape).mean(axis=1)
    by_entity = won.var(ddof=1) / len(won) + lost.var(ddof=1) / len(lost)
    assert by_entity < share_won(judgments, "share").interval_method.se ** 2 < 2.5 * by_entity
    # No task is apart from the others here, and the two unseen pairs are all that is added.
    alone = Judgments(*(getattr(judgments, name) for name in judgments.__slots__))
    of_tasks = np.bincount(judgments.task_of_first[judgments.first], judgments.score - judgments.score.mean())
    extra = max(0.0, np.sum((of_tasks / len(judgments.score)) ** 2) * 9 / 8 - by_piece(alone))
    expected = np.sqrt(by_entity + extra + 0.5 / min(one.size, other.size) ** 2)
    assert share_won(judgments, "share").interval_method.se == pytest.approx(expected)


def by_piece(judgments):
    mean, total = judgments.score.mean(), 0.0
    for piece, score in ((judgments.first, judgments.score - mean), (judgments.second, mean - judgments.score)):
        total += np.sum((np.bincount(piece, score) / len(score)) ** 2)
    return total


def test_what_one_entity_shares_widens_the_interval():
    rng = np.random.default_rng(3)
    alike, mixed = np.repeat(rng.normal(0, 1, (5, 1)), 8, axis=1), rng.normal(0, 1, (5, 8))
    other = rng.normal(0, 1, (5, 8))
    errors = [share_won(judged(one, other), "share").interval_method.se for one in (alike, mixed)]
    assert errors[0] > 1.3 * errors[1]


def test_what_one_task_shares_widens_the_interval():
    rng = np.random.default_rng(4)
    one, other = rng.normal(0, 1, (6, 8)), rng.normal(0, 1, (6, 8))
    apart = one + np.tile([3, -3], 4)
    assert share_won(judged(apart, other), "share").interval_method.se > 1.5 * (
        share_won(judged(one, other), "share").interval_method.se
    )


def test_where_all_judgments_are_alike_the_interval_is_no_point():
    found = share_won(judged(np.ones((4, 5)), np.zeros((4, 5))), "share")
    assert found.value == 1
    assert found.interval().low < 0.95
    ties = share_won_within(np.full(20, 0.5), *np.divmod(np.arange(20), 5), "share")
    assert ties.value == 0.5
    assert ties.interval().low < 0.47


def test_the_share_within_entities_has_the_plain_error_where_nothing_is_alike():
    rng = np.random.default_rng(5)
    entity, task = np.divmod(np.arange(400), 20)
    found = share_won_within((rng.random(400) < 0.7).astype(float), entity, task, "share")
    assert found.interval_method.se == pytest.approx(np.sqrt(0.7 * 0.3 / 400), rel=0.35)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((1, 5), "an arm with pieces for 1 entities is too small: it takes 2"), ((4, 1), "1 tasks are too few")],
)
def test_too_little_gives_no_share(shape, reason):
    found = share_won(judged(np.ones(shape), np.zeros((4, shape[1]))), "share", invalid=["first"])
    assert np.isnan(found.value)
    assert found.invalid[0] == "first"
    assert found.invalid[1].startswith(reason)
    assert (found > 0.5).verdict == "invalid"


def test_two_entities_and_two_tasks_give_a_share():
    found = share_won(judged(np.ones((2, 2)), np.zeros((2, 2))), "share", invalid=iter(["first"]))
    assert found.value == 1
    assert found.invalid == ("first",)


def test_no_judgment_gives_no_share():
    nothing = np.array([], dtype=np.intp)
    found = share_won(Judgments(nothing, nothing, nothing * 1.0, nothing, nothing, nothing, nothing), "share")
    assert np.isnan(found.value)
    assert found.invalid


def test_both_shares_say_what_they_rest_on():
    entity, task = np.divmod(np.arange(20), 5)
    one, few = judged(np.ones((3, 4)), np.zeros((3, 4))), judged(np.ones((1, 4)), np.zeros((3, 4)))
    made = [share_won(one, "mine"), share_won(few, "mine", invalid=["cut"])]
    made += [share_won_within(np.ones(20), entity, task, "mine")]
    made += [share_won_within(np.ones(5), entity[:5], task[:5], "mine", invalid=["cut"])]
    assert [found.n for found in made] == [36, 12, 20, 5]
    assert {(found.unit, found.label) for found in made} == {("judgments", "mine")}
    assert ["clustered by entity and task" in found.method for found in made] == [True] * 4
    assert [found.invalid[:1] for found in made] == [(), ("cut",), (), ("cut",)]
    assert [np.isnan(found.value) == np.isnan(found.interval().low) for found in made] == [True] * 4
    assert "too small" in made[3].invalid[1]


def test_a_piece_without_a_judgment_has_no_share_and_warns_of_nothing():
    with np.errstate(all="raise"):
        found = placements(np.array([0, 2, 2]), np.array([1.0, 0.5, 1.0]), 4)
    assert found[[0, 2]].tolist() == [1.0, 0.75]
    assert np.isnan(found[[1, 3]]).all()


def test_degrees_of_freedom_are_satterthwaites_by_hand():
    """Errors by entity and by task, of which what both hold is taken once."""
    score = np.array([[1, 1, 0, 1], [1, 0.5, 0, 0], [1, 1, 0, 1]])
    entity, task = np.divmod(np.arange(12), 4)
    found = share_won_within(score.ravel(), entity, task, "share").interval_method
    apart = (score - score.mean()) / 12
    by_entity = np.sum(apart.sum(axis=1) ** 2) * 3 / 2
    by_task = max(0.0, np.sum(apart.sum(axis=0) ** 2) * 4 / 3 - np.sum(apart**2))
    assert min(by_entity, by_task) > 0
    assert found.se == pytest.approx(np.sqrt(by_entity + by_task + 0.5 / 12**2))
    assert found.df == pytest.approx((by_entity + by_task) ** 2 / (by_entity**2 / 2 + by_task**2 / 3))
    # Where all are alike nothing scatters, and the fewest degrees of freedom count.
    assert share_won_within(np.ones(12), entity, task, "share").interval_method.df == 2
