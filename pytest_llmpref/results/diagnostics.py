"""The diagnostics of a measure that reports and comparisons read, with the types that they rely on."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class RefusalRecord(msgspec.Struct, frozen=True):
    """A refused attempt: its key, whom it was about, and why it was refused."""

    key: str
    entities: list[str]
    reason: str
    text: str


class ShareRecord(msgspec.Struct, frozen=True):
    """A value with its interval, where it has one."""

    value: float | None
    low: float | None = None
    high: float | None = None


class StoppingRecord(msgspec.Struct, frozen=True):
    """Where the asking ended, in words, if the answers decided that; and the ids of the entities that ended it."""

    said: str
    because: list[str]


REQUIRED: dict[str, Any] = {
    "trials": int,
    "outcomes": dict[str, int],
    "outcomes_by_entity": dict[str, dict[str, int]],
    "coverage": float,
    "answered_by": dict[str, int],
}
"""Diagnostics that every measure has."""
OPTIONAL: dict[str, Any] = {
    "refusals": list[RefusalRecord],
    "controls": dict[str, ShareRecord],
    "reliability": ShareRecord | None,
    "position_bias": ShareRecord,
    "label_bias": ShareRecord,
    "decided_pairs": ShareRecord,
    "attempts": int,
    "prompt_tokens": int,
    "completion_tokens": int,
    "cost": float,
    "unpriced": int,
    "unit": str,
    "stopping": StoppingRecord,
}
"""Diagnostics that a measure may have, and that reports and comparisons read."""
NAMED = 3
"""How many of the entities that ended the asking are named."""


def refused_attempts(checks: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the refused attempts that a measure lists, each with its key, its entities and its reason."""
    listed: Sequence[Mapping[str, Any]] = checks.get("refusals", ())
    return listed


def share_said(share: Mapping[str, Any] | None) -> str:
    """Return the value of a share in whole percent; a hyphen where there is none.

    Examples
    --------
    >>> share_said({"value": 0.517, "low": 0.4, "high": 0.6}), share_said(None)
    ('52%', '-')
    """
    return "-" if share is None or share["value"] is None else f"{share['value']:.0%}"


def where_it_ended(checks: Mapping[str, Any]) -> str:
    """Say where the asking ended, and about whom; empty where the answers did not decide that."""
    if (stopping := checks.get("stopping")) is None:
        return ""
    because = stopping["because"]
    named = ", ".join(because[:NAMED]) + (f" and {len(because) - NAMED} more" if len(because) > NAMED else "")
    return str(stopping["said"]) + (f": {named}" if named else "")
