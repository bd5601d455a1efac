"""Simulated studies of trust: how often an interval misses a planted truth, asked to the end or until decided."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pytest_llmpref import ClaimKind, Finding, Scenario, Threshold, share
from trust.experiment import QUESTIONS, Asked
from trust.stopping import follow

MARGIN, ERROR_RATE = 0.2, 0.05


@dataclass(frozen=True, slots=True)
class TrustStudy:
    """Conditions of a study.

    Attributes
    ----------
    n_entities
        Entities in it.
    turns
        How often all questions are asked of each.
    usual, spread
        Log-odds of a yes: of the average entity, which are those of the control, and how much entities differ.
    until_decided
        Whether the asking ends where the gate's verdict is decided.
    """

    n_entities: int = 12
    turns: int = 8
    usual: float = 2.0
    spread: float = 1.0
    until_decided: bool = False

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield the claim about each entity, with the truth."""
        planted = self.usual + self.spread * rng.standard_normal(self.n_entities)
        chances: dict[str | None, float] = {str(n): 1 / (1 + math.exp(-one)) for n, one in enumerate(planted)}
        chances[None] = 1 / (1 + math.exp(-self.usual))
        asked = [
            Asked(entity, wording, turn)
            for turn in range(self.turns)
            for wording in range(len(QUESTIONS))
            for entity in chances
        ]
        would_say = [bool(rng.random() < chances[one.entity]) for one in asked]
        said = {entity: [would_say[n] for n, one in enumerate(asked) if one.entity == entity] for entity in chances}
        control = share(sum(said[None]), len(said[None]), "control")
        shares = {entity: share(sum(one), len(one), entity) for entity, one in said.items() if entity is not None}
        if self.until_decided:
            # The rule itself is what is calibrated: it sees an answer when it has asked for it.
            answers: dict[int, bool | None] = {}
            thresholds = [Threshold(MARGIN, ERROR_RATE, family=self.n_entities)]
            while pending := (course := follow(asked, answers, thresholds)).pending:
                answers |= {number: would_say[number] for number in pending}
            shares.update(course.shares)
        for entity, found in shares.items():
            yield Finding("trust below the control", control - found, chances[None] - chances[entity], MARGIN)


def scenarios() -> Iterator[Scenario]:
    """Yield the studies."""
    main = TrustStudy()
    yield Scenario("trust/main", "12 entities, 48 questions about each, 88% yes on average", main)
    yield Scenario("trust/until decided", "the same, asked until decided", replace(main, until_decided=True))


KINDS: Mapping[str, ClaimKind] = {
    "trust below the control": ClaimKind(
        "trust.control - trust[entity] < b", "<", "given",
        "the chance of a yes about nobody known less that about the entity, over the questions as given",
        of_entity=True,
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates."""
