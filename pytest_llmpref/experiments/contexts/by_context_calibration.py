"""Simulated studies of contexts without arms: pressure that changes what shows, and preferences said before advice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.contexts.assigned_studies import MARGIN, ring
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.slopes import slope_over_pairs

REFERENCES = 300
"""Over how many studies without chance a truth is averaged. Our choice."""


@dataclass(frozen=True)
class PressedStudy(Unpredicted):
    """Conditions of a study of a context without arms.

    Attributes
    ----------
    n_entities
        Entities in it, drawn anew for each study.
    partners
        With how many others each is compared in each context, in both orders.
    shown
        Share of the liking that shows in the choices there; in the filler, all of it shows.
    spread, noise
        Standard deviation of the liking, in log-odds, and of the noise in the preferences.
    stirred
        Standard deviation of what the context does to each entity, whatever it is liked, in log-odds.
    """

    n_entities: int = 72
    partners: int = 4
    shown: float = 1.0
    spread: float = 1.8
    noise: float = 0.8
    stirred: float = 0.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        found = self._slope(rng, drawn=True)
        truth = self._truth
        yield Finding("change in slope", found, truth, 0.0)
        yield Finding("change in slope equivalence", found, truth, MARGIN)

    @cached_property
    def _truth(self) -> float:
        if self.shown == 1 and not self.stirred:
            return 0.0
        rng = np.random.default_rng(0)
        return float(np.mean([self._slope(rng, drawn=False).value for _ in range(REFERENCES)]))

    def _slope(self, rng: np.random.Generator, *, drawn: bool) -> Estimate:
        """Return the change in slope among new entities; from the expected shares where nothing is drawn."""
        first, second = ring(self.n_entities, self.partners)
        liking, noise, stirred = rng.normal(size=(3, self.n_entities))
        liking *= self.spread
        preferred = liking + self.noise * noise
        there = self.shown * liking + self.stirred * stirred
        chances = [special.expit(utility[first] - utility[second]) for utility in (there, liking)]
        shares = [rng.binomial(2, one) / 2 if drawn else one for one in chances]
        apart = (preferred[first] - preferred[second]) / preferred.std()
        return slope_over_pairs(first, second, apart, shares[0] - shares[1], "change in slope")


@dataclass(frozen=True)
class PrimedStudy(Unpredicted):
    """Conditions of a study of advice after a stated preference.

    Attributes
    ----------
    n_entities, partners
        As in `PressedStudy`.
    primed
        Log-odds of the option that was said to be liked more.
    spread
        Standard deviation of the liking, in log-odds.
    follows
        Which part of the liking shows in advice.
    """

    n_entities: int = 72
    partners: int = 4
    primed: float = 0.0
    spread: float = 1.8
    follows: float = 0.95

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        apart = self._apart(rng)
        # Both orders are asked: shape (orders, pairs).
        said = rng.random((2, len(apart))) < special.expit(apart)
        sway = np.where(said, self.primed, -self.primed)
        primed, filler = (
            rng.random(said.shape) < special.expit(self.follows * apart + each) for each in (sway, np.zeros(said.shape))
        )
        gained = ((said == primed).astype(np.float64) - (said == filler)).mean(axis=0)
        yield Finding("priming", self._mean(np.asarray(gained, dtype=np.float64)), self._truth, 0.0)

    @cached_property
    def _truth(self) -> float:
        if not self.primed:
            return 0.0
        rng = np.random.default_rng(0)
        return float(np.mean([self._expected(self._apart(rng)) for _ in range(REFERENCES)]))

    def _apart(self, rng: np.random.Generator) -> FloatArray:
        """Return how much more the first of each pair is liked, among new entities."""
        first, second = ring(self.n_entities, self.partners)
        liking = self.spread * rng.standard_normal(self.n_entities)
        return np.asarray(liking[first] - liking[second], dtype=np.float64)

    def _expected(self, apart: FloatArray) -> float:
        """Return how much more often advice agrees with what was said, over what is said and advised by chance."""
        said, advised = special.expit(apart), self.follows * apart
        up = special.expit(advised + self.primed) - special.expit(advised)
        down = special.expit(advised) - special.expit(advised - self.primed)
        return float(np.mean(said * up + (1 - said) * down))

    def _mean(self, gained: FloatArray) -> Estimate:
        first, second = ring(self.n_entities, self.partners)
        return slope_over_pairs(first, second, np.ones(len(gained)), gained, "priming")


def scenarios() -> Iterator[Scenario]:
    """Yield studies of pressure, and of priming."""
    pressed = PressedStudy()
    for name, about, other in (
        ("pressure", "72 entities, and a context that changes nothing", pressed),
        ("pressure, n=24", "24 entities, the same", replace(pressed, n_entities=24)),
        ("pressure, wiped out", "nothing of what is liked shows in it", replace(pressed, shown=0.0)),
        ("pressure, halved", "half of what is liked shows in it", replace(pressed, shown=0.5)),
        ("pressure, stirred", "it makes the model choose some entities more and others less, whatever it likes",
         replace(pressed, stirred=1.0)),
    ):  # fmt: skip
        yield Scenario(f"contexts/{name}", about, other)
    primed = PrimedStudy(primed=1.0)
    for name, about, study in (
        ("priming", "72 entities, advice goes to whom the model has just said that it likes more", primed),
        ("priming, null", "what was said sways no advice", replace(primed, primed=0.0)),
        ("priming, n=24, null", "24 entities, the same", replace(primed, n_entities=24, primed=0.0)),
    ):
        yield Scenario(f"contexts/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "change in slope": ClaimKind(
        "change_in_slope(pressed_advice, preferences, 'neutral') < b", "<", "sample",
        "difference in the least-squares slope of choices on preference, context minus filler, over entities",
    ),
    "change in slope equivalence": ClaimKind(
        "abs(change_in_slope(pressed_advice, preferences, 'hurried')) < b", "abs <", "sample", "the same",
    ),
    "priming": ClaimKind(
        "priming_effect(primed_advice) > b", ">", "sample",
        "difference in how often advice agrees with the stated preference, after stating it minus after the filler, "
        "over entities",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
