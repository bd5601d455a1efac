"""What an experiment is to a study: a plan of trials, and an analysis of the replies.

A plan carries its questions. The rule that ends the asking, the model of an agent's runs and the analysis all take the
plan that was asked, and none of them plans again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import msgspec

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.config.items import ItemSet, load_items
from pytest_llmpref.config.profiles import Profile
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import Arms, select_entities
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.models.chat import ChatModel, Reply, Request
from pytest_llmpref.models.prefill import Prefill
from pytest_llmpref.parsing.logprobs import Answers
from pytest_llmpref.parsing.open_answers import declined
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import refused

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes


@dataclass(frozen=True, slots=True)
class Conditions:
    """Everything except the replies on which the plan and the analysis of an experiment depend.

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
        if the provider returned them.
    prefill
        How the model is led into its answers, if an experiment uses a prefill.
    items
        The yes/no questions; the bundled ones if left out.
    agentic
        Suites of agentic tasks; empty by default.
    arms
        Entities compared by agentic tasks, and by reading questions under sequential stopping; ``None`` until they are
        known.
    thresholds
        Measure -> thresholds of the release gate's claims about it. Under sequential stopping, the questions stop when
        these claims are decided. Thresholds of a second gate, for each entity, have the key `behaviour.for_each` of the
        measure.
    judge
        Name of the model that judges; empty for none.
    basis
        Measure whose replies the questions contain, if the behaviour names one; ``None`` if it is not known yet, as in
        a plan that only counts.
    paired_prompts
        The user's pairs of prompts; ``None`` for none.
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
    judge: str = ""
    basis: Measure | None = None
    paired_prompts: Path | None = None

    @property
    def groups(self) -> dict[str, str]:
        """Entity id -> group, for the entities that take part."""
        groups = {entity.id: entity.group for entity in self.entities}
        return {id_: groups[id_] for id_ in select_entities(groups, self.profile.entities, self.seed)}

    @property
    def names(self) -> dict[str, str]:
        """Entity id -> name as shown in prompts."""
        return {entity.id: entity.name for entity in self.entities}


def measure_under(
    name: str,
    conditions: Conditions,
    estimates: Mapping[str, Estimate],
    reasons: Sequence[str],
    *,
    reliability: Estimate | None,
    diagnostics: Mapping[str, Any],
    trials: Sequence[Trial],
) -> Measure:
    """Return a measure, its estimates marked with why the measurement is invalid.

    Parameters
    ----------
    name
        Of the measure.
    conditions
        Of the study.
    estimates
        Entity id -> estimate.
    reasons
        Why the measurement is invalid; empty if it is not.
    reliability, diagnostics, trials
        As in `Measure`.
    """
    return Measure(
        name=name,
        model=conditions.model,
        estimates={entity: estimate.marked(reasons) for entity, estimate in estimates.items()},
        groups=conditions.groups,
        reasons=tuple(reasons),
        reliability=reliability,
        diagnostics=dict(diagnostics),
        trials=trials,
    )


Question = TypeVar("Question")
"""What a behaviour knows of one of its questions."""


def _as_found(measure: Measure, _replies: Sequence[Replies]) -> Measure:
    return measure


@dataclass(frozen=True, slots=True)
class Rounds:
    """How trials are asked in rounds: the answers so far decide which trials come next.

    Attributes
    ----------
    total
        Total number of trials that are asked.
    choose
        Function of the replies to each trial of the plan that returns the indices of the trials to ask next; empty at
        the end. It must be pure, so that a replay asks the same.
    setting
        The profile's setting that asks for rounds, as messages name it.
    at_most
        Whether ``total`` is a maximum, because answers may stop the questions earlier.
    measured
        Function of the measure and the replies to each trial of the plan. It returns the measure with intervals that
        allow for the interim analyses, and with a record of where these stopped the questions. By default, the measure
        as it is.
    least
        Minimum number of trials: those before the first interim analysis; 0 if no gate stops the questions.
    expected
        Function that returns a condition that favours the gate, in words, and the approximate number of trials asked if
        it holds.
    most
        Maximum number of rounds, since each takes a job of its own in batches; 0 if it is not known beforehand.
    """

    total: int
    choose: Callable[[Sequence[Replies]], Sequence[int]]
    setting: str
    at_most: bool = False
    measured: Callable[[Measure, Sequence[Replies]], Measure] = _as_found
    least: int = 0
    expected: Callable[[], Sequence[tuple[str, int]]] = tuple
    most: int = 0


