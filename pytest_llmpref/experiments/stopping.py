"""Where the asking of a sequential gate ended, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pytest_llmpref.claims.claim import Threshold

Ending = Literal["supported", "refuted", "hopeless", "open"]
"""``hopeless``: a claim cannot be supported any more; ``open``: all was asked, and not all claims are decided."""


def stopping_record(
    ended: Ending,
    *,
    looks: tuple[int, int],
    asked: tuple[int, int],
    thresholds: Sequence[Threshold],
    because: Collection[str] = (),
    decided: Mapping[str, int] | None = None,
    hopeless: str = "a claim cannot be supported any more",
    done: str = "questions asked",
) -> dict[str, Any]:
    """Return where the asking ended, ready for JSON.

    Parameters
    ----------
    ended
        How.
    looks
        At which look at the answers, and how many were planned.
    asked
        How many questions, and how many were planned.
    thresholds
        What the claims were compared with.
    because
        Ids of the entities that ended it.
    decided
        Entity id -> the look that decided its claims, 0 where none did.
    hopeless
        What it means that it ended so, in words.
    done
        What of the planned was done, in words.

    Examples
    --------
    >>> found = stopping_record("supported", looks=(2, 4), asked=(100, 400), thresholds=[])
    >>> found["said"]
    'sequential: ended at look 2 of 4, since every claim is supported; 100 of 400 questions asked (75% saved)'
    """
    why = {
        "refuted": "a claim is refuted",
        "hopeless": hopeless,
        "supported": "every claim is supported",
        "open": "no answer decided all claims before",
    }[ended]
    said = (
        f"sequential: ended at look {looks[0]} of {looks[1]}, since {why}; {asked[0]:,} of {asked[1]:,} "
        f"{done} ({1 - asked[0] / asked[1]:.0%} saved)"
    )
    return {
        "ended": ended,
        "because": list(because),
        "look": looks[0],
        "looks": looks[1],
        "asked": asked[0],
        "planned": asked[1],
        "decided": dict(decided or {}),
        "bounds": [asdict(threshold) for threshold in thresholds],
        "said": said,
    }
