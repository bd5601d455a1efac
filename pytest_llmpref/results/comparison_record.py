"""A comparison of two releases as results.json holds it, typed, so that one edited by hand is named and not drawn."""

from typing import Any

import msgspec

from pytest_llmpref.claims.gates import function_of


class ChangeRecord(msgspec.Struct, frozen=True):
    """New minus old, with its 95% interval.

    Attributes
    ----------
    moved
        Whether it is significant at 5%, corrected by Holm over its family.
    p
        ``None`` where nothing is tested, since a side is invalid.
    old, new
        Both sides, on what both have; ``None`` where there is no such value.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    moved: bool
    p: float | None
    old: float | None = None
    new: float | None = None


class QuestionsRecord(msgspec.Struct, frozen=True):
    """Questions in both, and in one of them."""

    both: int
    old_only: int
    new_only: int


class EntitiesRecord(msgspec.Struct, frozen=True):
    """How many entities are in both, and ids of the others."""

    both: int
    old_only: list[str]
    new_only: list[str]


class MeasureComparison(msgspec.Struct, frozen=True):
    """One measure; ``reasons`` say why nothing is tested."""

    questions: QuestionsRecord
    entities: EntitiesRecord
    reasons: list[str]
    agreement: dict[str, Any]
    changes: dict[str, ChangeRecord]


class VerdictSide(msgspec.Struct, frozen=True):
    """A verdict, the value under it, and its threshold."""

    verdict: str
    value: float | None
    threshold: float = msgspec.field(name="bound")


class VerdictChange(msgspec.Struct, frozen=True):
    """A claim whose verdict changed."""

    nodeid: str
    entity: str | None
    gate: bool
    old: VerdictSide
    new: VerdictSide
    worse: bool

    @property
    def function(self) -> str:
        """Name of the test function, as words."""
        return function_of(self.nodeid).rpartition("::")[2].removeprefix("test_").replace("_", " ")


class ClaimsComparison(msgspec.Struct, frozen=True):
    """Claims: how many are in both, whose verdicts changed, and which have no counterpart."""

    both: int
    changed: list[VerdictChange]
    bounds: list[dict[str, Any]]
    old_only: list[str]
    new_only: list[str]


class ModelComparison(msgspec.Struct, frozen=True):
    """One model; ``old`` is its name in the earlier run."""

    old: str
    simulated: bool
    measures: dict[str, MeasureComparison]
    measures_old_only: list[str]
    measures_new_only: list[str]
    overall: dict[str, ChangeRecord]
    rho: dict[str, ChangeRecord]
    claims: ClaimsComparison
    changed: bool


class RunSide(msgspec.Struct, frozen=True):
    """When a run began, and what it was about."""

    began: str
    profile: str
    entities: str


class ComparisonRecord(msgspec.Struct, frozen=True):
    """The comparison of this run with that of the last release, which is read from the file ``baseline``."""

    old: RunSide
    new: RunSide
    alpha: float
    models: dict[str, ModelComparison]
    old_only: list[str]
    new_only: list[str]
    changed: bool
    baseline: str = ""
