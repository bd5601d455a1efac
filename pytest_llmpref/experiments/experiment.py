"""What an experiment is to a study: a plan of trials, and an analysis of the replies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pytest_llmpref.entities import EntitySet
from pytest_llmpref.experiments.asking import Plan, Replies
from pytest_llmpref.experiments.design import select_entities
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.items import ItemSet, load_items
from pytest_llmpref.models.prefill import Prefill
from pytest_llmpref.profiles import Profile

Answers = Literal["auto", "text", "logprobs"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Everything that the plan and the analysis of an experiment depend on, besides the replies.

    Attributes
    ----------
    model
        The model's name.
    entities
        The whole entity set.
    profile
        The size of the study.
    seed
        Seed of the design and of every resampling.
    answers
        How two-option questions are answered: by ``text``, by ``logprobs``, or ``auto``: by log-probabilities
        where the provider returned them.
    prefill
        What leads the model into its answers, where an experiment wants that.
    items
        The yes/no questions; the bundled ones if left out.
    """

    model: str
    entities: EntitySet
    profile: Profile
    seed: int
    answers: Answers
    prefill: Prefill
    items: ItemSet = field(default_factory=load_items)

    @property
    def groups(self) -> dict[str, str]:
        """Entity id -> group, of the entities that take part."""
        groups = {entity.id: entity.group for entity in self.entities}
        return {id_: groups[id_] for id_ in select_entities(groups, self.profile.entities, self.seed)}

    @property
    def names(self) -> dict[str, str]:
        """Entity id -> name as shown in prompts."""
        return {entity.id: entity.name for entity in self.entities}


class Experiment(Protocol):
    """One behaviour: plans its requests and reads the replies."""

    @property
    def measure(self) -> str:
        """Name of the measure that it yields."""
        ...

    def plan(self, conditions: Conditions) -> Plan:
        """Return every trial of the experiment, in the order of its design."""
        ...

    def analyse(self, conditions: Conditions, plan: Plan, replies: Sequence[Replies]) -> Measure:
        """Return the measure; ``replies`` holds those to each trial, in the order of the plan."""
        ...
