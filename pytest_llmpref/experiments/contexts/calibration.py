"""Simulated studies of contexts with arms: attitudes that sway what is said, chosen, answered or worked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.contexts.assigned_studies import DOSES, MARGIN, AssignedStudy
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.assignment import Assigned
from pytest_llmpref.stats.randomisation import RandomisedStudy, effect_of_assignment, effect_per_unit

ASSIGNMENTS = 300
"""Over how many assignments a truth is averaged. Our choice."""


@dataclass(frozen=True)
class InducedStudy(AssignedStudy):
    """Conditions of a study of choices.

    Attributes
    ----------
    stated, acted
        Log-odds that one unit of dose adds to what is said, and to what is done.
    spread
        Standard deviation of how much the entities are liked, in log-odds: the same in what is said and done, so that
        the two correlate whatever the doses do.
    uneven
        Standard deviation, over entities, of what a dose does to them beyond the mean, as a part of the mean.
    """

    stated: float = 1.2
    acted: float = 1.0
    spread: float = 1.5
    uneven: float = 0.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        assigned = self.drawn(rng)

        def beside_filler(sway: float) -> FloatArray:
            chances = (self._chances(assigned, each) for each in (sway, 0.0))
            treated, filler = (self.shares(rng.binomial(2, each) / 2) for each in chances)
            return treated - filler

        said, done = beside_filler(self.stated), beside_filler(self.acted)
        study = RandomisedStudy(self.design, assigned, DOSES, done)
        effect = effect_of_assignment(study, "effect of an attitude")
        truth = self._truth(self.acted)
        yield Finding("effect of an attitude", effect, truth, 0.0)
        yield Finding("effect of an attitude equivalence", effect, truth, MARGIN)
        if self.stated:
            per_point = effect_per_unit(study, said, "effect per preference")
            yield Finding("effect per preference", per_point, truth / self._truth(self.stated), 0.0)

    @cached_property
    def _entities(self) -> tuple[FloatArray, FloatArray]:
        """Return how much each entity is liked, and how a dose sways it: the same in every study, as entities are."""
        quantiles = special.ndtri((np.arange(self.n_entities) + 0.5) / self.n_entities)
        shuffled = np.random.default_rng(0)
        return self.spread * shuffled.permutation(quantiles), 1 + self.uneven * shuffled.permutation(quantiles)

    def _chances(self, assigned: Assigned, sway: float) -> FloatArray:
        """Return the chance that the first of each pair is chosen, shape (drawings, pairs)."""
        liking, swayed = self._entities
        utility = liking + sway * swayed * self.doses(assigned)
        first, second = self.pairs
        return np.asarray(special.expit(utility[:, first] - utility[:, second]), dtype=np.float64)

    def _truth(self, sway: float) -> float:
        """Return the share of choices in the first arm less that in the second, over the assignments."""
        if sway not in self._truths:
            effect = self.averaged(lambda assigned: self._chances(assigned, sway), ASSIGNMENTS) if sway else 0.0
            self._truths[sway] = effect
        return self._truths[sway]

    @cached_property
    def _truths(self) -> dict[float, float]:
        return {}


@dataclass(frozen=True)
class AnsweredStudy(AssignedStudy):
    """Conditions of a study of what is right or wrong: answers that help an entity, or tasks of an agent.

    Each entity has questions of its own, the same in all contexts and drawings.

    Attributes
    ----------
    level
        Log-odds of being right at middling difficulty.
    sway
        Log-odds that one unit of dose adds.
    difficulty
        Standard deviation of the difficulty of questions, in log-odds.
    anew
        Share of the answers that are drawn anew in each context and drawing; the others depend on the question and its
        probability alone.
    """

    level: float = 2.2
    sway: float = 0.0
    difficulty: float = 1.0
    anew: float = 0.1

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        assigned, size = self.drawn(rng), (self.n_entities, self.partners)
        right = self.level + self.difficulty * rng.standard_normal(size)
        of_question = rng.random(size)
        swayed = self.sway * self.doses(assigned)[..., None]
        treated, filler = (self._right(right + each, of_question, rng) for each in (swayed, 0 * swayed))
        study = RandomisedStudy(self.design, assigned, DOSES, treated - filler)
        effect = effect_of_assignment(study, "effect on what is right")
        # Each entity is once in each arm, and no other sways it.
        truth = float(np.mean(special.expit(right + self.sway) - special.expit(right - self.sway)))
        yield Finding("effect on what is right", effect, truth, 0.0)
        yield Finding("effect on what is right equivalence", effect, truth, MARGIN)

    def _right(self, right: FloatArray, of_question: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the share of its questions that each entity has answered rightly, shape (drawings, entities)."""
        draws = np.where(rng.random(right.shape) < self.anew, rng.random(right.shape), of_question)
        return np.asarray((draws < special.expit(right)).mean(axis=-1), dtype=np.float64)


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, one factor at a time from there, a weak instrument; and studies of answers and of tasks."""
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
    reading = AnsweredStudy()
    agents = AnsweredStudy(n_entities=15, partners=8, level=0.0, anew=0.5)
    for name, about, answered in (
        ("reading", "72 entities of four questions each, an attitude sways how many are answered rightly",
         replace(reading, sway=0.5)),
        ("reading, null", "it sways none", reading),
        ("agents", "eight tasks for 15 entities, it sways how many are solved", replace(agents, sway=0.5)),
        ("agents, null", "it sways none", agents),
        ("agents, n=6", "three tasks for six entities, it sways how many are solved",
         replace(agents, n_entities=6, partners=3, sway=1.5)),
        ("agents, n=6, null", "three tasks for six entities, it sways none", replace(agents, n_entities=6, partners=3)),
    ):  # fmt: skip
        yield Scenario(f"contexts/{name}", about, answered)


KINDS: Mapping[str, ClaimKind] = {
    "effect of an attitude": ClaimKind(
        "causal_effect(induced_advice) > b", ">", "given",
        "difference in share of choices, entity said to be liked minus disliked, over all assignments and these "
        "entities",
    ),
    "effect of an attitude equivalence": ClaimKind(
        "abs(causal_effect(induced_advice)) < b", "abs <", "given", "the same",
    ),
    "effect per preference": ClaimKind(
        "effect_per_preference(induced_advice, induced_preference) > b", ">", "given",
        "ratio of the effect on behaviour to the effect on stated preference, over all assignments and these entities",
    ),
    "effect on what is right": ClaimKind(
        "causal_effect(induced_reading) > b", ">", "given",
        "difference in share of correct answers, or of tasks solved (induced_agentic), entity said to be liked minus "
        "disliked, over all assignments, these entities and their questions",
    ),
    "effect on what is right equivalence": ClaimKind(
        "abs(causal_effect(induced_reading)) < b", "abs <", "given", "the same",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
