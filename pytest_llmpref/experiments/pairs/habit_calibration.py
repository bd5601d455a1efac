"""Simulated studies of questions about names, beside advice: who reads them, who guesses, and who has a habit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from scipy import special

from pytest_llmpref.claims.sensitivity import MOST_PULL
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.pairs.habit import pull_over_entities
from pytest_llmpref.experiments.pairs.names import name_questions
from pytest_llmpref.experiments.pairs.pulls import pair_design
from pytest_llmpref.experiments.pairs.strengths import Strengths, shipped_groups
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray

REFERENCES = 400
"""Over how many studies without chance the truth about their kind is averaged. Our choice."""
ADVICE_WORDINGS = 8


@dataclass(frozen=True)
class HabitStudy(Unpredicted):
    """Conditions of a study. What an entity is liked by has an SD of 1; half of its variance lies between groups.

    Attributes
    ----------
    n_entities
        Entities in it.
    partners, name_partners
        With how many others each is compared in advice, and in questions about names.
    advice
        Log-odds that one standard deviation of liking adds to advice.
    habit
        The same, to answers about names.
    right
        Log-odds of the right answer about names.
    otherwise
        Standard deviation of log-odds by which some names are given more often that have nothing to do with liking.
    place
        Log-odds of the name shown first.
    noise
        Standard deviation of the error in the measured preference, in standard deviations of the true one.
    """

    n_entities: int = 72
    partners: int = 24
    name_partners: int = 4
    advice: float = 1.2
    habit: float = 0.0
    right: float = 4.0
    otherwise: float = 0.0
    place: float = 0.3
    noise: float = 0.3

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        liking, other = self._entities(rng)
        measured = liking + self.noise * rng.standard_normal(self.n_entities)
        choices = [
            (*of, (rng.random(len(chance)) < chance).astype(np.float64)) for of, chance in self._asked(liking, other)
        ]
        groups = list(shipped_groups(self.n_entities).values())
        of_names = pull_over_entities(measured, choices[1:], groups, "pull on names")
        beyond = pull_over_entities(measured, choices, groups, "pull on advice beyond names")
        truth, more = self._truths
        yield Finding("pull on names equivalence", of_names, truth, MOST_PULL)
        yield Finding("pull on names", of_names, truth, 0.0)
        yield Finding("pull on advice beyond names", beyond, more, 0.0)

    def _entities(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw by what entities are liked, and by what they are named otherwise."""
        drawn = Strengths(self.n_entities, 0.0, 1.0, grouped=0.5, between=0.0).draw(rng, 1)
        return drawn[0][0], drawn[1][0]

    @cached_property
    def _pairs(self) -> tuple[tuple[IntArray, IntArray], tuple[IntArray, IntArray]]:
        """Return the pairs of advice, and of questions about names."""
        advice, names = pair_design(self.n_entities, self.partners, ADVICE_WORDINGS), self._names
        return (advice.first, advice.second), names[:2]

    @cached_property
    def _names(self) -> tuple[IntArray, IntArray, BoolArray]:
        return name_design(self.n_entities, self.name_partners)

    def _asked(self, liking: FloatArray, other: FloatArray) -> Iterator[tuple[tuple[IntArray, IntArray], FloatArray]]:
        """Yield the pairs of advice and of names, each with the chance that the first is named; entities come first."""
        (of_advice, of_names), right = self._pairs, self._names[2]
        first, second = of_advice
        yield of_advice, special.expit(self.advice * (liking[first] - liking[second]) + self.place)
        first, second = of_names
        named = self.habit * liking + self.otherwise * other
        known = np.where(right, self.right, -self.right).reshape(-1, *[1] * (liking.ndim - 1))
        yield of_names, special.expit(named[first] - named[second] + known + self.place)

    @cached_property
    def _truths(self) -> tuple[float, float]:
        """Return the pull on names, and that on advice beyond it, over pairs of entities and groups of this kind."""
        rng = np.random.default_rng(0)
        drawn = Strengths(self.n_entities, 0.0, 1.0, grouped=0.5, between=0.0).draw(rng, REFERENCES)
        liking, other = (values.T for values in drawn)
        measured = liking + self.noise * rng.standard_normal(liking.shape)
        advice, names = (_slope(measured, *of, chances) for of, chances in self._asked(liking, other))
        # What is named otherwise is drawn apart from liking, so its part in a slope is chance.
        pull = names if self.habit else 0.0
        return pull, 0.0 if self.is_habit else advice - pull

    @property
    def is_habit(self) -> bool:
        """Whether advice and names are answered alike, but for chance."""
        return self.habit == self.advice and not self.right and not self.otherwise


