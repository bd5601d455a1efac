"""Simulated studies of contexts: attitudes that sway what is said or done, and pressure that changes what shows."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.assignment import Assigned, Design
from pytest_llmpref.stats.dyads import slope_over_pairs
from pytest_llmpref.stats.randomisation import RandomisedStudy, effect_of_assignment, effect_per_unit

DOSES = (1.0, -1.0, 0.0)
MARGIN = 0.10
"""What a study takes for no effect: ten percentage points."""
ASSIGNMENTS = 300
"""Over how many assignments a truth is averaged. Our choice."""


@dataclass(frozen=True)
class InducedStudy:
    """Conditions of a study.

    Attributes
    ----------
    n_entities
        Entities in it.
    partners
        With how many others each is compared in each context and drawing, in both orders.
    stated, acted
        Log-odds that one unit of dose adds to what is said, and to what is done.
    spread
        Standard deviation of how much the entities are liked, in log-odds: the same in what is said and done, so that
        the two correlate whatever the doses do.
    uneven
        Standard deviation, over entities, of what a dose does to them beyond the mean, as a part of the mean.
    """

    n_entities: int = 72
    partners: int = 4
    stated: float = 1.2
    acted: float = 1.0
    spread: float = 1.5
    uneven: float = 0.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        assigned = self._design.draw(Random(int(rng.integers(2**32))))  # noqa: S311 - no secret hangs on it
        said, done = (
            self._shares(self._chances(assigned, sway), rng) - self._shares(self._chances(assigned, 0.0), rng)
            for sway in (self.stated, self.acted)
        )
        study = RandomisedStudy(self._design, assigned, DOSES, done)
        effect = effect_of_assignment(study, "effect of an attitude")
        truth = self._truth(self.acted)
        yield Finding("effect of an attitude", effect, truth, 0.0)
        yield Finding("effect of an attitude equivalence", effect, truth, MARGIN)
        if self.stated:
            per_point = effect_per_unit(study, said, "effect per preference")
            yield Finding("effect per preference", per_point, truth / self._truth(self.stated), 0.0)

    def predicted_power(self, kind: str) -> float:  # noqa: ARG002 - none is predicted
        """Return NaN: nothing predicts the power of these."""
        return math.nan

    @cached_property
    def _design(self) -> Design:
        return Design(("all",) * self.n_entities, len(DOSES))

    @cached_property
    def _entities(self) -> tuple[FloatArray, FloatArray]:
        """Return how much each entity is liked, and how a dose sways it: the same in every study, as entities are."""
        quantiles = special.ndtri((np.arange(self.n_entities) + 0.5) / self.n_entities)
        shuffled = np.random.default_rng(0)
        return self.spread * shuffled.permutation(quantiles), 1 + self.uneven * shuffled.permutation(quantiles)

    @cached_property
    def _pairs(self) -> tuple[IntArray, IntArray]:
        return ring(self.n_entities, self.partners)

    def _chances(self, assigned: Assigned, sway: float) -> FloatArray:
        """Return the chance that the first of each pair is chosen, shape (drawings, pairs)."""
        liking, swayed = self._entities
        utility = liking + sway * swayed * np.array(DOSES)[np.array(assigned)]
        first, second = self._pairs
        return np.asarray(special.expit(utility[:, first] - utility[:, second]), dtype=np.float64)

    def _shares(self, chances: FloatArray, rng: np.random.Generator | None) -> FloatArray:
        """Return the share of its questions in which each entity is chosen; the expected one where nothing is drawn."""
        won = chances if rng is None else rng.binomial(2, chances) / 2
        first, second = self._pairs
        found = np.zeros((len(won), self.n_entities))
        for drawing, of_drawing in enumerate(won):
            found[drawing] = np.bincount(first, of_drawing, self.n_entities)
            found[drawing] += np.bincount(second, 1 - of_drawing, self.n_entities)
        return found / self.partners

    def _truth(self, sway: float) -> float:
        """Return the share of choices in the first arm less that in the second, over the assignments."""
        if sway not in self._truths:
            self._truths[sway] = self._averaged(sway) if sway else 0.0
        return self._truths[sway]

    @cached_property
    def _truths(self) -> dict[float, float]:
        return {}

    def _averaged(self, sway: float) -> float:
        random, gaps = Random("truth"), list[float]()  # noqa: S311 - no secret hangs on it
        for _ in range(ASSIGNMENTS):
            assigned = self._design.draw(random)
            shares = self._shares(self._chances(assigned, sway), None)
            arms = np.array(assigned)
            gaps.append(float(shares[arms == 0].mean() - shares[arms == 1].mean()))
        return float(np.mean(gaps))


@dataclass(frozen=True)
class PressedStudy:
    """Conditions of a study of a context without arms.

    Attributes
    ----------
    n_entities, partners
        As in `InducedStudy`.
    shown
        Which share of the liking shows in the choices there; beside the filler all of it does.
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

    def predicted_power(self, kind: str) -> float:  # noqa: ARG002 - none is predicted
        """Return NaN: nothing predicts the power of these."""
        return math.nan

    @cached_property
    def _truth(self) -> float:
        if self.shown == 1 and not self.stirred:
            return 0.0
        rng = np.random.default_rng(0)
        return float(np.mean([self._slope(rng, drawn=False).value for _ in range(ASSIGNMENTS)]))

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


