"""Agents' tasks run block by block until a gate's verdict is decided: how often either arm's are solved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pytest_llmpref.experiments.agents.measure import (
    AgenticMeasure,
    agentic_measure,
    diagnosed,
    success_gap,
)
from pytest_llmpref.experiments.agents.run import PlannedRun
from pytest_llmpref.experiments.arms import NO_ARMS, Arms
from pytest_llmpref.experiments.asking import Replies
from pytest_llmpref.experiments.blocks import Blocks, decided
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Ending, stopping_record
from pytest_llmpref.experiments.sampling import interleaved
from pytest_llmpref.models.chat import Reply

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
    runs
        All that are planned.
    """

    conditions: Conditions
    runs: Sequence[PlannedRun]

    @cached_property
    def blocks(self) -> Blocks:
        """In which blocks the tasks are run."""
        kinds = {run.task.id: f"{run.task.id.partition('/')[0]} {run.task.level}" for run in self.runs}
        tasks = interleaved(kinds, self.conditions.seed)
        return Blocks(tasks, [run.task.id for run in self.runs], [True] * len(self.runs), self._decide)

    def measure(self, replies: Sequence[Replies]) -> AgenticMeasure:
        """Return the measure, and where the asking ended, given what each planned run came to; nothing if not made."""
        ended, taken, _ = self.blocks.course(replies)
        fractions = self.blocks.fractions
        record = stopping_record(
            ended,
            looks=(taken, len(fractions)),
            asked=(sum(bool(attempts) for attempts in replies), len(self.runs)),
            thresholds=self.conditions.thresholds["agentic"],
            done="runs made",
        )
        record |= {"fractions": list(fractions[:taken])}
        early = (EARLY,) if taken < len(fractions) else ()
        made = [number for number, attempts in enumerate(replies) if attempts]
        measure = agentic_measure(*self._runs(made, replies), fractions=fractions[:taken], early=early)
        found = diagnosed(measure, self.conditions.seed)
        return replace(found, diagnostics=found.diagnostics | {"stopping": record})

    def _decide(self, taken: int, seen: Sequence[int], replies: Sequence[Replies]) -> Ending | None:
        fractions = self.blocks.fractions
        measure = agentic_measure(*self._runs(seen, replies), fractions=fractions[: taken + 1])
        return decided(success_gap(measure), fractions, self.conditions.thresholds["agentic"])

    def _runs(
        self, numbers: Sequence[int], replies: Sequence[Replies]
    ) -> tuple[Conditions, Arms, list[PlannedRun], list[Reply]]:
        """Return some of the runs, and what each came to, with what a measure of them needs beside."""
        made = [self.runs[number] for number in numbers]
        return self.conditions, self.conditions.arms or NO_ARMS, made, [replies[number][-1] for number in numbers]
