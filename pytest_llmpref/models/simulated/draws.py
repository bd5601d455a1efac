"""Chance without a state: every draw is a hash of what it is for."""

from hashlib import blake2b
from statistics import NormalDist

import msgspec

from pytest_llmpref.models.chat import Request

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
