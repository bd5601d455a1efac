"""What calibration plants: simulated studies, what each finds, and the kinds of claim that are made of that."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdict import Relation

if TYPE_CHECKING:
    import numpy as np

Entities = Literal["sample", "given"]


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """A kind of claim.

    Attributes
    ----------
    claim
        How a suite writes it.
    relation
        Its relation.
    entities
        Whether the entities are a ``sample`` of their kind, so that the estimand is about the kind, or are themselves
        what is asked about, as ``given``.
    estimand
        What the estimate is an estimate of.
    of_entity
        Whether a study makes the claim for each entity, rather than once.
    """

    claim: str
    relation: Relation
    entities: Entities
    estimand: str
    of_entity: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One estimate of a simulated study.

    Attributes
    ----------
    kind
        Kind of claim: a key of the behaviours' ``claim_kinds``.
    estimate
        The estimate.
    truth
        What it estimates.
    bound
        The bound that a suite would ask about.
    """

    kind: str
    estimate: Estimate
    truth: float
    bound: float


class SimulatedStudy(Protocol):
    """A kind of simulated study."""

    @property
    def n_entities(self) -> int:
        """Entities in a study."""
        ...

    def findings(self, rng: "np.random.Generator") -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        ...

    def predicted_power(self, kind: str) -> float:
        """Return the power predicted for the claim that is asked about; NaN where nothing predicts it."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of study, repeated.

    Attributes
    ----------
    name
        Such as ``advice/main``: the world, and what differs from its main cell.
    about
        The same in words.
    study
        The study.
    """

    name: str
    about: str
    study: SimulatedStudy
