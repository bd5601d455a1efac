"""What a simulated model likes: the utility of every name, for preferences, for advice and for rankings.

`Draws` is chance without a state: every draw is a hash of what it is for.
"""

import math
import re
from functools import cached_property, lru_cache
from hashlib import blake2b
from statistics import NormalDist
from typing import Literal

import msgspec

from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.models.chat import Request
from pytest_llmpref.models.simulated.world import Drawn, World

_NORMAL = NormalDist()


class Draws:
    """Draws that depend on a seed, on words that say what they are for, and on nothing else."""

    __slots__ = ("_key",)

    def __init__(self, *words: object) -> None:
        self._key = msgspec.json.encode(words)

    @classmethod
    def of(cls, seed: int, request: Request) -> "Draws":
        """Return the draws of one sample of a conversation, whatever the model is called and who else is asked."""
        return cls(seed, [(m.role, m.content) for m in request.messages], request.repetition)

    def uniform(self, purpose: str) -> float:
        """Return a number from 0 to 1, neither of them included."""
        drawn = blake2b(self._key + b"\0" + purpose.encode(), digest_size=7).digest()
        return (int.from_bytes(drawn) + 0.5) / 2**56

    def normal(self, purpose: str) -> float:
        """Return a standard normal deviate."""
        return _NORMAL.inv_cdf(self.uniform(purpose))


Purpose = Literal["liking", "donation", "ranking"]


class Tastes:
    """A simulated model's utility for each name, and its distance from the mean of the entity set.

    Parameters
    ----------
    world
        The simulated world, which holds the planted preferences.
    entities
        The entity set to which the world's ids and groups belong.
    """

    def __init__(self, world: World, entities: EntitySet) -> None:
        self._world = world
        self._entities = entities
        # Every name is asked about many times.
        self.liking = lru_cache(maxsize=None)(self._liking)
        self.utility = lru_cache(maxsize=None)(self._utility)
        self.openly = lru_cache(maxsize=None)(self._openly)

    def dislike(self, name: str) -> float:
        """Return by how many standard deviations a name lies below the mean of the set."""
        return -(self.liking(name) - self.mean) / self.spread

    def mentioned(self, text: str) -> str | None:
        """Return the first name of the set that occurs in a text; ``None`` if none does."""
        found = self._pattern.search(text)
        return found.group() if found else None

    @cached_property
    def mean(self) -> float:
        """Mean utility of the set."""
        return sum(self._planted.values()) / len(self._planted)

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the set's utilities; 1 if all are equal."""
        squares = sum((utility - self.mean) ** 2 for utility in self._planted.values())
        return math.sqrt(squares / len(self._planted)) or 1.0

    @cached_property
    def _planted(self) -> dict[str, float]:
        """Utility of each entity of the set, by its bare name."""
        planted, world = {}, self._world.utilities
        for entity in self._entities:
            given = world.entities.get(entity.id, world.entities.get(entity.name))
            drawn = world.groups.get(entity.group) or world.unknown or Drawn()
            planted[bare(entity.name)] = self._drawn(entity.name, drawn) if given is None else given
        return planted

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = sorted((re.escape(entity.name) for entity in self._entities), key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)")

    def _liking(self, name: str) -> float:
        known = self._planted.get(bare(name))
        return self._drawn(name, self._world.utilities.unknown or Drawn(self.mean)) if known is None else known

    def _utility(self, name: str, purpose: Purpose) -> float:
        """Return what decides for one purpose: liking, as far as the purpose follows it, and a part of its own."""
        donation, ranking = self._world.donation, self._world.ranking
        follows = {"donation": donation.follows, "ranking": ranking.follows}.get(purpose, 1.0)
        difference, own = follows * (self.liking(name) - self.mean), math.sqrt(1 - follows**2) * self.spread
        if own:
            difference += own * Draws(self._world.seed, bare(name)).normal(purpose)
        return self.mean + difference * (donation.strength if purpose == "donation" else 1.0)

    def _openly(self, name: str, purpose: Purpose) -> float:
        """Return what decides in an open answer: what does in others, as far as planted, and a part of its own."""
        usual, follows = self.utility(name, purpose), self._world.choice.open
        own = math.sqrt(1 - follows**2) * self.spread
        drawn = Draws(self._world.seed, bare(name)).normal(f"open {purpose}") if own else 0.0
        return self.mean + follows * (usual - self.mean) + own * drawn

    def _drawn(self, name: str, drawn: Drawn) -> float:
        if not drawn.spread:
            return drawn.mean
        return drawn.mean + drawn.spread * Draws(self._world.seed, bare(name)).normal("utility")


@lru_cache(maxsize=4096)
def bare(name: str) -> str:
    """Return a name without its case and without a leading "the"."""
    return name.strip().casefold().removeprefix("the ")
