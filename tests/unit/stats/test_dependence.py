"""Entities that sway each other's values: the error of a correlation over them, by simulation."""

import numpy as np
from swaying import refused, study

from pytest_llmpref.stats.association import spearman
from pytest_llmpref.stats.ranks import shared_variance
from pytest_llmpref.stats.refusal import fit_additive, leave_one_out_changes


def test_absences_are_those_of_fits_without_an_entity():
    attempts, _ = refused(np.random.default_rng(1), 14, 0.3)
    changes, whole = leave_one_out_changes(attempts), fit_additive(attempts).effects
    for gone in (0, 9):
        others = np.delete(np.arange(14), gone)
        without = fit_additive(attempts.part((attempts.first != gone) & (attempts.second != gone))).effects[others]
        # One Newton step; both are taken about their mean, which no correlation sees.
        moved = changes[others, gone] - changes[others, gone].mean()
        expected = without - whole[others] + whole[others].mean() - without.mean()
        np.testing.assert_allclose(moved, expected, atol=0.05)
        assert np.corrcoef(moved, expected)[0, 1] > 0.99


def test_nothing_much_is_added_where_dislikes_add_up():
    rng, n = np.random.default_rng(3), 24
    found = np.array([study(rng, n, 0.0) for _ in range(60)])
    assert np.mean(found[:, 1]) < 0.2 * np.mean((1 + found[:, 0] ** 2 / 2) / (n - 3))
    assert (found[:, 1] >= 0).all()


def test_what_moves_all_alike_or_apart_in_proportion_adds_nothing():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(20)
    y = x + rng.standard_normal(20)
    line = rng.standard_normal(20) + np.outer(y, rng.standard_normal(20))
    assert shared_variance(x, y, line) < 1e-12
    assert shared_variance(x[:4], y[:4], line[:4, :4]) == 0
    assert shared_variance(x, np.ones(20), line) == 0


def test_a_correlation_counts_absences_that_a_measure_knows_of():
    class Measure:
        def __init__(self, values, changes=None):
            self.name, self.reasons, self.unranked = "it", (), ()
            self.values = dict(enumerate(values))
            self.absences = None if changes is None else lambda: changes

    attempts, liked = refused(np.random.default_rng(5), 20, 0.5)
    effects, moved = fit_additive(attempts).effects, leave_one_out_changes(attempts)
    changes = {i: {j: moved[j, i] for j in range(20) if j != i} for i in range(20)}
    plain, counted = (spearman(Measure(liked), Measure(effects, known)) for known in (None, changes))
    extra = shared_variance(liked, effects, moved)
    assert extra > 0
    assert counted.interval_method.extra == extra
    assert counted.interval().low < plain.interval().low < plain.interval().high < counted.interval().high
    assert "sway" in counted.method
