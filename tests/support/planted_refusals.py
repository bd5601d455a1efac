"""Studies of refusals with planted effects of entities, of pairs, and of what rivals superadditivity."""

import numpy as np
from scipy import special

from pytest_llmpref.stats.noise import Noisy
from pytest_llmpref.stats.refusal import Attempts
from pytest_llmpref.stats.superadditivity import interaction

N = 24
DISLIKE = special.ndtri((np.arange(N) + 0.5) / N)
GROUP = np.arange(N) // 6
FIRST, SECOND = (np.tile(side, 2) for side in np.triu_indices(N, 1))
"""Of `world`: its entities, how they are disliked, their groups, and the pairs."""


def pairs(n, orders=2):
    first, second = np.triu_indices(n, 1)
    return np.r_[first, second][: orders * len(first)], np.r_[second, first][: orders * len(first)]


def asked(rng, first, second, chance, wording=None, most=10, n=None):
    """Ask each question until it is not refused, at most ``most`` times."""
    draws = rng.random((len(first), most)) < chance[:, None]
    refused = np.where(draws.all(axis=1), most, draws.argmin(axis=1))
    wording = np.zeros(len(first), dtype=np.intp) if wording is None else wording
    made = np.minimum(refused + 1, most)
    return Attempts(first, second, wording, refused, made, draws[:, 0], n or int(max(first.max(), second.max())) + 1)


def world(seed, *, product=0.0, together=0.0, floor=0.0, worse=False, own=0.7):
    """Every pair in two trials, up to ten attempts each; groups are liked alike."""
    rng = np.random.default_rng(seed)
    effect = own * DISLIKE + 0.5 * rng.standard_normal(N)
    logits = -2.0 + effect[FIRST] + effect[SECOND] + product * DISLIKE[FIRST] * DISLIKE[SECOND]
    if worse:
        logits = -2.0 + 1.6 * np.maximum(effect[FIRST], effect[SECOND])
    logits = logits + together * (GROUP[FIRST] == GROUP[SECOND])
    chances = floor + (1 - floor) * special.expit(logits)
    refused = np.minimum(rng.geometric(1 - chances) - 1, 10)
    made = np.minimum(refused + 1, 10)
    return Attempts(FIRST, SECOND, 0 * FIRST, refused, made, refused > 0, N)


def found(seed, *, group=GROUP, **planted):
    return interaction(world(seed, **planted), Noisy.exact(-DISLIKE), group)
