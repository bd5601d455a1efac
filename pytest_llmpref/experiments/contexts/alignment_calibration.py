"""Simulated studies of advice beside a user's taste: whether it follows them, the own preference, both or neither."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.contexts.assigned_studies import DOSES, MARGIN, AssignedStudy
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.assignment import Assigned
from pytest_llmpref.stats.randomisation import RandomisedStudy, effect_of_assignment
from pytest_llmpref.stats.slopes import shares_against_average, slope_per_two_sd

ASSIGNMENTS = 60
"""Over how many assignments the truth about the entities of one study is averaged. Our choice."""
REFERENCES = 400
"""Over how many studies without chance the truth about their kind is averaged. Our choice."""


@dataclass(frozen=True)
class AlignedStudy(AssignedStudy):
    """Conditions of a study, whose entities are drawn anew.

    Attributes
    ----------
    user
        Log-odds that one unit of the user's taste adds.
    own
        Log-odds that one standard deviation of the model's own preference adds.
    beside
        Standard deviation of what advice rests on beside these, in log-odds.
    noise
        Standard deviation of the error in the measured preference, in standard deviations of the true one.
    """

    user: float = 1.0
    own: float = 1.2
    beside: float = 0.6
    noise: float = 0.3

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        liking, measured = self._entities(rng)
        assigned = self.drawn(rng)
        stated, filler = (rng.binomial(2, self._chances(liking, of)) / 2 for of in (assigned, None))
        study = RandomisedStudy(self.design, assigned, DOSES, self.shares(stated) - self.shares(filler))
        user = effect_of_assignment(study, "user's taste")
        own = self._slope(stated, measured)
        of_user, of_own = self._effect(liking), self._own
        yield Finding("user's taste", user, of_user, 0.0)
        yield Finding("own preference", own, of_own, 0.0)
        yield Finding("own preference equivalence", own, of_own, MARGIN)
        yield Finding("user's taste minus own preference", user - own, of_user - of_own, 0.0)

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """The pairs: each entity and its neighbours on as many random rings as a study has steps."""
        rng = np.random.default_rng(0)
        rings = [rng.permutation(self.n_entities) for _ in range(self.partners // 2)]
        return np.concatenate(rings), np.concatenate([np.roll(ring, 1) for ring in rings])

    def _entities(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw what advice rests on without a taste, in log-odds, and the measured preference."""
        preference, beside, error = rng.standard_normal((3, self.n_entities))
        return self.own * preference + self.beside * beside, preference + self.noise * error

    def _chances(self, liking: FloatArray, assigned: Assigned | None) -> FloatArray:
        """Return the chance that the first of each pair is chosen, shape (drawings, pairs); ``None`` for the filler."""
        taste = np.zeros((len(DOSES), self.n_entities)) if assigned is None else self.doses(assigned)
        utility = liking + self.user * taste
        first, second = self.pairs
        return np.asarray(special.expit(utility[:, first] - utility[:, second]), dtype=np.float64)

    def _slope(self, chosen: FloatArray, measured: FloatArray) -> Estimate:
        first, second = (np.tile(side, len(chosen)) for side in self.pairs)
        shares = shares_against_average(first, second, chosen.ravel(), self.n_entities)
        return slope_per_two_sd(measured, shares, self.design.groups, "own preference")

    def _effect(self, liking: FloatArray) -> float:
        """Return the effect of the taste on these entities, over assignments."""
        if not self.user:
            return 0.0
        return self.averaged(lambda assigned: self._chances(liking, assigned), ASSIGNMENTS)

    @cached_property
    def _own(self) -> float:
        """Return the slope on the measured preference over entities of this kind."""
        if not self.own:
            return 0.0
        rng, random, slopes = np.random.default_rng(0), Random("own"), list[float]()  # noqa: S311 - as above
        for _ in range(REFERENCES):
            liking, measured = self._entities(rng)
            slopes.append(self._slope(self._chances(liking, self.design.draw(random)), measured).value)
        return float(np.mean(slopes))


def scenarios() -> Iterator[Scenario]:
    """Yield followers of the user, of themselves, of both and of neither, and both in small."""
    both = AlignedStudy()
    for name, about, study in (
        ("both", "72 entities in three drawings, advice follows the user's taste and the own preference", both),
        ("user", "it follows the user's taste alone", replace(both, own=0.0)),
        ("itself", "it follows the own preference alone", replace(both, user=0.0)),
        ("neither", "it follows neither", replace(both, user=0.0, own=0.0)),
        ("small", "it follows both a little", replace(both, user=0.15, own=0.25)),
        ("n=24", "24 entities, it follows both", replace(both, n_entities=24)),
        ("n=24, neither", "24 entities, it follows neither", replace(both, n_entities=24, user=0.0, own=0.0)),
    ):
        yield Scenario(f"alignment/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "user's taste": ClaimKind(
        "causal_effect(aligned_advice) > b", ">", "given",
        "difference in share of choices, the user likes minus dislikes an entity, over all assignments and these "
        "entities",
    ),
    "own preference": ClaimKind(
        "own_slope(aligned_advice, preferences) > b", ">", "sample",
        "rise in share of choices per two standard deviations of measured preference, over entities of their kind",
    ),
    "own preference equivalence": ClaimKind(
        "abs(own_slope(aligned_advice, preferences)) < b", "abs <", "sample", "the same",
    ),
    "user's taste minus own preference": ClaimKind(
        "causal_effect(aligned_advice) - own_slope(aligned_advice, preferences) > b", ">", "sample",
        "the effect of the user's taste on these entities, minus the slope over entities of their kind",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
