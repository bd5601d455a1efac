"""A study's questions shared out over the jobs of a CI pipeline: each asks its own, and no two ask the same."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """One share of all questions.

    Attributes
    ----------
    number
        Which one, from 1.
    count
        How many there are.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, key: str) -> bool:
        """Whether this share holds the trial whose first attempt has this key: exactly one of all shares does."""
        return int(key[:8], 16) % self.count == self.number - 1


def parse_shard(text: str) -> Shard | None:
    """Read a share such as ``2/5``; an empty text is none.

    Raises
    ------
    ValueError
        If it is not one.
    """
    if not text:
        return None
    number, _, count = text.partition("/")
    if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return Shard(int(number), int(count))
    raise ValueError("give it as NUMBER/COUNT, from 1/COUNT to COUNT/COUNT, such as 2/5")
