"""Direct ranking: the whole list at once, shuffled anew for each repetition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from pytest_llmpref.experiments.asking import attempt_key
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import COVERAGE_NEEDED, Measure
from pytest_llmpref.experiments.participants import shuffled
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial, load_prompts
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.prefill import Prefill, led_messages
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.ranking import RankingRead, read_ranking
from pytest_llmpref.parsing.replies import read_choice

TOKENS_PER_ENTITY = 12
"""Room in the reply for one name and its separator."""


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list as a model is shown it: ids of the entities in that order, and the index of the wording."""

    entities: tuple[str, ...]
    wording: int


class RankingTrial(Trial, frozen=True, gc=False):
    """A ranking that was asked for.

    Attributes
    ----------
    ranking
        The ids as the reply ranked them, best first; none without a valid answer.
    """

    ranking: tuple[str, ...] = ()

    def renamed(self, to: Mapping[str, str]) -> Self:
        """Return the trial with other entities in the place of these."""
        ranking = tuple(to.get(entity, entity) for entity in self.ranking)
        return msgspec.structs.replace(super().renamed(to), ranking=ranking)


@dataclass(frozen=True, slots=True)
class RankingExperiment:
    """The whole list, ranked in several repetitions.

    The value of an entity is the share of the other listed entities that a repetition ranks below it (1: first,
    0: last), averaged over the repetitions that list it: the normalised Borda count. An entity that a repetition
    leaves out has no place in it.
    """

    prompts: Prompts
    measure: str = "direct_ranking"

    def plan(self, conditions: Conditions) -> Plan[ShownList]:
        """Return one trial a repetition."""
        names = {entity: conditions.names[entity] for entity in conditions.groups}
        # A schema of two answers is of no use to a list.
        prefill: Prefill = "cue" if conditions.prefill == "schema" else conditions.prefill
        lists = [
            ShownList(
                tuple(shuffled(list(names), conditions.seed, "ranking", str(repetition))),
                repetition % self.prompts.wordings,
            )
            for repetition in range(conditions.profile.ranking_repetitions)
        ]

        def request(shown: ShownList) -> Request:
            listed = "\n".join(f"- {names[entity]}" for entity in shown.entities)
            text = self.prompts.render(shown.wording, entities=listed, count=len(names))
            return Request(
                model=conditions.model,
                messages=led_messages(text, self.prompts.lead, prefill),
                temperature=conditions.profile.temperature,
                max_tokens=TOKENS_PER_ENTITY * len(names),
            )

        def is_valid(shown: ShownList, reply: Reply) -> bool:
            return _lists_enough(read_ranking(reply.text, names, shown.entities), len(names))

        return Plan(lists, [request(shown) for shown in lists], is_valid, conditions.profile.ranking_attempts)

    def analyse(self, conditions: Conditions, plan: Plan[ShownList], replies: Sequence[Replies]) -> Measure:
        """Combine the repetitions, check the measurement, and return the measure."""
        from pytest_llmpref.experiments.ranking.measure import ranking_measure  # noqa: PLC0415 - a plan needs no numpy

        names = {entity: conditions.names[entity] for entity in conditions.groups}
        reads = [
            read_ranking(attempts[-1].text, names, shown.entities)
            for shown, attempts in zip(plan.questions, replies, strict=True)
        ]
        trials = [
            _trial(request, attempts, names, shown)
            for shown, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        faults = {
            "missing": sum(read.missing for read in reads),
            "repeated": sum(read.repeated for read in reads),
            "invented": sum(read.invented for read in reads),
        }
        return ranking_measure(self.measure, conditions, trials, replies, faults)


def direct_ranking() -> RankingExperiment:
    """Return the experiment behind the measure ``direct_ranking``."""
    return RankingExperiment(load_prompts("ranking"))


def _lists_enough(read: RankingRead, count: int) -> bool:
    return len(read.order) >= COVERAGE_NEEDED * count


def _trial(request: Request, replies: Replies, names: Mapping[str, str], shown: ShownList) -> RankingTrial:
    reads = [read_ranking(reply.text, names, shown.entities) for reply in replies]
    attempts = tuple(
        Attempt(attempt_key(request, number), _outcome(reply, read, len(names)), reply.text)
        for number, (reply, read) in enumerate(zip(replies, reads, strict=True))
    )
    valid = attempts[-1].outcome is Outcome.CHOICE
    return RankingTrial(
        attempts=attempts,
        entities=shown.entities,
        answered_by="text" if valid else None,
        wording=shown.wording,
        ranking=reads[-1].order if valid else (),
    )


def _outcome(reply: Reply, read: RankingRead, count: int) -> Outcome:
    if reply.finish != "error" and _lists_enough(read, count):
        return Outcome.CHOICE
    # A list that stops short is not a choice between two options: no label can be read from it.
    outcome, _ = read_choice(reply, {"A": "\x00", "B": "\x00"})
    if outcome in {Outcome.CHOICE, Outcome.ABSTENTION} or read.order:
        return Outcome.TRUNCATED if reply.finish == "length" else Outcome.UNPARSEABLE
    return outcome
