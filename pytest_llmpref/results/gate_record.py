"""The state of the release gate, as results.json holds it."""

from typing import Literal

import msgspec


class AbsentGateRecord(msgspec.Struct, frozen=True):
    """A gate that did not run: its model, the node id of its function, why, and how many of its tests."""

    model: str
    gate: str
    reason: str
    tests: int


class GateRecord(msgspec.Struct, frozen=True):
    """The state of the gates of a model, or of a run; see `pytest_llmpref.claims.gates.GateState`."""

    state: Literal["open", "closed", "incomplete", "not run"]
    collected: int
    ran: int
    failed: list[str] = []
    not_run: list[AbsentGateRecord] = []
    off: list[AbsentGateRecord] = []
    reproducibility: float | None = None
