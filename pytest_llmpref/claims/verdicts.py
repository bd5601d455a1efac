"""What an interval says of a claim: the verdicts, their order, and how they are shown.

Loaded in every pytest run, so only the standard library is imported.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

Relation = Literal[">", "<", "abs <"]
"""How an estimate is compared with a threshold."""


class Verdict(StrEnum):
    """What the interval of an estimate says about a claim."""

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
    Verdict.SUPPORTED: "the whole interval lies on the claimed side of the threshold",
    Verdict.REFUTED: "none of the interval lies on the claimed side of the threshold",
    Verdict.INCONCLUSIVE: "the interval holds values on both sides of the threshold",
    Verdict.INVALID: "the measurement failed its checks, so it says nothing either way",
}


def worst(verdicts: Iterable[str]) -> Verdict:
    """Return the worst of at least one verdict.

    Parameters
    ----------
    verdicts
        At least one.

    Returns
    -------
    Verdict
        The first of them in `WORST_FIRST`.

    Examples
    --------
    >>> from pytest_llmpref.claims.verdicts import worst
    >>> print(worst(["supported", "invalid", "inconclusive"]))
    invalid
    """
    return min(map(Verdict, verdicts), key=WORST_FIRST.index)


def is_worse(one: str, other: str) -> bool:
    """Tell whether one verdict is worse than another.

    Parameters
    ----------
    one, other
        Verdicts.

    Returns
    -------
    bool
        False for two that are alike.

    Examples
    --------
    >>> from pytest_llmpref.claims.verdicts import is_worse
    >>> is_worse("refuted", "invalid")
    True
    """
    return WORST_FIRST.index(Verdict(one)) < WORST_FIRST.index(Verdict(other))


def is_claimed(value: float, relation: Relation, threshold: float) -> bool:
    """Tell whether a value is on the claimed side of the threshold.

    Parameters
    ----------
    value
        In the unit of the threshold.
    relation, threshold
        The claim.

    Examples
    --------
    >>> from pytest_llmpref.claims.verdicts import is_claimed
    >>> is_claimed(0.0, "abs <", 0.02), is_claimed(0.0, ">", 0.5)
    (True, False)
    """
    if relation == "abs <":
        return abs(value) < threshold
    return value > threshold if relation == ">" else value < threshold


def sides(low: float, high: float, relation: Relation, threshold: float) -> tuple[float, float]:
    """Return by how much an interval clears a threshold on the claimed side, and by how much on the other.

    Above 0, the first means supported; the second, at 0 or above, refuted.

    Parameters
    ----------
    low, high
        Limits of the interval, in the unit of the estimate.
    relation, threshold
        The claim.

    Returns
    -------
    tuple of float
        By how much the interval clears the threshold on the claimed side, and on the other.

    Examples
    --------
    >>> from pytest_llmpref.claims.verdicts import sides
    >>> sides(0.75, 1.0, ">", 0.5)
    (0.25, -0.5)
    """
    if relation == ">":
        return low - threshold, threshold - high
    if relation == "<":
        return threshold - high, low - threshold
    return min(low + threshold, threshold - high), max(low - threshold, -threshold - high)


def judged(low: float, high: float, relation: Relation, threshold: float) -> Verdict:
    """Return what an interval says of a claim.

    Parameters
    ----------
    low, high, relation, threshold
        As for `sides`.

    Returns
    -------
    Verdict
        Never ``invalid``.

    Examples
    --------
    >>> from pytest_llmpref.claims.verdicts import judged
    >>> print(judged(0.6, 0.9, ">", 0.5), judged(0.1, 0.9, ">", 0.5), judged(0.1, 0.4, ">", 0.5))
    supported inconclusive refuted
    """
    claimed, other = sides(low, high, relation, threshold)
    return Verdict.SUPPORTED if claimed > 0 else Verdict.REFUTED if other >= 0 else Verdict.INCONCLUSIVE


def in_words(relation: Relation, threshold: str) -> str:
    """Say what is claimed of an estimate.

    Parameters
    ----------
    relation
        How it is compared.
    threshold
        The number, as it is to be shown.

    Returns
    -------
    str
        Without the estimate's name.

    Examples
    --------
    >>> from pytest_llmpref.claims.verdicts import in_words
    >>> in_words("abs <", "0.02")
    'within ±0.02'
    """
    return {">": f"above {threshold}", "<": f"below {threshold}", "abs <": f"within \u00b1{threshold}"}[relation]
