"""What is planted: a world of simulated models, asked for the probabilities that the network should learn."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from pytest_llmpref.config.entities import Entity, EntitySet
from pytest_llmpref.models.simulated.deciding import expit, logit
from pytest_llmpref.models.simulated.tastes import Tastes
from pytest_llmpref.models.simulated.world import World, load_world


@dataclass(frozen=True)
class Planted:
    """The likings of one organism, and what they do.

    Attributes
    ----------
    path
        A world, in the form of ``fixtures/worlds``.
    """

    path: Path

    @cached_property
    def _world(self) -> tuple[World, EntitySet]:
        return load_world(self.path)

    @cached_property
    def tastes(self) -> Tastes:
        """The utilities, by name."""
        return Tastes(*self._world)

    @cached_property
    def entities(self) -> list[Entity]:
        """The set that the likings are about."""
        return list(self._world[1])

    def prefers(self, one: str, other: str, purpose: str = "liking") -> float:
        """Return the probability of choosing the first of two names."""
        noise = self._world[0].choice.noise
        return expit((self.tastes.utility(one, purpose) - self.tastes.utility(other, purpose)) / noise)

    def refuses(self, one: str, other: str) -> float:
        """Return the probability of declining to advise on two names."""
        refusal = self._world[0].refusal
        if not 0 < refusal.base < 1:
            return refusal.base
        first, second = self.tastes.dislike(one), self.tastes.dislike(other)
        return expit(logit(refusal.base) + refusal.slope * (first + second) + refusal.superadditivity * first * second)

    def reason(self, one: str, other: str, random: Random) -> str:
        """Draw why it declines."""
        refusal = self._world[0].refusal
        disliked = random.random() < expit(self.tastes.dislike(one) + self.tastes.dislike(other))
        weights = refusal.disliked if disliked else refusal.liked
        return random.choices(list(weights), list(weights.values()))[0]