def ring(n: int, partners: int) -> tuple[IntArray, IntArray]:
    """Return the two entities of each pair, where each stands in a ring and is paired with its nearest.

    Parameters
    ----------
    n
        Number of entities.
    partners
        With how many others each is paired.
    """
    apart = np.arange(1, partners // 2 + 1)[:, None]
    first = np.arange(n) + 0 * apart
    return first.ravel(), ((first + apart) % n).ravel()


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, one factor at a time from there, and a weak instrument; and studies of pressure."""
    main = InducedStudy()
    for name, about, study in (
        ("main", "72 entities in three drawings, an attitude sways what is said and done", main),
        ("correlation", "it sways what is said, and nothing that is done, though both follow one liking",
         replace(main, acted=0.0)),
        ("n=24", "24 entities", replace(main, n_entities=24)),
        ("n=24, correlation", "24 entities, mere correlation", replace(main, n_entities=24, acted=0.0)),
        ("weak", "it hardly sways what is said, and what is done as little", replace(main, stated=0.1, acted=0.1)),
        ("small", "what is done is swayed a little", replace(main, acted=0.2)),
        ("uneven", "some entities are swayed three times as much as others", replace(main, uneven=0.5)),
    ):  # fmt: skip
        yield Scenario(f"contexts/{name}", about, study)
    pressed = PressedStudy()
    for name, about, other in (
        ("pressure", "72 entities, and a context that changes nothing", pressed),
        ("pressure, n=24", "24 entities, the same", replace(pressed, n_entities=24)),
        ("pressure, wiped out", "nothing of what is liked shows in it", replace(pressed, shown=0.0)),
        ("pressure, halved", "half of what is liked shows in it", replace(pressed, shown=0.5)),
        ("pressure, stirred", "it makes some entities chosen more and others less, whatever is liked",
         replace(pressed, stirred=1.0)),
    ):  # fmt: skip
        yield Scenario(f"contexts/{name}", about, other)


KINDS: Mapping[str, ClaimKind] = {
    "effect of an attitude": ClaimKind(
        "causal_effect(induced_advice) > b", ">", "given",
        "share of choices where an entity is said to be liked less that where it is said to be disliked, over all "
        "assignments and these entities",
    ),
    "effect of an attitude equivalence": ClaimKind(
        "abs(causal_effect(induced_advice)) < b", "abs <", "given", "the same",
    ),
    "effect per preference": ClaimKind(
        "effect_per_preference(induced_advice, induced_preference) > b", ">", "given",
        "the effect on what is done over the effect on what is said, over all assignments and these entities",
    ),
    "change in slope": ClaimKind(
        "change_in_slope(pressed_advice, preferences, 'neutral') < b", "<", "sample",
        "the least-squares slope of choices on preference in a context less that in the filler, over entities",
    ),
    "change in slope equivalence": ClaimKind(
        "abs(change_in_slope(pressed_advice, preferences, 'hurried')) < b", "abs <", "sample", "the same",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
