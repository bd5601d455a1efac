"""Adaptive selection: in rounds, the pairs that the answers so far leave most uncertain."""

import math
from collections.abc import Sequence

import numpy as np

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.experiment import Conditions, Plan, Rounds
from pytest_llmpref.experiments.pairs.questions import Pair, PairQuestion, read_pairs
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.stats.selection import Pool, next_pairs

FEWEST_ENTITIES = 40
"""Below it every pair is cheap, and rounds of so few have nothing to choose from. Our choice."""


class TooFewEntitiesError(LLMPrefError):
    """Adaptive selection was asked for with fewer entities than it is made for."""


def adaptive_rounds(conditions: Conditions, plan: Plan[PairQuestion], design: Sequence[Pair]) -> Rounds:
    """Return how the questions of a plan are asked in rounds of as many pairs as there are entities.

    The first round is that of the fixed design, which connects all entities. Which pairs follow is a function of the
    seed, the questions and the answers, and of nothing else, so that a replay asks the same. Each is asked in all its
    orders and repetitions, with the wording and the labels that it has in a study of all pairs. In all there are as
    many pairs as in the fixed design of the profile.

    Parameters
    ----------
    conditions
        Of the study.
    plan
        A trial for every question about every pair.
    design
        The pair of each question, in the order of the fixed design.

    Raises
    ------
    TooFewEntitiesError
        If fewer than `FEWEST_ENTITIES` take part.
    """
    ids = list(conditions.groups)
    if len(ids) < FEWEST_ENTITIES:
        raise TooFewEntitiesError(
            f'profile {conditions.profile.name}: selection = "adaptive" needs at least {FEWEST_ENTITIES} entities, and '
            f'{len(ids)} take part; set selection = "fixed"'
        )
    pairs = list(dict.fromkeys(design))
    partners = conditions.profile.partners
    steps = math.inf if partners is None else (partners + 1) // 2
    most = len({question.pair for question in plan.questions if question.step < steps})
    pool = _pool(plan.questions, pairs, ids)

    def choose(replies: Sequence[Replies]) -> list[int]:
        asked = [number for number, attempts in enumerate(replies) if attempts]
        closed = np.zeros(len(pairs), dtype=np.bool_)
        closed[pool.pair_of[asked]] = True
        count = min(len(ids), most - int(closed.sum()))
        if count <= 0:
            return []
        scores = np.full(len(plan.questions), np.nan)
        trials = read_pairs(*plan.asked(replies), conditions.names, conditions.answers)
        scores[asked] = [np.nan if trial.score is None else trial.score for trial in trials]
        chosen = np.zeros(len(pairs), dtype=np.bool_)
        chosen[next_pairs(pool, scores, closed, count, seed=conditions.seed)] = True
        return [int(number) for number in np.flatnonzero(chosen[pool.pair_of])]

    total = len(design) // len(pairs) * min(most, len(pairs))
    return Rounds(total, choose, 'selection = "adaptive"', most=math.ceil(most / len(ids)))


def _pool(questions: Sequence[PairQuestion], pairs: Sequence[Pair], ids: Sequence[str]) -> Pool:
    index = {entity: number for number, entity in enumerate(ids)}
    place = {pair: number for number, pair in enumerate(pairs)}
    return Pool(
        first=np.array([index[question.first] for question in questions], dtype=np.intp),
        second=np.array([index[question.second] for question in questions], dtype=np.intp),
        label_first_is_a=np.array([question.first_is_a for question in questions], dtype=np.bool_),
        wording=np.array([question.wording for question in questions], dtype=np.intp),
        pair_of=np.array([place[question.pair] for question in questions], dtype=np.intp),
        n_entities=len(ids),
    )
