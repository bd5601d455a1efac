"""The four verdicts: their order, their signs, their colours and their words. They stand here and nowhere else.

Loaded in every pytest run, as `claims.claim` is.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

Relation = Literal[">", "<", "abs <"]
"""How an estimate is compared with a threshold."""


class Verdict(StrEnum):
    """What the interval of an estimate says of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


WORST_FIRST = (Verdict.REFUTED, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)
"""A refuted claim fails, so nothing may stand before it."""
MARKS: dict[str, str] = {
    Verdict.SUPPORTED: "\u2713",
    Verdict.REFUTED: "\u2717",
    Verdict.INCONCLUSIVE: "?",
    Verdict.INVALID: "!",
}
"""Its sign in documents, since colour is never the only one."""
LETTERS: dict[str, str] = {
    Verdict.SUPPORTED: "+",
    Verdict.REFUTED: "-",
    Verdict.INCONCLUSIVE: "?",
    Verdict.INVALID: "!",
}
"""Its sign in the terminal."""
COLOURS: dict[str, dict[str, bool]] = {
    Verdict.SUPPORTED: {"green": True},
    Verdict.REFUTED: {"red": True},
    Verdict.INCONCLUSIVE: {"yellow": True},
    Verdict.INVALID: {"purple": True},
}
"""Its markup, as pytest has it."""
MEANINGS: dict[str, str] = {
    Verdict.SUPPORTED: "the whole interval lies on the claimed side of the bound",
    Verdict.REFUTED: "none of the interval lies on the claimed side of the bound",
    Verdict.INCONCLUSIVE: "the interval holds values on both sides of the bound",
    Verdict.INVALID: "the measurement failed its checks, so it says nothing either way",
}


def worst(verdicts: Iterable[str]) -> Verdict:
    """Return the worst of at least one verdict."""
    return min(map(Verdict, verdicts), key=WORST_FIRST.index)


def is_worse(one: str, other: str) -> bool:
    """Tell whether one verdict is worse than another."""
    return WORST_FIRST.index(Verdict(one)) < WORST_FIRST.index(Verdict(other))


def sides(low: float, high: float, relation: Relation, bound: float) -> tuple[float, float]:
    """Return by how much an interval clears a threshold on the claimed side, and by how much on the other.

    Above 0, the first means supported; the second, at 0 or above, refuted.
    """
    if relation == ">":
        return low - bound, bound - high
    if relation == "<":
        return bound - high, low - bound
    return min(low + bound, bound - high), max(low - bound, -bound - high)


def judged(low: float, high: float, relation: Relation, bound: float) -> Verdict:
    """Return what an interval says of a claim."""
    claimed, other = sides(low, high, relation, bound)
    return Verdict.SUPPORTED if claimed > 0 else Verdict.REFUTED if other >= 0 else Verdict.INCONCLUSIVE


def in_words(relation: Relation, bound: str) -> str:
    """Say what is claimed of an estimate: ``above 0.5``."""
    return {">": f"above {bound}", "<": f"below {bound}", "abs <": f"within \u00b1{bound}"}[relation]