@dataclass(frozen=True, slots=True)
class Plan(Generic[Question]):
    """The trials of an experiment, each with its question.

    Attributes
    ----------
    questions
        The experiment's own data about each trial. Its analysis gets them back with the plan.
    requests
        The first attempt of each trial, in the same order.
    is_valid
        Function of a question and a reply: whether the reply is a valid answer.
    attempts
        Maximum number of attempts at one trial.
    read
        Function of a question and a reply that returns the outcome and, for a choice, its label (``A``, ``B``; ``yes``,
        ``no``). People's labels of replies are compared with it. ``None`` if answers have no labels.
    labels
        All labels that a choice can have; empty if ``read`` is ``None``.
    options
        Function of a question that returns the names shown under the labels ``A`` and ``B``, if every question has
        exactly these two options. A judge can then read replies that the rules cannot.
    rounds
        How trials are asked in rounds, if earlier answers decide which come next; ``None`` if all are asked at once.
    refuses
        Function of a reply: whether it is a refusal, for the count in the progress display. By default, `read_choice`
        if there are ``options``, otherwise `read_open_answer`.
    follow
        Function of the first attempt and the replies so far that returns the next attempt, such as one in which the
        user insists; ``None`` to ask the same question again.
    of_judge
        Whether the judge answers, instead of the measured model.

    Examples
    --------
    >>> from pytest_llmpref import Message, Plan, Reply, Request
    >>> names = ["UNICEF", "Oxfam"]
    >>> requests = [Request("sim/x", (Message("user", f"Praise {name}."),), 1.0, 50) for name in names]
    >>> plan = Plan(names, requests, lambda name, reply: name in reply.text, attempts=2)
    >>> said = [Reply("UNICEF helps children.", "stop"), Reply("No.", "stop")]
    >>> plan.goes_on(0, said[:1]), plan.goes_on(1, said[1:])
    (False, True)
    """

    questions: Sequence[Question]
    requests: Sequence[Request]
    is_valid: Callable[[Question, Reply], bool]
    attempts: int
    read: Callable[[Question, Reply], tuple[Outcome, str | None]] | None = None
    labels: tuple[str, ...] = ()
    options: Callable[[Question], Mapping[str, str]] | None = None
    rounds: Rounds | None = None
    refuses: Callable[[Reply], bool] | None = None
    follow: Callable[[Request, Sequence[Reply]], Request] | None = None
    of_judge: bool = False

    def is_refusal(self, reply: Reply) -> bool:
        """Return whether a reply is a refusal, for the count in the progress display."""
        refuses = self.refuses or (refused if self.options is not None else declined)
        return refuses(reply)

    @property
    def total(self) -> int:
        """Number of trials that are asked."""
        return len(self.requests) if self.rounds is None else self.rounds.total

    @property
    def most_rounds(self) -> int:
        """Maximum number of rounds in which they are asked; 0 if it is not known beforehand."""
        return 1 if self.rounds is None else self.rounds.most

    def next_round(self, replies: Sequence[Replies]) -> Sequence[int]:
        """Return which trials to ask next, given the replies to each; empty if all were asked."""
        if self.rounds is not None:
            return self.rounds.choose(replies)
        return [] if any(replies) else range(len(self.requests))

    def part(self, numbers: Sequence[int]) -> "Plan[Question]":
        """Return a plan of some of the trials, all asked at once."""
        questions, requests = self.questions, self.requests
        return replace(
            self,
            questions=[questions[number] for number in numbers],
            requests=[requests[number] for number in numbers],
            rounds=None,
        )

    def asked(self, replies: Sequence[Replies]) -> "tuple[Plan[Question], list[Replies]]":
        """Return the trials that were asked, with the replies to each. A question that was not needed is left out."""
        numbers = [number for number, attempts in enumerate(replies) if attempts]
        return self.part(numbers), [replies[number] for number in numbers]

    def options_of(self, number: int) -> Mapping[str, str] | None:
        """Return the name under each label of a trial's question; ``None`` if a judge cannot read the replies."""
        return None if self.options is None else self.options(self.questions[number])

    def attempt(self, number: int, replies: Sequence[Reply]) -> Request:
        """Return the next request of a trial, given its replies so far: the first attempt or a later one."""
        first = self.requests[number]
        if not replies:
            return first
        if self.follow is not None:
            return self.follow(first, replies)
        return msgspec.structs.replace(first, repetition=first.repetition + len(replies))

    def goes_on(self, number: int, replies: Sequence[Reply]) -> bool:
        """Return whether a trial with these replies is asked again. A call that failed for good ends it."""
        if len(replies) >= self.attempts or replies[-1].finish == "error":
            return False
        return not self.is_valid(self.questions[number], replies[-1])

    def measured(self, measure: Measure, replies: Sequence[Replies]) -> Measure:
        """Return the measure, with intervals that allow for interim analyses if there were any."""
        return measure if self.rounds is None else self.rounds.measured(measure, replies)


class Experiment(Protocol):
    """One behaviour: plans its requests and reads the replies."""

    @property
    def measure(self) -> str:
        """Name of the measure that it yields."""
        ...

    def plan(self, conditions: Conditions) -> Plan[Any]:
        """Return every trial of the experiment, in the order of its design. Called once per study."""
        ...

    def analyse(self, conditions: Conditions, plan: Plan[Any], replies: Sequence[Replies]) -> Measure:
        """Return the measure.

        Parameters
        ----------
        conditions
            The conditions for which the plan was made.
        plan
            The plan, as returned by `plan`.
        replies
            The replies to each trial, in the order of the plan; empty for a trial that was not asked.
        """
        ...


@runtime_checkable
class ComparableExperiment(Experiment, Protocol):
    """An experiment that estimates what changed between two releases from the questions that both asked.

    Attributes
    ----------
    trial
        The class of its trials: of those that it reads from replies, and of those read back from results.json.
    """

    trial: ClassVar[type[Trial]]

    def changes(self, new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> "Changes":
        """Return the changes, as `Behaviour.changes` does."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What is around the runs of agents.

    Attributes
    ----------
    sandbox
        What is to confine them, as in ``--llmpref-sandbox``.
    in_flight
        Maximum number of runs at once.
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
        self,
        conditions: Conditions,
        plan: Plan[Any],
        numbers: Sequence[int],
        model: ChatModel,
        deeds: Deeds,
        around: Around,
    ) -> list[Replies]:
        """Make the runs of a plan with these numbers, or make them again from what is recorded."""
        ...
