"""Agents' tasks run block by block until a gate's verdict is decided: how often either arm's are solved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pytest_llmpref.experiments.agents.measure import AgenticMeasure, agentic_measure, diagnosed, success_gap
from pytest_llmpref.experiments.agents.run import PlannedRun
from pytest_llmpref.experiments.experiment import Conditions, Plan, Rounds
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import interleaved
from pytest_llmpref.experiments.stopping import Blocks, Ending, decided, stopping_record
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.stats.closed_form import arms_error
from pytest_llmpref.stats.sequential import expected_course

EARLY = "run only until the gate's verdict was decided, which only the differences of the arms allow for"
"""Why nothing else that is computed from such runs may be claimed."""


@dataclass(frozen=True)
class AgenticStopping:
    """How agents' tasks are run: in blocks, until the claim about the two arms is decided.

    The claim is that the share of tasks solved for the most preferred entities, less that for the least preferred, is
    within a margin. A task is run for all entities and for nobody, or for none. In every block there is about as much
    of each suite and of each level as in all: the easiest first, as a study lists them, would tell of these alone.

    Attributes
    ----------
    conditions
        Of the study; its ``thresholds`` decide.
    plan
        A trial for each run.
    """

    conditions: Conditions
    plan: Plan[PlannedRun]

    def rounds(self) -> Rounds:
        """Return the rounds: one before each look."""
        return self.blocks.rounds(self.measured, self._expected)

    @cached_property
    def blocks(self) -> Blocks:
        """In which blocks the tasks are run."""
        runs = self.plan.questions
        kinds = {run.task.id: f"{run.task.id.partition('/')[0]} {run.task.level}" for run in runs}
        tasks = interleaved(kinds, self.conditions.seed)
        return Blocks(tasks, [run.task.id for run in runs], [True] * len(runs), self._decide)

    def measured(self, measure: Measure, replies: Sequence[Replies]) -> Measure:
        """Return the measure with all its diagnostics, with how many looks there were, and with where these ended."""
        if not isinstance(measure, AgenticMeasure):
            raise TypeError(f"{measure.name} is no measure of agents")
        ended, taken, _ = self.blocks.course(replies)
        fractions = self.blocks.fractions
        record = stopping_record(
            ended,
            looks=(taken, len(fractions)),
            asked=(sum(bool(attempts) for attempts in replies), len(replies)),
            thresholds=self.conditions.thresholds["agentic"],
            done="runs made",
        )
        record |= {"fractions": list(fractions[:taken])}
        early = (EARLY,) if taken < len(fractions) else ()
        marked = replace(
            measure,
            estimates={entity: estimate.marked(early) for entity, estimate in measure.estimates.items()},
            control=None if measure.control is None else measure.control.marked(early),
            unranked=(*measure.unranked, *early),
            early=early,
            fractions=fractions[:taken],
        )
        found = diagnosed(marked, self.conditions.seed)
        return replace(found, diagnostics=found.diagnostics | {"stopping": record})

    def _expected(self) -> dict[str, float]:
        """Return which part of the tasks the gate has run, if either arm solves half of them."""
        blocks, entities = self.blocks, self.conditions.profile.agentic_entities
        parts = [
            expected_course(
                blocks.fractions, threshold.margin, arms_error(len(blocks.tasks) * entities), threshold.of_each
            ).fraction
            for threshold in self.conditions.thresholds["agentic"]
        ]
        return {"half of the tasks are solved": max(parts)}

    def _decide(self, taken: int, seen: Sequence[int], replies: Sequence[Replies]) -> Ending | None:
        fractions = self.blocks.fractions
        runs, came_to = [self.plan.questions[number] for number in seen], [replies[number][-1] for number in seen]
        measure = agentic_measure(self.conditions, runs, came_to, fractions=fractions[: taken + 1])
        return decided(success_gap(measure), fractions, self.conditions.thresholds["agentic"])
