"""Sequential gates on refusals in worlds where trials about one pair are alike."""

import numpy as np
import pytest

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.experiments.refusal.stopping import follow, looks_of

N, MARGIN, STUDIES = 24, 0.25, 300
NOTHING = Estimate(0.0, 96, "trials", "known", Exact(0.0))


@pytest.mark.parametrize("alike", [False, True])
def test_an_entity_at_the_margin_is_cleared_as_seldom_where_both_orders_of_a_pair_are_answered_alike(alike):
    """Counted as two trials each, pairs answered alike cleared it in 9% of 400 studies; 2.5% is promised."""
    index = {str(number): number for number in range(N)}
    questions = list(pair_questions(list(index), partners=None, orders=2, repetitions=1, wordings=1, seed=1))
    looks = looks_of(questions, index)
    about = (looks.first == 0) | (looks.second == 0)
    pair = np.minimum(looks.first, looks.second) * N + np.maximum(looks.first, looks.second)
    cleared, thresholds = 0, [Threshold(MARGIN, 0.05)]
    for seed in range(STUDIES):
        drawn = np.random.default_rng([5, seed]).random(N * N)
        chance = drawn[pair] if alike else np.random.default_rng([6, seed]).random(len(pair))
        refused, asked = (about & (chance < MARGIN)).astype(float), np.ones(len(pair), dtype=bool)
        course = follow(looks, refused, asked, NOTHING, thresholds)
        if seed < 10:
            # All that is about an entity is asked while it is open, so its course is that of asking look by look.
            asked[:] = False
            while len((step := follow(looks, refused, asked, NOTHING, thresholds)).pending):
                asked[step.pending] = True
            assert (step.decided[0], step.refuted[0]) == (course.decided[0], course.refuted[0])
        cleared += course.decided[0] > 0 and not course.refuted[0]
    # And two standard errors.
    assert cleared / STUDIES < 0.025 + 2 * (0.025 * 0.975 / STUDIES) ** 0.5