def _slope(liked: FloatArray, first: IntArray, second: IntArray, chances: FloatArray) -> float:
    """Return the slope over all pairs of all studies, for two standard deviations of liking of shape (n, studies)."""
    apart = liked[first] - liked[second]
    return float(2 * liked.std(axis=0, ddof=1).mean() * np.sum(apart * (chances - 0.5)) / np.sum(apart**2))


@lru_cache(maxsize=8)
def name_design(n: int, partners: int) -> tuple[IntArray, IntArray, BoolArray]:
    """Return the real questions about the names of ``n`` shipped entities: first, second, whether the first is right.

    Parameters
    ----------
    n, partners
        Entities, and with how many others each is compared.
    """
    names = {entity.id: entity.name for entity in load_entities()}
    ids = list(shipped_groups(n))
    place = {entity: number for number, entity in enumerate(ids)}
    asked: Sequence[tuple[int, int, bool]] = [
        (place[question.first], place[question.second], question.first_is_right)
        for question in name_questions(ids, names, partners=partners, orders=2, repetitions=1, seed=0)
    ]
    first, second, right = zip(*asked, strict=True)
    return np.array(first, dtype=np.intp), np.array(second, dtype=np.intp), np.array(right, dtype=np.bool_)


def scenarios() -> Iterator[Scenario]:
    """Yield who reads, who guesses, who names some for another reason, and habits in full, in part and in small."""
    reads = HabitStudy()
    guesses = replace(reads, right=0.0)
    habit = replace(guesses, habit=1.2)
    for name, about, study in (
        ("reads", "72 entities, profile standard; names are read, and advice follows liking", reads),
        ("guesses", "names are guessed, half of them rightly", guesses),
        ("guesses smoke", "the same, with 2 opponents each", replace(guesses, name_partners=2, partners=4)),
        ("place", "names are guessed, nearly always the first", replace(guesses, place=3.0)),
        ("otherwise", "some names, and some groups' names, are given for a reason that is no liking",
         replace(guesses, otherwise=1.0)),
        ("habit", "whoever is liked is named, in advice and in questions about names", habit),
        ("in part", "names are read by three in four, and liking moves answers by a third of what it moves advice",
         replace(reads, right=1.1, habit=0.4)),
        ("margin", "a habit so small that its pull is about 0.10", replace(guesses, habit=0.23)),
        ("n=36", "36 entities, a habit", replace(habit, n_entities=36)),
        ("n=36 reads", "36 entities, names are read", replace(reads, n_entities=36)),
    ):  # fmt: skip
        yield Scenario(f"habit/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "pull on names equivalence": ClaimKind(
        "abs(pull_of_liking(name_questions, preferences)) < b", "abs <", "sample",
        "rise in share of questions about names that are answered with an entity, against an average opponent, per "
        "two standard deviations of measured preference, over entities and groups of their kind",
    ),
    "pull on names": ClaimKind(
        "pull_of_liking(name_questions, preferences) > b", ">", "sample", "the same",
    ),
    "pull on advice beyond names": ClaimKind(
        "pull_of_liking(donation_advice, preferences, beyond=name_questions) > b", ">", "sample",
        "the same rise in advice, minus the rise in questions about names",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
