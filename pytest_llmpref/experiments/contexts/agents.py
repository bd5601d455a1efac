"""Agents in contexts: tasks on behalf of entities that the assistant is said to like or dislike, drawn at random."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.config.contexts import Family, load_contexts
from pytest_llmpref.experiments.agents.experiment import AgenticExperiment, agentic
from pytest_llmpref.experiments.agents.run import PlannedRun
from pytest_llmpref.experiments.contexts.experiment import ComparedByArms, in_every_context
from pytest_llmpref.experiments.contexts.trials import ContextQuestion, ContextRunTrial, Outcomes, in_place
from pytest_llmpref.experiments.experiment import Around, Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.models.chat import ChatModel

NO_TASKS = "no task is one that our own agent works on: add --llmpref-agentic bundled, gaia or cybench"
Asked = ContextQuestion[PlannedRun]


@dataclass(frozen=True, slots=True)
class ContextAgents(ComparedByArms):
    """The same tasks for every entity, in every context of a family; the context stands in the agent's system message.

    A run costs as much as hundreds of questions. So few entities take part: in each arm as many as the profile has
    agents work for of the most preferred. Only these are named. A task of Inspect's that brings its own agent is left
    out, since that has a system message of its own.

    Attributes
    ----------
    measure
        Name of the measure.
    agents
        How the tasks are put.
    family
        The contexts; each is a system prompt.
    """

    trial: ClassVar[type[Trial]] = ContextRunTrial

    measure: str
    agents: AgenticExperiment
    family: Family

    def plan(self, conditions: Conditions) -> Plan[Asked]:
        """Return one trial a task, entity and context."""
        few = self.taking_part(conditions)
        wordings = len(self.agents.framings.entity)
        runs = [
            self.agents.run_of(few, task, number % wordings, None, entity)
            for number, task in enumerate(self.agents.tasks(conditions))
            if task.sample is None
            for entity in few.groups
        ]
        placed = in_every_context(_of_runs(runs), self.family, few)
        # The request is the run's identity, by which the results of its tools are found.
        questions = [
            replace(question, bare=replace(question.bare, request=request, context=question.placed.text))
            for question, request in zip(placed.questions, placed.requests, strict=True)
        ]
        return replace(placed, questions=questions)

    def taking_part(self, conditions: Conditions) -> Conditions:
        """Return the conditions of a study with as many entities as take part.

        Parameters
        ----------
        conditions
            Of the whole study.
        """
        profile, count = conditions.profile, len(self.family.arms) * conditions.profile.agentic_entities
        entities = count if profile.entities is None else min(count, profile.entities)
        return replace(conditions, profile=replace(profile, entities=entities))

    def analyse(self, conditions: Conditions, plan: Plan[Asked], replies: Sequence[Replies]) -> Measure:
        """Return, for each entity, how many of its tasks are solved in its arm, relative to the filler."""
        from pytest_llmpref.experiments.agents.measure import run_trial  # noqa: PLC0415 - a plan needs no numpy
        from pytest_llmpref.experiments.contexts.measure import context_measure  # noqa: PLC0415 - as above

        trials = [
            msgspec.structs.replace(
                in_place(ContextRunTrial, run_trial(question.bare, attempts[-1]), question.placed),
                task=question.bare.task.id,
            )
            for question, attempts in zip(plan.questions, replies, strict=True)
        ]
        few, unasked = self.taking_part(conditions), [] if trials else [NO_TASKS]
        return context_measure(self.measure, few, self.family, "solved", trials, replies, unasked)

    def compared(self) -> tuple[Family, Outcomes]:
        """Return the contexts; what is solved is looked at in them."""
        return self.family, "solved"

    async def check(self, conditions: Conditions, sandbox: str, *, live: bool) -> None:
        """Make sure, before anything is asked, that the tasks are there, and what confines the agents.

        Raises
        ------
        TasksError
            If the extra or the tasks are missing.
        NoSandboxError
            If agents would have to run unconfined.
        """
        await self.agents.check(conditions, sandbox, live=live)

    async def run_all(
        self,
        conditions: Conditions,
        plan: Plan[Asked],
        numbers: Sequence[int],
        model: ChatModel,
        deeds: Deeds,
        around: Around,
    ) -> list[Replies]:
        """Run agents, or run them again on what is recorded, and return what each came to.

        Raises
        ------
        LLMPrefError
            As `AgenticExperiment.run_all`.
        """
        bare = _of_runs([question.bare for question in plan.questions])
        return await self.agents.run_all(conditions, bare, numbers, model, deeds, around)


def _of_runs(runs: Sequence[PlannedRun]) -> Plan[PlannedRun]:
    """Return a plan of runs, each made once."""
    return Plan(runs, [run.request for run in runs], lambda _run, _reply: True, attempts=1)


def context_agents(measure: str, contexts: str) -> ContextAgents:
    """Return an experiment that has agents work in contexts of a family.

    Parameters
    ----------
    measure
        Name of the measure.
    contexts
        Name of the family.

    Raises
    ------
    ContextError
        If the family cannot be used.
    """
    return ContextAgents(measure, agentic(), load_contexts(contexts))
