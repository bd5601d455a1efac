"""What an experiment is to a study: a plan of trials, and an analysis of the replies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.config.items import ItemSet, load_items
from pytest_llmpref.config.profiles import Profile
from pytest_llmpref.experiments.arms import Arms
from pytest_llmpref.experiments.asking import Plan, Replies
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.sampling import select_entities
from pytest_llmpref.models.chat import ChatModel, Reply
from pytest_llmpref.models.prefill import Prefill
from pytest_llmpref.parsing.logprobs import Answers


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
    agentic
        Suites of agentic tasks; none unless a user asks for some.
    arms
        The entities that these compare, as reading does where its asking is sequential; ``None`` until they are known.
    thresholds
        Measure -> what a release gate's claims about it are compared with: where a profile's stopping is sequential,
        these end the asking.
    """

    model: str
    entities: EntitySet
    profile: Profile
    seed: int
    answers: Answers
    prefill: Prefill
    items: ItemSet = field(default_factory=load_items)
    agentic: tuple[str, ...] = ()
    arms: Arms | None = None
    thresholds: Mapping[str, tuple[Threshold, ...]] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class Around:
    """What is around the runs of agents.

    Attributes
    ----------
    sandbox
        What is to confine them, as in ``--llmpref-sandbox``.
    in_flight
        Most runs at once.
    logs
        Folder for logs.
    on_reply
        Called with what is kept of each run as it ends, and whether its trial ended with it.
    """

    sandbox: str
    in_flight: int
    logs: Path
    on_reply: Callable[[Reply, bool], None]


@runtime_checkable
class AgentExperiment(Experiment, Protocol):
    """An experiment whose trials are runs of an agent: conversations of many requests, and tools between them.

    To a study, a run is one request to the agent, and what it came to is the reply. So what is recorded, what is
    missing, and a replay by key are as for any question; only to run it takes more than one call of the model.
    """

    async def check(self, conditions: Conditions, sandbox: str, *, live: bool) -> None:
        """Make sure, before anything is asked, that runs can be made, or replayed."""
        ...

    async def run_all(
        self, conditions: Conditions, numbers: Sequence[int], model: ChatModel, deeds: Deeds, around: Around
    ) -> list[Replies]:
        """Make the runs with these numbers, or make them again from what is recorded."""
        ...
